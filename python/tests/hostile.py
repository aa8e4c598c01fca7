"""Clients that a server must bear: each function is one of them, and checks what the server may answer. Used by
test_serve_hostile.py for seconds and by bench/serve_soak.py for as long as one likes."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import struct
from collections.abc import Callable
from typing import Any

Address = tuple[str, int]
Hostile = Callable[[Address, random.Random], None]
HEAD = "POST /embed HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"


class Line:
    """A connection on which bytes are sent as they are."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: str | bytes) -> None:
        """What the server doesn't want any more is not an error: its answer tells."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def fill(self) -> bool:
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            return False
        self.buffer += data
        return bool(data)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, header and body of the next answer; status 0: the connection ended before it was whole."""
        while b"\r\n\r\n" not in self.buffer:
            if not self.fill():
                return 0, {}, b""
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines[1:])}
        length = int(headers.get("content-length", 0))
        while len(rest) < length:
            if not self.fill():
                return 0, {}, b""
            rest = self.buffer.partition(b"\r\n\r\n")[2]
        self.buffer = rest[length:]
        return int(lines[0].split()[1]), headers, rest[:length]

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def post(path: str, body: Any, *headers: str) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: t", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data


def expect(address: Address, request: str | bytes, *statuses: int) -> None:
    with Line(address) as line:
        line.send(request)
        status = line.answer()[0]
    assert status in statuses, (request[:200], status, statuses)


def hangs(address: Address, rng: random.Random) -> None:
    """Begins a header and says nothing more for a while."""
    with Line(address) as line:
        line.send(HEAD[: rng.randrange(len(HEAD))])
        line.socket.settimeout(rng.uniform(0.05, 0.5))
        with contextlib.suppress(TimeoutError):
            line.socket.recv(1)


def sends_half_a_body(address: Address, rng: random.Random) -> None:
    whole = post("/embed", {"inputs": ["a text"] * 20})
    with Line(address) as line:
        line.send(whole[: rng.randrange(1, len(whole))])
        if rng.random() < 0.5:
            line.reset()


def leaves_in_mid_answer(address: Address, rng: random.Random) -> None:
    with Line(address) as line:
        line.send(post("/embed", {"inputs": ["some text"] * rng.randrange(1, 60)}))
        if rng.random() < 0.5:
            line.socket.recv(rng.randrange(1, 1000))
        line.reset()


def sends_ten_megabytes(address: Address, rng: random.Random) -> None:
    expect(address, post("/embed", {"inputs": "x" * 10_000_000}), 413)


def sends_ten_megabytes_in_chunks(address: Address, rng: random.Random) -> None:
    with Line(address) as line:
        line.send(HEAD + "Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(160):
            line.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        line.send("0\r\n\r\n")
        assert line.answer()[0] == 413


def sends_no_json(address: Address, rng: random.Random) -> None:
    for body in (b"", b"{", b'{"inputs": }', b'{"inputs": "\xff\xfe"}', b"\x00" * 100, b"[" * 9):
        expect(address, post("/embed", body), 400, 422)


def nests_deeply(address: Address, rng: random.Random) -> None:
    for path in ("/embed", "/v1/embeddings", "/rerank", "/predict"):
        expect(address, post(path, b'{"inputs": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"), 400, 422)
        expect(address, post(path, b'{"a": ' * 10_000 + b"1" + b"}" * 10_000), 400, 422)


def sends_wrong_types(address: Address, rng: random.Random) -> None:
    bodies: tuple[Any, ...] = (
        [],
        7,
        None,
        {"inputs": 7},
        {"inputs": [[["a"]]]},
        {"inputs": "a", "normalize": "yes"},
        {"inputs": [-1]},
        {"inputs": []},
    )
    for body in bodies:
        expect(address, post("/embed", body), 400, 422)
    expect(address, post("/v1/embeddings", {"input": "a", "dimensions": -3}), 400, 422)


def smuggles(address: Address, rng: random.Random) -> None:
    hidden = "GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"
    for framing in (
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5 \r\nabcde\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\nabcde\r\n0\r\n\r\n",
        "X: a\r\n b: c\r\nContent-Length: 0\r\n\r\n",
        "X: a\nContent-Length: 0\r\n\r\n",
        "X: a\0b\r\nContent-Length: 0\r\n\r\n",
        "Host: t\r\nContent-Length: 0\r\n\r\n",
    ):
        with Line(address) as line:
            line.send(HEAD + framing + hidden)
            status, headers, _ = line.answer()
            assert status == 400 and headers["connection"] == "close", (framing, status)
            line.socket.shutdown(socket.SHUT_WR)
            assert line.answer()[0] == 0, framing


def sends_a_huge_header(address: Address, rng: random.Random) -> None:
    expect(address, HEAD + "X: " + "x" * 100_000, 431)


def floods(address: Address, rng: random.Random) -> None:
    """Requests without end on one connection, of which it reads some or none of the answers."""
    count = rng.randrange(20, 200)
    with Line(address) as line:
        line.send(b"".join(post("/embed", {"inputs": f"text {i}"}) for i in range(count)))
        for _ in range(rng.choice((0, 3, count))):
            assert line.answer()[0] in (200, 429)


def asks_for_what_is_not_there(address: Address, rng: random.Random) -> None:
    expect(address, post("/nowhere", {}), 404)
    expect(address, "GET /embed HTTP/1.1\r\nHost: t\r\n\r\n", 405)
    expect(address, post("/v1/embeddings", {"input": "a", "model": "not-here"}), 404)
    expect(address, "BREW / HTTP/1.1\r\nHost: t\r\n\r\n", 404, 405)


ALL: list[Hostile] = [
    hangs,
    sends_half_a_body,
    leaves_in_mid_answer,
    sends_ten_megabytes,
    sends_ten_megabytes_in_chunks,
    sends_no_json,
    nests_deeply,
    sends_wrong_types,
    smuggles,
    sends_a_huge_header,
    floods,
    asks_for_what_is_not_there,
]
