"""Unmodified clients of other people against a running server; vectors are the library's. docs/serve-clients.md lists
them; those that weigh more are in test_serve_integrations.py."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import embedforge
from serving import LABELS, NAME, QUERY, get, post
from serving import SERVED as TEXTS


def check_ranks(found: list[tuple[int, float]], ranked: list[tuple[int, float]]) -> None:
    assert [index for index, _ in found] == [index for index, _ in ranked]
    scores = [score for _, score in found]
    np.testing.assert_allclose(scores, [score for _, score in ranked], atol=1e-5)


def same(found: object, served: np.ndarray) -> None:
    np.testing.assert_allclose(np.asarray(found, np.float32), served, atol=1e-6)


def int8_of(vectors: np.ndarray) -> np.ndarray:
    """The server's int8: steps of 8 / (127 sqrt(dimensions))."""
    scale = min(8 / np.sqrt(vectors.shape[1]), 1) / 127
    return np.clip(np.rint(vectors / scale), -127, 127).astype(np.int8)


def near_int8(found: object, served: np.ndarray) -> None:
    assert np.abs(np.asarray(found, np.int32) - int8_of(served)).max() <= 1


def test_openai(server: str, served: np.ndarray) -> None:
    import openai

    client = openai.OpenAI(base_url=server + "/v1", api_key="none", max_retries=0)
    answer = client.embeddings.create(model=NAME, input=TEXTS)
    same([each.embedding for each in answer.data], served)
    assert answer.usage.total_tokens > 3 * len(TEXTS)
    answer = client.embeddings.create(model=NAME, input=TEXTS, encoding_format="float")
    same([each.embedding for each in answer.data], served)
    short = served[:, :64] / np.linalg.norm(served[:, :64], axis=1, keepdims=True)
    answer = client.embeddings.create(model=NAME, input=TEXTS, dimensions=64)
    same([each.embedding for each in answer.data], short)
    assert client.models.retrieve(NAME).id == NAME
    assert NAME in [each.id for each in client.models.list()]
    with pytest.raises(openai.NotFoundError, match="text-embedding-3-large") as missing:
        client.embeddings.create(model="text-embedding-3-large", input="a")
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        client.embeddings.create(model=NAME, input=[[9906, 1917]])
    with pytest.raises(openai.UnprocessableEntityError) as wrong:
        client.embeddings.create(model=NAME, input="a", dimensions=385)
    assert wrong.value.param == "dimensions"


def test_openai_takes_the_models_own_token_ids(
    server: str, embedder: embedforge.Embedder, served: np.ndarray
) -> None:
    import openai

    client = openai.OpenAI(base_url=server + "/v1", api_key="none")
    ids = [embedder.tokenize(text)["ids"] for text in TEXTS]
    answer = client.embeddings.create(model=NAME, input=ids)
    same([each.embedding for each in answer.data], served)


def test_openai_for_node(server: str, served: np.ndarray) -> None:
    """What its openai package sends and reads, in plain fetch: base64 of float32, and body.error."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node")
    script = """
      const [url, model, ...texts] = process.argv.slice(1);
      const call = async (body) => {
        const answer = await fetch(url + "/v1/embeddings", {method: "POST",
          headers: {"content-type": "application/json", accept: "application/json",
                    authorization: "Bearer none", "x-stainless-lang": "js"},
          body: JSON.stringify(body)});
        return {status: answer.status, body: await answer.json()};
      };
      const floats = (text) => Array.from(new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer));
      const good = await call({model, input: texts, encoding_format: "base64"});
      const bad = await call({model: "nobody", input: "a", encoding_format: "base64"});
      console.log(JSON.stringify({vectors: good.body.data.map((each) => floats(each.embedding)),
                                  status: bad.status, error: bad.body.error}));
    """
    done = subprocess.run(
        [node, "--input-type=module", "-e", script, server, NAME, *TEXTS],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer = json.loads(done.stdout)
    same(answer["vectors"], served)
    assert answer["status"] == 404 and answer["error"]["code"] == "model_not_found"


def test_huggingface_hub(
    server: str,
    embedder: embedforge.Embedder,
    served: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from huggingface_hub import InferenceClient

    # The tests' models come from a cache, which this setting of it has nothing to do with.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    client = InferenceClient(server)
    same(client.feature_extraction(TEXTS[0]), served[:1])
    same(client.feature_extraction(TEXTS[0], normalize=True, truncate=True), served[:1])
    same(client.feature_extraction(TEXTS[0], truncation_direction="left"), served[:1])
    found = client.sentence_similarity(QUERY, TEXTS)
    same(found, served @ embedder.encode(QUERY))


def test_ollama(server: str, served: np.ndarray) -> None:
    import ollama

    client = ollama.Client(server)
    answer = client.embed(NAME, TEXTS)
    same(answer.embeddings, served)
    assert answer.prompt_eval_count > 0 and answer.total_duration > 0
    same(client.embed(NAME, TEXTS[0]).embeddings, served[:1])
    old = np.asarray(client.embeddings(NAME, TEXTS[0]).embedding)
    same(old / np.linalg.norm(old), served[0])
    assert client.embed(NAME, "").embeddings == []
    names = [each.model for each in client.list().models]
    assert NAME + ":latest" in names
    shown = client.show(NAME)
    assert shown.modelinfo["bert.embedding_length"] == served.shape[1]
    assert shown.capabilities == ["embedding"]
    assert len(client.ps().models) == 3
    with pytest.raises(ollama.ResponseError, match="not found") as missing:
        client.embed("nobody", "a")
    assert missing.value.status_code == 404


def test_cohere(server: str, served: np.ndarray, ranked: list[tuple[int, float]]) -> None:
    import cohere

    client = cohere.ClientV2("none", base_url=server)
    kinds = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    answer = client.embed(
        model=NAME, texts=TEXTS, input_type="search_document", embedding_types=kinds
    )
    same(answer.embeddings.float_, served)
    near_int8(answer.embeddings.int8, served)
    near_int8(np.asarray(answer.embeddings.uint8) - 128, served)
    bits = np.packbits(served > 0, axis=1)
    assert (np.asarray(answer.embeddings.ubinary) == bits).all()
    assert (np.asarray(answer.embeddings.binary) == bits.astype(int) - 128).all()
    plain = client.embed(model=NAME, texts=TEXTS, input_type="classification")
    same(plain.embeddings.float_, served)
    found = client.rerank(model="reranker", query=QUERY, documents=TEXTS, top_n=2)
    check_ranks([(each.index, each.relevance_score) for each in found.results], ranked[:2])
    with pytest.raises(cohere.NotFoundError, match="nobody"):
        client.embed(model="nobody", texts=["a"], input_type="search_query")


def test_voyageai(server: str, served: np.ndarray, ranked: list[tuple[int, float]]) -> None:
    import voyageai

    client = voyageai.Client(api_key="none", base_url=server + "/v1", max_retries=0)
    answer = client.embed(TEXTS, model=NAME, input_type="document")
    same(answer.embeddings, served)
    assert answer.total_tokens > 0
    near_int8(client.embed(TEXTS, model=NAME, output_dtype="int8").embeddings, served)
    found = client.embed(TEXTS, model=NAME, output_dtype="ubinary", truncation=False)
    assert (np.asarray(found.embeddings) == np.packbits(served > 0, axis=1)).all()
    ranks = client.rerank(QUERY, TEXTS, model="reranker", top_k=3)
    check_ranks([(each.index, each.relevance_score) for each in ranks.results], ranked)
    with pytest.raises(voyageai.error.VoyageError, match="nobody"):
        client.embed(TEXTS, model="nobody")


def test_chroma(server: str, served: np.ndarray) -> None:
    from chromadb.utils.embedding_functions import HuggingFaceEmbeddingServer

    same(HuggingFaceEmbeddingServer(url=server + "/embed")(TEXTS), served)


def test_jina(server: str, served: np.ndarray, ranked: list[tuple[int, float]]) -> None:
    """Its requests as documented; it has no client package."""
    body = {
        "model": NAME,
        "task": "retrieval.passage",
        "dimensions": 384,
        "late_chunking": False,
        "embedding_type": "base64",
        "input": [{"text": text} for text in TEXTS],
    }
    status, answer = post(server + "/v1/embeddings", body, authorization="Bearer none")
    assert status == 200
    rows = [np.frombuffer(base64.b64decode(each["embedding"]), "<f4") for each in answer["data"]]
    same(rows, served)
    status, refused = post(server + "/v1/embeddings", body | {"late_chunking": True})
    assert status == 422 and "late_chunking" in refused["detail"]
    body = {"model": "reranker", "query": QUERY, "documents": TEXTS, "return_documents": True}
    status, answer = post(server + "/v1/rerank", body)
    assert status == 200
    check_ranks([(each["index"], each["relevance_score"]) for each in answer["results"]], ranked)
    assert answer["results"][0]["document"]["text"] == TEXTS[ranked[0][0]]


def test_text_embeddings_inference(
    server: str,
    embedder: embedforge.Embedder,
    served: np.ndarray,
    ranked: list[tuple[int, float]],
    heads: dict[str, Path],
) -> None:
    """Dify's, Elasticsearch's and Milvus' requests: they have no client that runs by itself."""
    info = get(server + "/info")
    assert next(iter(info["model_type"])) == "embedding"
    assert info["max_input_length"] == 256 and info["max_client_batch_size"] == 2048
    assert post(server + "/embed", {"inputs": TEXTS})[0] == 200
    same(post(server + "/embed", {"inputs": TEXTS})[1], served)
    raw = post(server + "/embed", {"inputs": TEXTS, "normalize": False})[1]
    same(np.asarray(raw) / np.linalg.norm(raw, axis=1, keepdims=True), served)
    status, tokens = post(server + "/tokenize", {"inputs": TEXTS})
    assert status == 200
    for text, given in zip(TEXTS, tokens, strict=True):
        assert [each["id"] for each in given] == embedder.tokenize(text)["ids"]
        inner = [each for each in given if not each["special"]]
        assert all(text[each["start"] : each["stop"]] == each["text"] for each in inner)
    ids = [[each["id"] for each in given] for given in tokens]
    same(post(server + "/embed", {"inputs": ids})[1], served)
    assert post(server + "/decode", {"ids": ids})[1][2] == "rates"
    of_tokens = post(server + "/embed_all", {"inputs": TEXTS})[1]
    assert [len(each) for each in of_tokens] == [len(each) for each in ids]
    pooled = np.array([np.mean(each, axis=0) for each in of_tokens])
    same(pooled / np.linalg.norm(pooled, axis=1, keepdims=True), served)
    body = {"query": QUERY, "texts": TEXTS, "return_text": True, "top_n": 3}
    found = post(server + "/rerank", body)[1]
    check_ranks([(each["index"], each["score"]) for each in found], ranked)
    assert found[0]["text"] == TEXTS[ranked[0][0]]
    assert post(server + "/models/reranker/rerank", body)[1] == found
    assert post(server + "/embed_sparse", {"inputs": "a"})[0] == 424
    assert post(server + "/rerank", body | {"model": NAME})[0] == 424
    vertex = post(server + "/vertex", {"instances": [{"inputs": text} for text in TEXTS]})[1]
    same([each[0] for each in vertex["predictions"]], served)
    same(post(server + "/invocations", {"inputs": TEXTS})[1], served)


def test_predict(server: str, heads: dict[str, Path]) -> None:
    """Labels as transformers' pipeline gives them."""
    import torch
    import transformers

    folder = heads["classifier"].parent / "checkpoints" / "classifier"
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with torch.no_grad():
        one = model(**tokenizer(TEXTS[0], return_tensors="pt")).logits.softmax(-1)[0].numpy()
        pair = model(**tokenizer(*TEXTS[:2], return_tensors="pt")).logits[0].numpy()
    found = post(server + "/predict", {"inputs": TEXTS[0]})[1]
    assert [each["label"] for each in found] == [LABELS[i] for i in np.argsort(-one)]
    np.testing.assert_allclose([each["score"] for each in found], np.sort(one)[::-1], atol=1e-5)
    body = {"inputs": [[TEXTS[0]], TEXTS[:2]], "raw_scores": True}
    found = post(server + "/predict", body)[1][1]
    np.testing.assert_allclose([each["score"] for each in found], np.sort(pair)[::-1], atol=1e-4)


def test_weaviate(server: str, served: np.ndarray) -> None:
    """Its module's requests to the container: they can't be had without a database."""
    assert get(server + "/.well-known/ready") == get(server + "/.well-known/live") == 204
    assert get(server + "/meta")["model_path"]
    config = {"pooling_strategy": "masked_mean", "task_type": "passage"}
    status, answer = post(server + "/vectors/", {"text": TEXTS[0], "config": config})
    assert status == 200 and answer["dim"] == served.shape[1]
    same(answer["vector"], served[0])
