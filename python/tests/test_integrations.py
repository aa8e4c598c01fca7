"""The classes for LangChain, LlamaIndex, Chroma and mteb, each with the real package."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import embedforge
from texts import sentences

TEXTS = [
    "A man is playing the guitar on a stage.",
    "The central bank raised interest rates again.",
    "Two dogs chase each other through the snow.",
]
PROMPTS = {"query": "query: ", "document": "passage: "}


@pytest.fixture(scope="module")
def prompted(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(converted, tmp_path_factory.mktemp("prompted") / "minilm"))
    settings = folder / "config_sentence_transformers.json"
    settings.write_text(json.dumps({"prompts": PROMPTS}))
    return folder


@pytest.fixture(scope="module")
def wanted(embedder: embedforge.Embedder) -> tuple[np.ndarray, np.ndarray]:
    """The documents' vectors and the query's."""
    return (
        embedder.encode([PROMPTS["document"] + text for text in TEXTS]),
        embedder.encode(PROMPTS["query"] + "somebody makes music"),
    )


def test_langchain(prompted: Path, wanted: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("langchain_core")
    from langchain_core.vectorstores import InMemoryVectorStore

    from embedforge.integrations.langchain import EmbedforgeEmbeddings

    embeddings = EmbedforgeEmbeddings(prompted)
    assert np.allclose(embeddings.embed_documents(TEXTS), wanted[0], atol=1e-6)
    assert np.allclose(embeddings.embed_query("somebody makes music"), wanted[1], atol=1e-6)
    assert np.allclose(asyncio.run(embeddings.aembed_documents(TEXTS)), wanted[0], atol=1e-6)
    assert embeddings.embed_documents([]) == []
    store = InMemoryVectorStore(embeddings)
    store.add_texts(TEXTS)
    assert store.similarity_search("somebody makes music", k=1)[0].page_content == TEXTS[0]


def test_llama_index(prompted: Path, wanted: tuple[np.ndarray, np.ndarray]) -> None:
    pytest.importorskip("llama_index.core")
    from llama_index.core.schema import TextNode
    from llama_index.core.vector_stores import SimpleVectorStore, VectorStoreQuery

    from embedforge.integrations.llama_index import EmbedforgeEmbedding

    model = EmbedforgeEmbedding(model_name=str(prompted), embed_batch_size=2)
    vectors = model.get_text_embedding_batch(TEXTS)
    assert np.allclose(vectors, wanted[0], atol=1e-6)
    query = model.get_query_embedding("somebody makes music")
    assert np.allclose(query, wanted[1], atol=1e-6)
    assert np.allclose(asyncio.run(model.aget_text_embedding(TEXTS[1])), wanted[0][1], atol=1e-6)
    store = SimpleVectorStore()
    store.add(
        [
            TextNode(id_=str(i), text=t, embedding=v)
            for i, (t, v) in enumerate(zip(TEXTS, vectors, strict=True))
        ]
    )
    assert store.query(VectorStoreQuery(query_embedding=query, similarity_top_k=1)).ids == ["0"]


def test_chroma(prompted: Path, wanted: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    chromadb = pytest.importorskip("chromadb")
    from chromadb.config import Settings

    from embedforge.integrations.chroma import EmbedforgeEmbeddingFunction

    def open_client() -> object:
        return chromadb.PersistentClient(str(tmp_path), Settings(anonymized_telemetry=False))

    client = open_client()
    collection = client.create_collection(
        "texts", embedding_function=EmbedforgeEmbeddingFunction(str(prompted), {"threads": 1})
    )
    collection.add(ids=["a", "b", "c"], documents=TEXTS)
    kept = collection.get(include=["embeddings"])["embeddings"]
    assert np.allclose(kept, wanted[0], atol=1e-6)
    # The collection remembers its function.
    again = open_client().get_collection("texts")
    found = again.query(query_texts=["somebody makes music"], n_results=1)
    assert found["ids"] == [["a"]]
    assert found["distances"][0][0] == pytest.approx(1 - float(wanted[0][0] @ wanted[1]), abs=1e-5)


def sts_pairs() -> list[tuple[str, str, float]]:
    """EMBEDFORGE_STS (a CSV of sentence, sentence, score), or pairs made of the tests' sentences.

    The made scores say how many words two sentences share, which no model knows exactly: what is
    tested is that two encoders get the same figure, not that it is high.
    """
    path = os.environ.get("EMBEDFORGE_STS")
    if path:
        with Path(path).open(newline="", encoding="utf-8") as file:
            return [(a, b, float(score)) for a, b, score in csv.reader(file)]
    texts = sentences()[:240]
    pairs = []
    for i, a in enumerate(texts):
        b = texts[(i * 7 + 3) % len(texts)]
        left, right = set(a.lower().split()), set(b.lower().split())
        pairs.append((a, b, 5 * len(left & right) / len(left | right)))
    return pairs


def test_mteb(converted: Path, model_folder: Path) -> None:
    """mteb's own STS evaluator gives embedforge the Spearman of sentence-transformers, to 0.01 points of 100."""
    mteb = pytest.importorskip("mteb")
    import datasets
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata
    from sentence_transformers import SentenceTransformer

    from embedforge.integrations.mteb import EmbedforgeEncoder

    pairs = sts_pairs()

    class LocalSTS(AbsTaskSTS):
        metadata = TaskMetadata(
            name="LocalSTS",
            dataset={"path": "local/sts", "revision": "1"},
            description="Pairs on this machine",
            reference=None,
            type="STS",
            category="t2t",
            modalities=["text"],
            eval_splits=["validation"],
            eval_langs=["eng-Latn"],
            main_score="cosine_spearman",
            date=None,
            domains=None,
            task_subtypes=None,
            license=None,
            annotations_creators=None,
            dialect=None,
            sample_creation=None,
            bibtex_citation=None,
        )

        def load_data(self, *_: object, **__: object) -> None:
            a, b, scores = zip(*pairs, strict=True)
            columns = {"sentence1": list(a), "sentence2": list(b), "score": list(scores)}
            self.dataset = datasets.DatasetDict(validation=datasets.Dataset.from_dict(columns))
            self.data_loaded = True

    def spearman(model: object) -> float:
        result = mteb.evaluate(
            model, LocalSTS(), cache=None, overwrite_strategy="always", show_progress_bar=False
        )
        return float(result.task_results[0].get_score())

    ours = spearman(EmbedforgeEncoder(converted))
    theirs = spearman(SentenceTransformer(str(model_folder), device="cpu"))
    print(
        f"\nSpearman by mteb on {len(pairs)} pairs: embedforge {100 * ours:.4f}, sentence-transformers {100 * theirs:.4f}"
    )
    assert 100 * abs(ours - theirs) < 0.01
    assert ours > 0.2
