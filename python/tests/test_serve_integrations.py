"""The clients that weigh more, and schemathesis: ./dev test --integrations, in build/venv-integrations."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving import NAME, QUERY, get, serving
from serving import SERVED as TEXTS
from test_serve_clients import check_ranks, same

if os.environ.get("EMBEDFORGE_INTEGRATIONS") != "1":
    pytest.skip("./dev test --integrations runs these", allow_module_level=True)

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    """HF_HUB_OFFLINE is for the tests' models, not for the server on this machine."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def test_langchain_openai(server: str, served: np.ndarray) -> None:
    import openai
    from langchain_openai import OpenAIEmbeddings

    texts = {"base_url": server + "/v1", "api_key": "none", "model": NAME, "max_retries": 0}
    plain = OpenAIEmbeddings(**texts, check_embedding_ctx_length=False)
    same(plain.embed_documents(TEXTS), served)
    same(plain.embed_query(TEXTS[0]), served[0])
    # Its default sends ids of OpenAI's vocabulary.
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        langchain_default(texts).embed_documents(TEXTS)


def table() -> Path:
    """tiktoken's table cl100k, which llama-index-core brings."""
    import llama_index.core

    folder = Path(llama_index.core.__file__).parent / "_static" / "tiktoken_cache"
    return next(path for path in folder.iterdir() if path.name.startswith("9b5ad71b"))


def langchain_default(settings: dict[str, Any]) -> Any:
    from langchain_openai import OpenAIEmbeddings

    os.environ["TIKTOKEN_CACHE_DIR"] = str(table().parent)
    return OpenAIEmbeddings(**settings)


@pytest.fixture
def decoding(converted: Path, tmp_path: Path) -> Iterator[str]:
    flags = ("--alias", f"{NAME}=minilm", "--openai-token-ids", f"cl100k:{table()}")
    with serving(tmp_path / "log", converted, *flags) as url:
        yield url


def test_langchain_openai_with_the_table(decoding: str, served: np.ndarray) -> None:
    settings = {"base_url": decoding + "/v1", "api_key": "none", "model": NAME}
    same(langchain_default(settings).embed_documents(TEXTS), served)


def test_langchain_ollama(server: str, served: np.ndarray) -> None:
    from langchain_ollama import OllamaEmbeddings

    embeddings = OllamaEmbeddings(model=NAME, base_url=server, validate_model_on_init=True)
    same(embeddings.embed_documents(TEXTS), served)
    same(embeddings.embed_query(TEXTS[0]), served[0])


def test_llama_index(server: str, served: np.ndarray) -> None:
    from llama_index.embeddings.text_embeddings_inference import TextEmbeddingsInference

    client = TextEmbeddingsInference(model_name=NAME, base_url=server, auth_token="bare")
    same(client.get_text_embedding_batch(TEXTS), served)
    same(client.get_query_embedding(TEXTS[0]), served[0])


def test_litellm(
    server: str,
    served: np.ndarray,
    ranked: list[tuple[int, float]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    settings: dict[str, Any] = {"api_key": "none", "max_retries": 0}
    for model, base in (
        (f"openai/{NAME}", server + "/v1"),
        (f"hosted_vllm/{NAME}", server + "/v1"),
        (f"ollama/{NAME}", server),
        (f"voyage/{NAME}", server + "/v1"),
        (f"jina_ai/{NAME}", server + "/v1"),
        (f"infinity/{NAME}", server),
        (f"cohere/{NAME}", server + "/v2/embed"),
    ):
        extra = {"input_type": "search_document"} if model.startswith("cohere") else {}
        answer = litellm.embedding(model=model, input=TEXTS, api_base=base, **settings, **extra)
        rows = [each["embedding"] for each in answer.data]
        same(rows, served)
    for model, base in (
        ("hosted_vllm/reranker", server),
        ("infinity/reranker", server),
        ("huggingface/reranker", server),
        ("cohere/reranker", server),
        ("jina_ai/reranker", server + "/v1/rerank"),
        ("voyage/reranker", server + "/v1/rerank"),
    ):
        # infinity has the documents in another shape than vLLM on the same path.
        shows = not model.startswith("infinity")
        answer = litellm.rerank(
            model=model,
            query=QUERY,
            documents=TEXTS,
            top_n=3,
            return_documents=shows,
            api_base=base,
            **settings,
        )
        found = [(each["index"], each["relevance_score"]) for each in answer.results]
        check_ranks(found, ranked)


def test_haystack_openai(server: str, served: np.ndarray) -> None:
    from haystack import Document
    from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
    from haystack.utils import Secret

    settings = {"api_base_url": server + "/v1", "model": NAME, "api_key": Secret.from_token("none")}
    same(OpenAITextEmbedder(**settings).run(TEXTS[0])["embedding"], served[0])
    documents = [Document(content=text) for text in TEXTS]
    found = OpenAIDocumentEmbedder(**settings).run(documents)["documents"]
    same([each.embedding for each in found], served)


def test_haystack_huggingface(
    server: str, served: np.ndarray, ranked: list[tuple[int, float]]
) -> None:
    from haystack import Document
    from haystack_integrations.components.embedders.huggingface_api import (
        HuggingFaceAPIDocumentEmbedder,
        HuggingFaceAPITextEmbedder,
    )
    from haystack_integrations.components.rankers.huggingface_api import HuggingFaceTEIRanker

    settings: dict[str, Any] = {
        "api_type": "text_embeddings_inference",
        "api_params": {"url": server},
        "token": None,
    }
    raw = np.asarray(HuggingFaceAPITextEmbedder(**settings).run(TEXTS[0])["embedding"])
    same(raw / np.linalg.norm(raw), served[0])  # its default is normalize=False
    settings["normalize"] = True
    same(HuggingFaceAPITextEmbedder(**settings).run(TEXTS[0])["embedding"], served[0])
    documents = [Document(content=text) for text in TEXTS]
    found = HuggingFaceAPIDocumentEmbedder(**settings).run(documents)["documents"]
    same([each.embedding for each in found], served)
    ranks = HuggingFaceTEIRanker(url=server, top_k=3, token=None).run(QUERY, documents)
    assert [each.content for each in ranks["documents"]] == [TEXTS[i] for i, _ in ranked]


def test_schemathesis(server: str, tmp_path: Path) -> None:
    """Requests made of the OpenAPI document, right and wrong ones: every answer is as it says."""
    assert get(server + "/openapi.json")["openapi"] == "3.1.0"
    program = Path(sys.executable).parent / "schemathesis"
    done = subprocess.run(
        [
            program,
            "--config-file",
            ROOT / "python/tests/schemathesis.toml",
            "run",
            server + "/openapi.json",
            "--max-examples",
            os.environ.get("SCHEMATHESIS_EXAMPLES", "50"),
            "--seed",
            "7",
            "--no-color",
        ],
        capture_output=True,
        text=True,
        timeout=800,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20000:]
    assert re.search(r"\b(\d+) generated, \1 passed", done.stdout), done.stdout[-3000:]
