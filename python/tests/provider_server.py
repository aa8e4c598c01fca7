"""A server on the loopback that answers as each provider documents, and misbehaves when told to."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

KEY = "sk-test"
Embed = Callable[[list[str]], np.ndarray]


class ProviderServer:
    """`embed` makes the vectors. `trouble` holds what the next POSTs get instead: (status, headers, body), or "cut"."""

    def __init__(self, embed: Embed) -> None:
        self.trouble: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.max_client_batch_size = 7
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def answer(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                info = {
                    "model_id": "m",
                    "max_client_batch_size": owner.max_client_batch_size,
                    "max_input_length": 256,
                }
                self.answer(200 if self.path == "/info" else 404, info)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                authorization = self.headers.get("Authorization", "")
                owner.requests.append({"path": self.path, "key": authorization, "body": body})
                trouble = owner.trouble.pop(0) if owner.trouble else None
                if trouble == "cut":
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                    self.close_connection = True
                elif trouble is not None:
                    status, headers, answer = trouble
                    self.answer(status, answer, headers)
                else:
                    self.answer(*owner.respond(self.path, body, authorization, embed))

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def base_url(self, provider: str) -> str:
        return self.url + ("/v1" if provider in ("openai", "voyage") else "")

    def respond(
        self, path: str, body: dict[str, Any], authorization: str, embed: Embed
    ) -> tuple[int, Any] | tuple[int, Any, dict[str, str]]:
        if path == "/embed":  # text-embeddings-inference
            if len(body["inputs"]) > self.max_client_batch_size:
                count, most = len(body["inputs"]), self.max_client_batch_size
                message = f"batch size {count} > maximum allowed batch size {most}"
                return 422, {"error": message, "error_type": "Validation"}
            assert body["normalize"] is False
            tokens = str(sum(map(len, body["inputs"])))
            return 200, embed(body["inputs"]).tolist(), {"x-compute-tokens": tokens}
        if path == "/api/embed":  # Ollama
            if body["model"] != "m":
                return 404, {"error": f'model "{body["model"]}" not found, try pulling it first'}
            rows = embed(body["input"])
            return 200, {
                "model": "m",
                "embeddings": rows.tolist(),
                "total_duration": 14143917,
                "load_duration": 1019500,
                "prompt_eval_count": sum(map(len, body["input"])),
            }
        if authorization != f"Bearer {KEY}":
            return 401, {
                "error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}
            }
        if path == "/v2/embed":  # Cohere
            if len(body["texts"]) > 96:
                return 400, {"message": "invalid request: total number of texts must be at most 96"}
            assert body["input_type"] in ("search_document", "search_query")
            rows = embed(body["texts"]).tolist()
            return 200, {
                "id": "da6e531f",
                "embeddings": {"float": rows},
                "texts": body["texts"],
                "meta": {
                    "api_version": {"version": "2"},
                    "billed_units": {"input_tokens": sum(map(len, body["texts"]))},
                },
            }
        assert path == "/v1/embeddings", path  # OpenAI and Voyage
        rows = embed(body["input"])
        as_base64 = body.get("encoding_format") == "base64"
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": base64.b64encode(row.astype("<f4").tobytes()).decode()
                if as_base64
                else row.tolist(),
            }
            for i, row in enumerate(rows)
        ]
        tokens = sum(map(len, body["input"]))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        # The order is not promised; the index tells.
        return 200, {"object": "list", "data": data[::-1], "model": body["model"], "usage": usage}
