"""How much load a server takes: `embedforge serve` beside others, all on one core, the clients on another.

    build/venv/bin/python bench/serve_load.py DIR [--rounds 3] [--sides embedforge,llama] [--json F] [--out docs/results.md]

DIR gets the other servers (bench/serve_peers.py) and their models; the first run downloads about 2 GB. Needs wrk (apt-get install wrk). Every server computes
all-MiniLM-L6-v2, has core --server-core, answers POST /v1/embeddings with one text a request and numbers as JSON, and is tried with the settings of its
list first. Then all take turns, round after round; medians are shown.

1. wrk (closed loop): texts a second with 64 and 512 connections, short texts and mixed ones; beside them the library's encode() of the same texts on that core.
2. One connection: half of the short requests are answered in …; beside it the library's call.
3. k6 (open loop: requests come whether or not the last one was answered): 50, 80, 95 and 150 % of what the server did in 1.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import processor
from prose import passages
from serve_peers import BENCH, ROOT, Side, environment, prepare, sides

LIBRARY = """
import json, sys, time
import embedforge
model, file, path, seconds, one = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4]), sys.argv[5] == "one"
texts = [json.loads(line)["input"] for line in open(path)]
embedder = embedforge.Embedder(model, file=file, threads=1)
embedder.encode(texts[:64])
calls, begin, done = [], time.perf_counter(), 0
while time.perf_counter() - begin < seconds:
    start = time.perf_counter()
    embedder.encode(texts[done % len(texts)] if one else texts)
    calls.append(time.perf_counter() - start)
    done += 1 if one else len(texts)
calls.sort()
print(json.dumps({"rate": done / (time.perf_counter() - begin), "p50": 1000 * calls[len(calls) // 2]}))
"""
FILES = {"float32": "onnx/model.onnx", "int8": "onnx/model_qint8_dynamic.onnx"}
SHARES = (0.5, 0.8, 0.95, 1.5)
START_SECONDS = 120


@dataclasses.dataclass
class Server:
    side: Side
    port: int
    process: subprocess.Popen[bytes]
    choice: str
    rates: dict[tuple[str, int], list[float]] = dataclasses.field(default_factory=dict)
    p50: list[float] = dataclasses.field(default_factory=list)
    failures: int = 0
    open_loop: dict[float, dict[str, float]] = dataclasses.field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1/embeddings"

    @property
    def name(self) -> str:
        return self.side.whole_name

    def answers(self, seconds: float) -> bool:
        """Asks for one text, which waits behind what an earlier client has left in the queue."""
        body = b'{"model": "minilm", "input": "Are you there?"}'
        asked = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        try:
            urllib.request.urlopen(asked, timeout=seconds).read()
        except OSError:
            return False
        return True


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.home = Path(options.dir).resolve()
        self.bodies = {name: self.home / f"{name}.jsonl" for name in ("short", "mixed")}

    def write_bodies(self) -> None:
        """A JSON body a line. Short: 3 to 12 words; mixed: 3 to 180, as many of a hundred as of ten."""
        draw = random.Random(23)
        words = " ".join(passages(400, seed=23)).split(" ")
        for name, most in (("short", 12), ("mixed", 180)):
            lines = []
            for _ in range(1000):
                size = round(3 * (most / 3) ** draw.random())
                at = draw.randrange(len(words) - size)
                text = " ".join(words[at : at + size])
                lines.append(json.dumps({"model": "minilm", "input": text}))
            self.bodies[name].write_text("\n".join(lines) + "\n")

    def pinned(
        self, core: int, command: list[str], **more: Any
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["taskset", "-c", str(core), *command],
            check=False,
            text=True,
            capture_output=True,
            **more,
        )

    def start(self, side: Side, choice: str, more: tuple[str, ...] = ()) -> Server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = ["taskset", "-c", str(self.options.server_core)]
        command += [*side.started_with(port, choice), *more]
        with (self.home / "server.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=side.folder,
                env=environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        server = Server(side, port, process, choice)
        deadline = time.monotonic() + START_SECONDS
        while not server.answers(30):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"serve_load.py: {server.name} did not start; see {self.home}/server.log")
            time.sleep(0.1)
        return server

    @contextlib.contextmanager
    def running(self, side: Side, choice: str) -> Iterator[Server]:
        server = self.start(side, choice)
        try:
            yield server
        finally:
            stop(server)

    def wrk(self, server: Server, texts: str, connections: int, seconds: float) -> dict[str, float]:
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "30s",
        ]
        command += ["-s", str(BENCH / "serve_load.lua"), server.url, "--", str(self.bodies[texts])]
        done = self.pinned(self.options.client_core, command)
        line = re.search(r"^\{.*\}$", done.stdout, re.MULTILINE)
        if line is None:
            sys.exit(f"serve_load.py: wrk: {done.stdout}{done.stderr}")
        made: dict[str, float] = json.loads(line[0])
        made["rate"] = made["good"] / made["seconds"]
        server.failures += int(made["busy"] + made["other"] + made["errors"])
        server.answers(60)
        return made

    def k6(self, server: Server, rate: float, seconds: float) -> dict[str, float]:
        out = self.home / "k6.json"
        out.unlink(missing_ok=True)
        given = {
            "URL": server.url,
            "BODIES": self.bodies["mixed"],
            "RATE": max(1, round(rate)),
            "OUT": out,
        }
        given |= {"SECONDS": round(seconds), "VUS": self.options.vus}
        command = [str(self.home / "tools/bin/k6"), "run", "--quiet", "--no-usage-report"]
        command += [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
        done = self.pinned(self.options.client_core, [*command, str(BENCH / "serve_load.js")])
        if not out.exists():
            sys.exit(f"serve_load.py: k6: {done.stderr}")
        server.answers(60)
        return dict(json.loads(out.read_text()))

    def library(self, number: str, texts: str, seconds: float, one: bool) -> dict[str, float]:
        arguments = [self.home / "model/minilm", FILES[number], self.bodies[texts], seconds]
        command = [
            self.options.python,
            "-c",
            LIBRARY,
            *map(str, arguments),
            "one" if one else "all",
        ]
        done = self.pinned(self.options.server_core, command, env=environment())
        if done.returncode != 0:
            sys.exit(f"serve_load.py: the library: {done.stderr}")
        return dict(json.loads(done.stdout))

    def best_choice(self, side: Side) -> str:
        """The setting with the most mixed texts a second at 64 connections; kept in DIR for the next run."""
        kept = self.home / "choices.json"
        known = json.loads(kept.read_text()) if kept.exists() else {}
        if len(side.choices) == 1:
            return side.choices[0]
        if not self.options.choose and known.get(side.whole_name) in side.choices:
            return str(known[side.whole_name])
        rates = {}
        for choice in side.choices:
            with self.running(side, choice) as server:
                self.wrk(server, "mixed", 64, 1)
                rates[choice] = self.wrk(server, "mixed", 64, 3)["rate"]
        best = max(rates, key=lambda choice: rates[choice])
        kept.write_text(json.dumps({**known, side.whole_name: best}))
        return best


def stop(server: Server) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGTERM)
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


Library = dict[str, dict[str, list[float]]]


def report_of(
    bench: Bench, servers: list[Server], library: Library, loads: list[float]
) -> dict[str, Any]:
    options = bench.options
    return {
        "processor": processor(),
        "date": time.strftime("%Y-%m-%d"),
        "cores": [options.server_core, options.client_core],
        "loads": loads,  # of the machine, before each round: the measurement's own is 1 to 2
        "seconds": options.seconds,
        "open_seconds": options.open_seconds,
        "library": library,
        "servers": [
            {
                "name": server.side.name,
                "number": server.side.number,
                "choice": server.choice,
                "open_flags": " ".join(server.side.open_flags),
                "rates": {f"{t} {c}": rates for (t, c), rates in server.rates.items()},
                "p50": server.p50,
                "failures": server.failures,
                "open_loop": {str(share): made for share, made in server.open_loop.items()},
            }
            for server in servers
        ],
    }


def closed_round(bench: Bench, servers: list[Server], library: Library, first: bool) -> None:
    seconds = bench.options.seconds
    for texts in bench.bodies:
        for number in FILES:
            made = bench.library(number, texts, seconds, one=False)
            library[number][texts].append(made["rate"])
        for connections in (64, 512):
            for server in servers:
                if first:
                    bench.wrk(server, texts, connections, 1)
                made = bench.wrk(server, texts, connections, seconds)
                server.rates.setdefault((texts, connections), []).append(made["rate"])
    for number in FILES:
        made = bench.library(number, "short", seconds, one=True)
        library[number]["p50"].append(made["p50"])
    for server in servers:
        server.p50.append(bench.wrk(server, "short", 1, seconds)["p50"])


def open_round(bench: Bench, servers: list[Server], share: float) -> None:
    for server in servers:
        capacity = statistics.median(server.rates["mixed", 64])
        made = bench.k6(server, share * capacity, bench.options.open_seconds)
        server.open_loop[share] = made
        say(f"{server.name} at {share:.0%}: {made}")


def measure(bench: Bench, chosen: list[Side]) -> dict[str, Any]:
    options = bench.options
    library: Library = {number: {"short": [], "mixed": [], "p50": []} for number in FILES}
    loads: list[float] = []
    servers: list[Server] = []

    def report() -> dict[str, Any]:
        made = report_of(bench, servers, library, loads)
        if options.json:
            options.json.write_text(json.dumps(made, indent=1))
        return made

    choices = []
    for side in chosen:
        choices.append(bench.best_choice(side))
        say(f"{side.whole_name}: setting {choices[-1] or 'none'}")
    try:
        for side, choice in zip(chosen, choices, strict=True):
            servers.append(bench.start(side, choice, side.closed_flags))
        for turn in range(options.rounds):
            loads.append(round(os.getloadavg()[0], 1))
            say(f"round {turn + 1} of {options.rounds}, load {loads[-1]}")
            closed_round(bench, servers, library, first=turn == 0)
            report()
        for server in servers:
            if server.side.open_flags:
                stop(server)
                again = bench.start(server.side, server.choice, server.side.open_flags)
                server.process, server.port = again.process, again.port
        for share in SHARES:
            open_round(bench, servers, share)
            report()
    finally:
        for server in servers:
            stop(server)
    return report()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dir")
    parser.add_argument("--command", type=Path, default=ROOT / "build/embedforge")
    parser.add_argument(
        "--python", default=sys.executable, help="with embedforge, torch, transformers"
    )
    parser.add_argument("--sides", default="", help="parts of names, with commas; default: all")
    parser.add_argument("--choose", action="store_true", help="try the settings again")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--open-seconds", type=int, default=10)
    parser.add_argument("--vus", type=int, default=1000, help="requests that k6 has open at most")
    parser.add_argument("--server-core", type=int, default=0)
    parser.add_argument("--client-core", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--out", type=Path, help="a Markdown file whose part on servers is written anew"
    )
    parser.add_argument("--from-json", type=Path, help="only write the tables of an earlier run")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers are stopped, too
    if options.from_json:
        report = json.loads(options.from_json.read_text())
    else:
        from huggingface_hub import snapshot_download

        checkpoint = Path(snapshot_download("sentence-transformers/all-MiniLM-L6-v2"))
        bench = Bench(options)
        prepare(bench.home, options.command, Path(options.python), checkpoint)
        bench.write_bodies()
        wanted = options.sides.split(",")
        listed = sides(bench.home, options.command, checkpoint)
        chosen = [one for one in listed if any(word in one.whole_name for word in wanted)]
        report = measure(bench, chosen)
    from serve_tables import tables, write_part

    text = tables(report)
    print(text)
    if options.out:
        write_part(options.out, text)


if __name__ == "__main__":
    main()
