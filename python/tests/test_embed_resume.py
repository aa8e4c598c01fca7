"""A run of `embedforge embed` that is broken off and goes on: nothing lost, nothing twice, the same bytes.

The long form, with ten kills of a larger file: bench/embed_kill.py.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import CLI
from test_bad_input import refused
from test_embed_file import jsonl
from texts import sentences

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [f"{text} {i}" for i in range(3) for text in sentences()]
    path = jsonl(tmp_path_factory.mktemp("input") / "a.jsonl", texts)
    with path.open("a") as file:
        file.write('{"text":\n' * 7 + '{"id":"x","text":"the last"}\n')
    return path


@pytest.fixture(scope="module")
def whole(
    run: Run, converted: Path, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """The vectors of a run that nothing interrupts."""
    out = tmp_path_factory.mktemp("whole") / "o.npy"
    assert run("embed", converted, source, out).returncode == 0
    return out.read_bytes()


def interrupted(arguments: list[object], after: int, number: signal.Signals) -> tuple[int, str]:
    """Sends the signal when so many rows are written."""
    command = [str(CLI), "embed", *map(str, arguments), "--progress", "json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said = line
            if line.startswith("{") and json.loads(line)["rows"] >= after:
                process.send_signal(number)
                said = process.stderr.read()
                break
        return process.wait(), said


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["o.npy", "o.jsonl"])
def test_kill_terminate_and_resume(
    run: Run, converted: Path, source: Path, tmp_path: Path, name: str
) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    flags = ["--id-field", "id"]
    assert run("embed", converted, source, whole / name, *flags).returncode == 0
    broken.mkdir()
    command = [converted, source, broken / name, *flags]
    status, _ = interrupted(command, 1, signal.SIGKILL)
    assert status == -signal.SIGKILL
    refused(run("embed", *command), 3, "--resume goes on")
    status, said = interrupted([*command, "--resume"], 350, signal.SIGTERM)
    assert status == 128 + signal.SIGTERM and "--resume" in said, said
    refused(run("embed", *command, "--resume", "--no-normalize"), 3, "another job", "normalize")
    refused(
        run("embed", *command, "--resume", "--pooling", "cls"), 3, "another job: model: pooling"
    )
    status, said = interrupted([*command, "--resume"], 600, signal.SIGINT)
    assert status == 128 + signal.SIGINT and "--resume" in said, said
    done = run("embed", *command, "--resume")
    assert done.returncode == 0 and "by earlier runs" in done.stderr, done.stderr
    assert files_of(broken) == files_of(whole)
    refused(run("embed", *command, "--resume"), 3, "complete")


def test_resume_into_packed_input_and_standard_input(
    run: Run, converted: Path, source: Path, whole: bytes, tmp_path: Path
) -> None:
    import gzip

    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(source.read_bytes()))
    broken = tmp_path / "broken.npy"
    interrupted([converted, packed, broken], 1, signal.SIGKILL)
    done = run("embed", converted, packed, broken, "--resume")
    assert "by earlier runs" in done.stderr, done.stderr
    assert broken.read_bytes() == whole

    piped = tmp_path / "piped.npy"
    command = [converted, "-", piped, "--input-format", "jsonl"]
    with subprocess.Popen(
        [str(CLI), "embed", *map(str, command)], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        process.stdin.write(source.read_bytes()[:60_000])
        process.stdin.flush()
        partial = Path(f"{piped}.partial")
        for _ in range(200):
            if partial.exists() and partial.stat().st_size > 100_000:
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 128 + signal.SIGTERM
    other = source.read_bytes().replace(b"n1", b"m1", 1)
    refused(run("embed", *command, "--resume", stdin=other), 3, "isn't what was read")
    done = run("embed", *command, "--resume", stdin=source.read_bytes())
    assert "by earlier runs" in done.stderr, done.stderr
    assert piped.read_bytes() == whole


def test_a_damaged_journal_and_output(
    run: Run, converted: Path, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "o.npy"
    interrupted([converted, source, out], 1, signal.SIGTERM)
    journal, partial = Path(f"{out}.journal"), Path(f"{out}.partial")
    good_journal, good_partial = journal.read_bytes(), partial.read_bytes()
    journal.write_bytes(good_journal[:100])
    refused(run("embed", converted, source, out, "--resume"), 3, "damaged")
    journal.write_bytes(b"\n" + good_journal[1:])
    refused(run("embed", converted, source, out, "--resume"), 3, "journal")
    journal.write_bytes(good_journal)
    partial.write_bytes(good_partial[:500])
    refused(run("embed", converted, source, out, "--resume"), 3, "shorter")
    partial.write_bytes(bytes(len(good_partial)))
    refused(run("embed", converted, source, out, "--resume"), 3, "isn't what the journal says")
    done = run("embed", converted, source, out, "--overwrite")
    assert done.returncode == 0 and "earlier" not in done.stderr


def test_a_full_disk(run: Run, converted: Path, source: Path, whole: bytes, tmp_path: Path) -> None:
    """A limit on the size of files stands for it; a real one needs a file system of its own (embed_kill.py)."""
    out = tmp_path / "o.npy"
    command = 'ulimit -f 1000; exec "$0" embed "$1" "$2" "$3" --progress none'
    done = subprocess.run(
        ["bash", "-c", command, CLI, converted, source, out], capture_output=True, text=True
    )
    refused(done, 3, "cannot write", "too large")
    assert not out.exists()
    done = run("embed", converted, source, out, "--resume")
    assert done.returncode == 0 and "by earlier runs" in done.stderr, done.stderr
    assert out.read_bytes() == whole
