"""A local server that speaks the hub's protocol, and misbehaves where it is told to."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ID = "owner/name"


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub:
    """Files of one repository. `faults`: for a path of the repository (or "api"), what the next requests for it
    get instead: a status, ("cut", bytes), ("stall", bytes), ("wrong",) or ("retry", seconds). Large files are sent by another
    host, as a CDN does; `leaked` says whether that got a token."""

    def __init__(self, folder: Path, large: int = 4096) -> None:
        self.files = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        self.large = large  # files from that size on are in LFS
        self.gated_token: str | None = None
        self.ranges = True
        self.faults: dict[str, list[Any]] = {}
        self.requests: list[tuple[str, str, str]] = []  # method, path, range
        self.sent: Counter[str] = Counter()  # bytes of each file
        self.extra: list[dict[str, Any]] = []  # further entries of the listing
        self.leaked = False
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self.lock = threading.Lock()
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_GET  # noqa: N815

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.cdn = f"http://localhost:{self.server.server_port}/cdn/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def is_large(self, path: str) -> bool:
        return len(self.files[path]) >= self.large

    def etag(self, path: str) -> str:
        content = self.files[path]
        return hashlib.sha256(content).hexdigest() if self.is_large(path) else git_sha1(content)

    def next_fault(self, key: str) -> Any:
        with self.lock:
            left = self.faults.get(key)
            return left.pop(0) if left else None

    def listing(self) -> dict[str, Any]:
        siblings = []
        for path, content in self.files.items():
            entry: dict[str, Any] = {
                "rfilename": path,
                "size": len(content),
                "blobId": git_sha1(content),
            }
            if self.is_large(path):
                entry["lfs"] = {"sha256": self.etag(path), "size": len(content), "pointerSize": 130}
            siblings.append(entry)
        return {"id": ID, "modelId": ID, "sha": COMMIT, "siblings": siblings + self.extra}

    def tree(self) -> list[dict[str, Any]]:
        """The same in the form that newer versions of huggingface_hub ask for."""
        entries = []
        for path, content in self.files.items():
            entry: dict[str, Any] = {
                "type": "file",
                "path": path,
                "size": len(content),
                "oid": git_sha1(content),
            }
            if self.is_large(path):
                entry["lfs"] = {"oid": self.etag(path), "size": len(content), "pointerSize": 130}
            entries.append(entry)
        return entries

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(urlparse(request.path).path)
        with self.lock:
            self.requests.append((request.command, path, request.headers.get("Range", "")))
        authorized = request.headers.get("Authorization") == f"Bearer {self.gated_token}"
        if path.startswith("/cdn/"):
            self.leaked = self.leaked or request.headers.get("Authorization") is not None
            name = next(each for each in self.files if self.etag(each) == path[5:])
            self.send_file(request, name)
        elif self.gated_token is not None and not authorized:
            self.send(request, 401, b"{}", {"X-Error-Code": "GatedRepo"})
        elif path.startswith("/api/models/"):
            self.send_api(request, path)
        elif path.startswith(f"/{ID}/resolve/"):
            self.send_resolved(request, path.split("/", 5)[5])
        else:
            self.send(request, 404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def send_api(self, request: BaseHTTPRequestHandler, path: str) -> None:
        if self.refused(request, self.next_fault("api")):
            return
        if not path.startswith(f"/api/models/{ID}"):
            self.send(request, 404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif "/revision/" in path and path.split("/revision/")[1] not in ("main", "v1", COMMIT):
            self.send(request, 404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif "/tree/" in path:
            self.send(request, 200, json.dumps(self.tree()).encode())
        else:
            self.send(request, 200, json.dumps(self.listing()).encode())

    def send_resolved(self, request: BaseHTTPRequestHandler, name: str) -> None:
        if name not in self.files:
            self.send(request, 404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        etag = self.etag(name)
        size = len(self.files[name])
        if not self.is_large(name):
            self.send_file(request, name)
            return
        headers = {
            "X-Repo-Commit": COMMIT,
            "X-Linked-Etag": f'"{etag}"',
            "X-Linked-Size": str(size),
            "ETag": '"of the redirect"',
            "Location": self.cdn + etag,
        }
        self.send(request, 302, b"", headers)

    def send_file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        content = self.files[name]
        fault = None if request.command == "HEAD" else self.next_fault(name)
        if self.refused(request, fault):
            return
        kind, amount = (*fault, 0)[:2] if fault else ("", 0)
        if kind == "wrong":
            content = bytes(byte ^ 1 for byte in content)
        headers = {
            "ETag": f'"{self.etag(name)}"',
            "X-Repo-Commit": COMMIT,
            "Accept-Ranges": "bytes",
        }
        status, begin, end = 200, 0, len(content)
        wanted = request.headers.get("Range", "")
        if wanted.startswith("bytes=") and self.ranges:
            first, last = wanted[6:].split("-")
            begin = int(first)
            end = min(end, int(last) + 1 if last else end)
            status = 206
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
        body = content[begin:end]
        cut = amount if kind in ("cut", "stall") else None
        with self.lock:  # before the client has it and looks
            self.sent[name] += len(body) if cut is None else cut
        self.send(request, status, body, headers, cut, kind == "stall")

    def refused(self, request: BaseHTTPRequestHandler, fault: Any) -> bool:
        if isinstance(fault, int):
            self.send(request, fault, b"broken")
        elif fault and fault[0] == "retry":
            self.send(request, 429, b"slow down", {"Retry-After": str(fault[1])})
        else:
            return False
        return True

    def send(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        cut: int | None = None,
        stall: bool = False,
    ) -> None:
        request.send_response(status)
        for name, value in (headers or {}).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command == "HEAD":
            return
        request.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            request.wfile.flush()
            if stall:
                self.stalled.set()
                self.go_on.wait(60)
            request.close_connection = True
            request.connection.close()
