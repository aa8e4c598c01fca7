"""Runs `embedforge serve` for a long time among clients that ask well and clients that don't, and watches its memory.

    bench/serve_soak.py MODEL --minutes 30
    bench/serve_soak.py MODEL --idle-connections 10000

The first prints the server's memory over time and fails when it isn't flat within 5 % after the first sixth of the time, when a
good request isn't answered with the right vectors, or when a hostile one is answered wrongly. The second shows the memory of a
connection that is kept alive, and what a request on another one takes meanwhile.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "python" / "tests"))
import hostile  # noqa: E402

TEXTS = [
    f"{what} {i}" for i in range(20) for what in ("a guitar", "rain", "a train at night " * 20)
]
TOLERANCE = 0.05


def memory(pid: int) -> int:
    """Resident bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the server has ended")


class Server:
    def __init__(self, cli: Path, model: str, log: Path, *flags: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [str(cli), "serve", model, "--port", str(port), *flags]
        self.process = subprocess.Popen(command, stdout=log.open("wb"), stderr=subprocess.STDOUT)
        self.address = ("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        while True:
            try:
                urllib.request.urlopen(self.url + "/readyz", timeout=5).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    sys.exit(f"the server didn't start: {log.read_text()}")
                time.sleep(0.01)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        if status != 0:
            sys.exit(f"the server ended with status {status}")


def library_vectors(cli: Path, model: str) -> list[list[float]]:
    done = subprocess.run(
        [str(cli), "encode", model, *TEXTS, "--output", "-"], check=True, capture_output=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [row["embedding"] if isinstance(row, dict) else row for row in rows]


class Soak:
    def __init__(self, server: Server, wanted: list[list[float]]) -> None:
        self.server, self.wanted = server, wanted
        self.ends = threading.Event()
        self.lock = threading.Lock()
        self.counts: dict[str, int] = {}
        self.failures: list[str] = []

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def fail(self, what: str) -> None:
        with self.lock:
            self.failures.append(what)
        self.ends.set()

    def be_good(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self.ends.is_set():
            with hostile.Line(self.server.address) as line:
                for _ in range(rng.randrange(1, 200)):
                    if self.ends.is_set():
                        return
                    self.ask(line, rng)

    def ask(self, line: hostile.Line, rng: random.Random) -> None:
        chosen = [rng.randrange(len(TEXTS)) for _ in range(rng.choice((1, 1, 2, 16)))]
        texts = [TEXTS[i] for i in chosen]
        if rng.random() < 0.5:
            line.send(hostile.post("/embed", {"inputs": texts}))
        else:
            line.send(hostile.post("/v1/embeddings", {"input": texts}))
        status, _, body = line.answer()
        if status == 200 and self.is_right(json.loads(body), chosen):
            self.count("good, answered right")
        elif status == 429:
            self.count("good, told to wait")
        elif status == 200:
            self.fail(f"other vectors of {texts}")
        else:
            self.fail(f"a good request was answered {status} {body[:200]!r}")

    def is_right(self, answer: Any, chosen: list[int]) -> bool:
        rows = [one["embedding"] for one in answer["data"]] if isinstance(answer, dict) else answer
        return len(rows) == len(chosen) and all(
            abs(a - b) <= 1e-6
            for row, i in zip(rows, chosen, strict=True)
            for a, b in zip(row, self.wanted[i], strict=True)
        )

    def be_hostile(self, seed: int) -> None:
        rng = random.Random(seed)
        while not self.ends.is_set():
            one = rng.choice(hostile.ALL)
            self.ends.wait(rng.uniform(0, 0.1))  # the good ones shall have their turn as well
            try:
                one(self.server.address, rng)
                self.count(one.__name__)
            except Exception as error:
                self.fail(f"{one.__name__}: {error!r}")

    def run(self, seconds: float) -> list[int]:
        """The memory at each of 60 moments."""
        threads = [threading.Thread(target=self.be_good, args=(seed,)) for seed in range(4)]
        threads += [threading.Thread(target=self.be_hostile, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        sizes = []
        begin = time.monotonic()
        for moment in range(60):
            self.ends.wait(max(0.0, begin + (moment + 1) * seconds / 60 - time.monotonic()))
            if self.ends.is_set():
                break
            sizes.append(memory(self.server.process.pid))
            print(f"{(moment + 1) * seconds / 60:7.0f} s {sizes[-1] / 1e6:8.1f} MB", flush=True)
        self.ends.set()
        for thread in threads:
            thread.join()
        return sizes


def soak(server: Server, wanted: list[list[float]], seconds: float) -> None:
    run = Soak(server, wanted)
    sizes = run.run(seconds)
    for what, count in sorted(run.counts.items()):
        print(f"{count:8} {what}")
    server.stop()
    if run.failures:
        sys.exit("failed: " + "; ".join(run.failures[:5]))
    settled = sizes[10:]
    first, last = statistics.mean(settled[:10]), statistics.mean(settled[-10:])
    print(
        f"memory at first {first / 1e6:.1f} MB, at last {last / 1e6:.1f} MB: {last / first - 1:+.1%}"
    )
    if last > first * (1 + TOLERANCE):
        sys.exit("failed: the memory isn't flat")


def request_times(server: Server, count: int) -> list[float]:
    times = []
    with hostile.Line(server.address) as line:
        for _ in range(count):
            begin = time.perf_counter()
            line.send(hostile.post("/embed", {"inputs": "a short text"}))
            assert line.answer()[0] == 200
            times.append(time.perf_counter() - begin)
    return times


def idle(server: Server, count: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before_times = request_times(server, 500)
    before = memory(server.process.pid)
    lines = []
    for _ in range(count):
        line = hostile.Line(server.address)
        line.send("GET /livez HTTP/1.1\r\nHost: t\r\n\r\n")
        assert line.answer()[0] == 200
        lines.append(line)
    time.sleep(2)
    after = memory(server.process.pid)
    after_times = request_times(server, 500)
    threads = len(list(Path(f"/proc/{server.process.pid}/task").iterdir()))
    print(f"{count} connections kept alive after a request each, {threads} threads")
    print(
        f"memory {before / 1e6:.1f} MB -> {after / 1e6:.1f} MB: {(after - before) / count:.0f} bytes a connection"
    )
    for name, times in (("without them", before_times), ("beside them", after_times)):
        print(f"one short text {name}: median {statistics.median(times) * 1e3:.2f} ms")
    for line in lines:
        line.send("GET /livez HTTP/1.1\r\nHost: t\r\n\r\n")
    assert all(line.answer()[0] == 200 for line in lines), "an idle connection was lost"
    print("all of them answered once more")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--idle-connections", type=int, default=0)
    parser.add_argument("--cli", type=Path, default=ROOT / "build" / "embedforge")
    parser.add_argument("--log", type=Path, default=Path("/dev/null"))
    arguments = parser.parse_args()
    if arguments.idle_connections:
        server = Server(arguments.cli, arguments.model, arguments.log, "--idle-timeout", "3600")
        idle(server, arguments.idle_connections)
        server.stop()
    else:
        wanted = library_vectors(arguments.cli, arguments.model)
        soak(Server(arguments.cli, arguments.model, arguments.log), wanted, arguments.minutes * 60)


if __name__ == "__main__":
    main()
