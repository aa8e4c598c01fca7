"""A small HTTP server around a Python embedding engine, as people write it: FastAPI, and a queue that batches what waits.

    python serve_peer_app.py ENGINE FOLDER PORT BATCH        ENGINE: fastembed, or the name of an .onnx file in FOLDER/onnx

One thread computes; a batch is whatever waits, up to BATCH texts, ordered by length so that little is padding.
Run by bench/serve_load.py in an environment with fastapi, uvicorn, orjson, onnxruntime, tokenizers and fastembed.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response

Encode = Callable[[list[str]], np.ndarray]
STEP = 8  # texts that are padded together


def onnxruntime_engine(folder: Path, name: str) -> Encode:
    import onnxruntime
    from tokenizers import Tokenizer

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "onnx" / name, options, providers=["CPUExecutionProvider"]
    )
    inputs = {one.name for one in session.get_inputs()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()

    def run(texts: list[str]) -> np.ndarray:
        encoded = tokenizer.encode_batch_fast(texts)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        feed = {"input_ids": np.array([one.ids for one in encoded], dtype=np.int64)}
        feed["attention_mask"] = mask
        if "token_type_ids" in inputs:
            feed["token_type_ids"] = np.zeros_like(mask)
        states = session.run(None, feed)[0]
        weights = mask[:, :, None].astype(np.float32)
        vectors = (states * weights).sum(1) / weights.sum(1)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return run


def fastembed_engine(folder: Path) -> Encode:
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="local/minilm",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(url="http://localhost/none"),
        dim=384,
        model_file="onnx/model.onnx",
    )
    model = TextEmbedding("local/minilm", specific_model_path=str(folder), threads=1)
    return lambda texts: np.stack(list(model.embed(texts, batch_size=len(texts))))


class Batcher:
    def __init__(self, encode: Encode, most: int) -> None:
        self.encode = encode
        self.most = most
        self.waiting: asyncio.Queue[tuple[str, asyncio.Future[np.ndarray]]] = asyncio.Queue()

    def compute(self, texts: list[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out: list[Any] = [None] * len(texts)
        for begin in range(0, len(order), STEP):
            part = order[begin : begin + STEP]
            for i, row in zip(part, self.encode([texts[i] for i in part]), strict=True):
                out[i] = row
        return np.stack(out)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self.waiting.get()]
            while len(batch) < self.most and not self.waiting.empty():
                batch.append(self.waiting.get_nowait())
            rows = await loop.run_in_executor(None, self.compute, [text for text, _ in batch])
            for (_, future), row in zip(batch, rows, strict=True):
                if not future.done():
                    future.set_result(row)


def main() -> None:
    engine, folder, port, batch = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    if engine == "fastembed":
        batcher = Batcher(fastembed_engine(folder), batch)
    else:
        batcher = Batcher(onnxruntime_engine(folder, engine), batch)
    app = FastAPI()
    tasks = set()

    @app.on_event("startup")
    async def start() -> None:
        tasks.add(asyncio.create_task(batcher.run()))

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {}

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> Response:
        asked = orjson.loads(await request.body())
        texts = asked["input"] if isinstance(asked["input"], list) else [asked["input"]]
        loop = asyncio.get_running_loop()
        futures = []
        for text in texts:
            future = loop.create_future()
            batcher.waiting.put_nowait((text, future))
            futures.append(future)
        data = [
            {"object": "embedding", "index": i, "embedding": await future}
            for i, future in enumerate(futures)
        ]
        body = {"object": "list", "data": data, "model": "minilm"}
        return Response(
            orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json"
        )

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
