"""Code written for sentence-transformers, with the import changed, gives its results."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import numpy as np
import pytest
import sentence_transformers
import torch

import embedforge
from embedforge import CrossEncoder, SentenceTransformer, util
from serving import write_classifier
from texts import sentences

CORPUS = [
    "A man is eating food.",
    "A man is eating a piece of bread.",
    "The girl is carrying a baby.",
    "A man is riding a horse.",
    "A woman is playing violin.",
    "Two men pushed carts through the woods.",
    "A man is riding a white horse on an enclosed ground.",
    "A monkey is playing drums.",
    "A cheetah is running behind its prey.",
]
QUERIES = ["A man is eating pasta.", "Someone in a gorilla costume is playing a set of drums."]


@pytest.fixture(scope="module")
def theirs(model_folder: Path) -> sentence_transformers.SentenceTransformer:
    return sentence_transformers.SentenceTransformer(str(model_folder), device="cpu")


@pytest.fixture(scope="module")
def ours(converted: Path) -> SentenceTransformer:
    return SentenceTransformer(converted)


def near(found: object, wanted: object) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), atol=2e-6, rtol=1e-5)


def test_embeddings(ours: SentenceTransformer, theirs: object) -> None:
    vectors = ours.encode(CORPUS)
    near(vectors, theirs.encode(CORPUS))  # type: ignore[attr-defined]
    near(ours.encode(CORPUS[0]), vectors[0])
    near(ours.similarity(vectors, vectors), theirs.similarity(vectors, vectors))  # type: ignore[attr-defined]
    pairs = theirs.similarity_pairwise(vectors, vectors[::-1].copy())  # type: ignore[attr-defined]
    near(ours.similarity_pairwise(vectors, vectors[::-1]), pairs)
    assert ours.get_sentence_embedding_dimension() == 384 and ours.max_seq_length == 256


def test_every_argument_of_encode(ours: SentenceTransformer, theirs: object) -> None:
    options = {
        "prompt": "about: ",
        "batch_size": 2,
        "show_progress_bar": False,
        "normalize_embeddings": True,
        "truncate_dim": 128,
        "device": "cpu",
    }
    near(ours.encode(CORPUS, **options), theirs.encode(CORPUS, **options))  # type: ignore[attr-defined]
    tensor = ours.encode(CORPUS, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor) and tensor.shape == (9, 384)
    assert isinstance(ours.encode(CORPUS, convert_to_numpy=False), list)
    pool = ours.start_multi_process_pool()
    near(ours.encode(CORPUS, pool=pool), ours.encode(CORPUS))
    ours.stop_multi_process_pool(pool)
    with pytest.raises(embedforge.UsageError, match="device='cuda'"):
        ours.encode(CORPUS, device="cuda")
    with pytest.raises(embedforge.UsageError, match="output_value='words'"):
        ours.encode(CORPUS, output_value="words")
    with pytest.raises(TypeError, match="dicts"):
        ours.encode([{"text": "x"}])


def test_token_embeddings(ours: SentenceTransformer, theirs: object) -> None:
    found = ours.encode(CORPUS, output_value="token_embeddings")
    wanted = theirs.encode(CORPUS, output_value="token_embeddings")  # type: ignore[attr-defined]
    for each, other in zip(found, wanted, strict=True):
        near(each, other)
    both = ours.encode(CORPUS[0], output_value=None)
    near(both["token_embeddings"], wanted[0])
    near(both["sentence_embedding"], ours.encode(CORPUS[0]))


def test_prompts_given_at_load(converted: Path, theirs: object) -> None:
    prompts = {"query": "query: ", "passage": "passage: "}
    model = SentenceTransformer(converted, prompts=prompts, default_prompt_name="passage")
    near(model.encode(CORPUS), theirs.encode(CORPUS, prompt="passage: "))  # type: ignore[attr-defined]
    wanted = theirs.encode(QUERIES, prompt="query: ")  # type: ignore[attr-defined]
    near(model.encode(QUERIES, prompt_name="query"), wanted)
    near(model.encode_query(QUERIES), wanted)


def test_semantic_search(ours: SentenceTransformer) -> None:
    corpus, queries = ours.encode(CORPUS), ours.encode(QUERIES)
    found = util.semantic_search(queries, corpus, top_k=5, corpus_chunk_size=4)
    wanted = sentence_transformers.util.semantic_search(queries, corpus, top_k=5)
    for each, other in zip(found, wanted, strict=True):
        assert [hit["corpus_id"] for hit in each] == [hit["corpus_id"] for hit in other]
        near([hit["score"] for hit in each], [hit["score"] for hit in other])


def test_paraphrase_mining_of_a_thousand(ours: SentenceTransformer) -> None:
    texts = (sentences() * 10)[:500]
    texts += [f"{text} {i}" for i, text in enumerate(texts)]
    vectors = ours.encode(texts)
    mine = sentence_transformers.util.paraphrase_mining_embeddings
    wanted = mine(torch.from_numpy(vectors), top_k=5, max_pairs=200)
    found = util.paraphrase_mining_embeddings(vectors, top_k=5, max_pairs=200)
    near([score for score, _, _ in found], [score for score, _, _ in wanted])
    same = util.paraphrase_mining(ours, texts, top_k=5, max_pairs=200)
    assert [pair[1:] for pair in same] == [pair[1:] for pair in found]


@pytest.mark.parametrize("name", ["cosine", "dot", "euclidean", "manhattan"])
def test_similarity_functions(name: str) -> None:
    a, b = np.random.default_rng(1).standard_normal((2, 5, 7), np.float32)
    theirs = sentence_transformers.util.similarity.SimilarityFunction
    each, pairs = embedforge.vectors.SIMILARITIES[name]
    near(each(a, b), theirs.to_similarity_fn(name)(a, b))
    near(pairs(a, b), theirs.to_similarity_pairwise_fn(name)(a, b))


def test_cross_encoder(model_folder: Path, tmp_path: Path) -> None:
    write_classifier(tmp_path / "checkpoint", model_folder, ["LABEL_0"])
    embedforge.convert(tmp_path / "checkpoint", tmp_path / "reranker")
    ours = CrossEncoder(tmp_path / "reranker")
    theirs = sentence_transformers.CrossEncoder(str(tmp_path / "checkpoint"), device="cpu")
    pairs = [(query, text) for query in QUERIES for text in CORPUS]
    near(ours.predict(pairs), theirs.predict(pairs))
    near(ours.predict(pairs[0]), theirs.predict(pairs[0]))
    found = ours.rank(QUERIES[0], CORPUS, top_k=4, return_documents=True)
    wanted = theirs.rank(QUERIES[0], CORPUS, top_k=4, return_documents=True)
    assert [each["corpus_id"] for each in found] == [each["corpus_id"] for each in wanted]
    assert [each["text"] for each in found] == [each["text"] for each in wanted]
    near([each["score"] for each in found], [each["score"] for each in wanted])


def test_pickles_and_awaits(converted: Path) -> None:
    embedder = embedforge.Embedder(converted, threads=1, max_length=32)
    again = pickle.loads(pickle.dumps(embedder))
    assert again.threads == 1 and again.max_length == 32
    assert np.array_equal(again.encode(CORPUS), embedder.encode(CORPUS))
    assert np.array_equal(asyncio.run(embedder.aencode(CORPUS)), embedder.encode(CORPUS))
    assert "384 dimensions" in repr(embedder)


def test_a_checkpoint_is_enough(model_folder: Path, tmp_path: Path) -> None:
    """Without an .onnx file it is converted into the cache, with one line on stderr, once."""
    import os
    import subprocess
    import sys

    code = "import sys, embedforge; embedforge.Embedder(sys.argv[1]).encode('x')"
    environment = {**os.environ, "EMBEDFORGE_CACHE": str(tmp_path)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code, name],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stderr
        for name in ("sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2")
    ]
    assert said[0].count("\n") == 1 and "converted its checkpoint to ONNX" in said[0]
    assert said[1] == ""
    assert not (model_folder / "onnx").exists()
