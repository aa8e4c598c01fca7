"""embedforge embed and embed_file: every format in and out, rows that have no text, and what is refused as a whole."""

from __future__ import annotations

import fcntl
import gzip
import itertools
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embedforge
from embedforge import embed_file
from test_bad_input import refused
from texts import passages, sentences

Run = Callable[..., "subprocess.CompletedProcess[str]"]
TEXTS = ["one", 'zwei "quoted", with a comma', "trois\nà la fois", "", *sentences()[:40], "one"]


def jsonl(path: Path, texts: list[str] = TEXTS) -> Path:
    rows = ({"id": f"n{i}", "title": "T", "text": text} for i, text in enumerate(texts))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def csv_file(path: Path, delimiter: str = ",") -> Path:
    import csv

    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["id", "text", "title"])
        writer.writerows([f"n{i}", text, "T"] for i, text in enumerate(TEXTS))
    return path


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def wanted(embedder: embedforge.Embedder) -> np.ndarray:
    return embedder.encode(TEXTS)


def test_every_text_format(run: Run, converted: Path, wanted: np.ndarray, tmp_path: Path) -> None:
    plain = jsonl(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl.gz").write_bytes(
        gzip.compress(plain.read_bytes()[:900]) + gzip.compress(plain.read_bytes()[900:])
    )
    subprocess.run(["zstd", "-q", plain, "-o", tmp_path / "c.jsonl.zst"], check=False)
    csv_file(tmp_path / "d.csv")
    csv_file(tmp_path / "e.tsv", "\t")
    for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl.zst", "d.csv", "e.tsv"):
        if not (tmp_path / name).exists():
            continue  # no zstd here
        out = tmp_path / f"{name}.npy"
        done = run("embed", converted, tmp_path / name, out, "--id-field", "id")
        assert done.returncode == 0, done.stderr
        assert (np.load(out) == wanted).all(), name
        assert [row["id"] for row in rows_of(Path(f"{out}.rows.jsonl"))] == [
            f"n{i}" for i in range(len(TEXTS))
        ]
        assert not list(tmp_path.glob("*.journal")) + list(tmp_path.glob("*.partial"))
    lines = [text for text in TEXTS if "\n" not in text]
    (tmp_path / "f.txt").write_bytes("\r\n".join(lines).encode())
    assert run("embed", converted, tmp_path / "f.txt", tmp_path / "f.npy").returncode == 0
    keep = [i for i, text in enumerate(TEXTS) if "\n" not in text]
    assert (np.load(tmp_path / "f.npy") == wanted[keep]).all()


def test_standard_input_patterns_and_templates(
    run: Run, converted: Path, embedder: embedforge.Embedder, tmp_path: Path
) -> None:
    jsonl(tmp_path / "part-2.jsonl", ["two"])
    jsonl(tmp_path / "part-1.jsonl", ["one"])
    out = tmp_path / "o.jsonl"
    template = "{title}: {text} {{}}"
    done = run("embed", converted, tmp_path / "part-*.jsonl", out, "--template", template)
    assert done.returncode == 0, done.stderr
    rows = rows_of(out)
    assert [(Path(row["file"]).name, row["line"]) for row in rows] == [
        ("part-1.jsonl", 1),
        ("part-2.jsonl", 1),
    ]
    expected = embedder.encode(["T: one {}", "T: two {}"])
    assert (np.array([row["embedding"] for row in rows], np.float32) == expected).all()
    done = run(
        "embed",
        converted,
        "-",
        tmp_path / "s.raw",
        "--input-format",
        "txt",
        stdin=b"T: one {}\nT: two {}",
    )
    assert done.returncode == 0, done.stderr
    assert (np.fromfile(tmp_path / "s.raw", np.float32).reshape(2, -1) == expected).all()
    refused(run("embed", converted, "-", tmp_path / "x.npy"), 2, "--input-format")
    refused(
        run("embed", converted, tmp_path / "none-*.jsonl", tmp_path / "x.npy"), 3, "matches no file"
    )
    refused(run("embed", converted, out, tmp_path / "x.npy", "--template", "{a"), 2, "--template")
    refused(run("embed", converted, out, tmp_path / "x.parquet"), 4, "embed_file")


def test_pieces_of_long_texts(embedder: embedforge.Embedder, tmp_path: Path) -> None:
    text = " ".join(passages(20))
    source = jsonl(tmp_path / "long.jsonl", ["short", text])
    out = tmp_path / "pieces.jsonl"
    made = embed_file(
        embedder, source, out, chunk_tokens=50, overlap=10, id_field="id", with_text=True
    )
    rows = rows_of(out)
    assert made.rows == len(rows) > 10
    assert rows[0]["id"] == "n0" and rows[0]["text"] == "short"
    pieces = rows[1:]
    assert all(row["text"] == text[row["begin"] : row["end"]] for row in pieces)
    assert all(row["embedding"] for row in pieces)
    assert max(embedder.count_tokens(row["text"]) for row in pieces) <= 50 + 2 + 5
    assert pieces[0]["begin"] == 0 and pieces[-1]["end"] == len(text)
    for before, after in itertools.pairwise(pieces):
        assert before["begin"] < after["begin"] <= before["end"] < after["end"]
        assert not text[before["end"] - 1].isspace()
    assert (np.float32(rows[5]["embedding"]) == embedder.encode(rows[5]["text"])).all()
    with pytest.raises(embedforge.UsageError, match="254 or less"):
        embed_file(embedder, source, tmp_path / "x.npy", chunk_tokens=255)


@pytest.mark.parametrize("precision", ["int8", "uint8", "binary", "ubinary"])
def test_precisions(
    embedder: embedforge.Embedder, wanted: np.ndarray, tmp_path: Path, precision: str
) -> None:
    source = jsonl(tmp_path / "a.jsonl")
    ranges = embedforge.vector_ranges(wanted) if "int8" in precision else None
    embed_file(embedder, source, tmp_path / "o.npy", precision=precision, ranges=ranges)
    made = np.load(tmp_path / "o.npy")
    assert (made == embedforge.quantize_vectors(wanted, precision, ranges)).all()
    if ranges is not None:
        with pytest.raises(embedforge.UsageError, match="--ranges"):
            embed_file(embedder, source, tmp_path / "x.npy", precision=precision)


def test_parquet_and_arrow(
    embedder: embedforge.Embedder, wanted: np.ndarray, tmp_path: Path
) -> None:
    pa = pytest.importorskip("pyarrow")
    feather = pytest.importorskip("pyarrow.feather")
    parquet = pytest.importorskip("pyarrow.parquet")

    table = pa.table({"id": range(len(TEXTS)), "text": TEXTS, "n": [1.5] * len(TEXTS)})
    parquet.write_table(table, tmp_path / "in.parquet")
    feather.write_feather(table, tmp_path / "in.arrow")
    for source in ("in.parquet", "in.arrow"):
        for kind in ("parquet", "arrow"):
            out = tmp_path / f"{source}.{kind}"
            made = embed_file(embedder, tmp_path / source, out, id_field="id")
            assert made.rows == len(TEXTS)
            read = parquet.read_table(out) if kind == "parquet" else feather.read_table(out)
            assert read["id"].to_pylist() == list(range(len(TEXTS)))
            assert read.schema.field("embedding").type == pa.list_(pa.float32(), 384)
            vectors = read["embedding"].combine_chunks().flatten().to_numpy().reshape(-1, 384)
            assert (vectors == wanted).all()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {
        "in.parquet",
        "in.arrow",
        *(f"{s}.{k}" for s in ("in.parquet", "in.arrow") for k in ("parquet", "arrow")),
    }
    with pytest.raises(embedforge.BadInputError, match="no column 'nope'"):
        embed_file(embedder, tmp_path / "in.parquet", tmp_path / "x.npy", field="nope")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "in.parquet").read_bytes()[:-50])
    with pytest.raises(embedforge.BadInputError, match="cannot read"):
        embed_file(embedder, tmp_path / "cut.parquet", tmp_path / "x.npy")
    with pytest.raises(embedforge.BadInputError, match="complete"):
        embed_file(embedder, tmp_path / "in.parquet", tmp_path / "in.parquet.parquet")


BAD_ROWS = {
    "bad.jsonl": (
        b'{"text":"good"}\n{"text":\n{"text":5}\n[1]\n{"other":1}\n{"text":null}\n{"text":"\xff"}\n'
        b'{"text":"a\x00b"}\n\n{"text":"'
        + b"x" * 3000
        + b'"}\n{"text":"'
        + "ä".encode("latin-1")
        + b'"}\n{"text":"good"}\n',
        [2, 3, 4, 5, 6, 7, 8, 10, 11],
    ),
    "bad.csv": (
        b'text,id\ngood,1\na,b,c\nonly one\n"never closes,3\n"closed" badly,4\nnul\x00,5\n\xff,6\n\ngood,7\n',
        [3, 4, 5, 6, 7, 8],
    ),
    "open.csv": (b'text,id\ngood,1\n"never closes,2\ngood,3\n', [3]),
    "bad.txt": (b"good\nbroken \xff\nzero \x00 byte\n" + b"y" * 5000 + b"\ngood", [2, 3, 4]),
}


@pytest.mark.parametrize("name", BAD_ROWS)
def test_rows_without_a_text(run: Run, converted: Path, tmp_path: Path, name: str) -> None:
    content, lines = BAD_ROWS[name]
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "o.npy"
    done = run("embed", converted, tmp_path / name, out, "--max-line", 2000)
    assert done.returncode == 0, done.stderr
    assert f"{len(lines)} records have no vector" in done.stderr
    assert len(np.load(out)) == 2
    rejected = rows_of(Path(f"{out}.rejected.jsonl"))
    assert [row["line"] for row in rejected] == lines
    assert all(row["reason"] and row["file"].endswith(name) for row in rejected), rejected
    strict = run(
        "embed", converted, tmp_path / name, tmp_path / "s.npy", "--strict", "--max-line", 2000
    )
    refused(strict, 3, name, f"line {lines[0]}")


def test_what_is_refused_as_a_whole(run: Run, converted: Path, tmp_path: Path) -> None:
    source = jsonl(tmp_path / "a.jsonl", sentences()[:300])
    packed = gzip.compress(source.read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "bad.jsonl.gz").write_bytes(packed[:900] + bytes(50) + packed[950:])
    (tmp_path / "plain.jsonl.gz").write_bytes(source.read_bytes())
    (tmp_path / "wide.txt").write_bytes("Text of some kind\n".encode("utf-16"))
    (tmp_path / "wide.csv").write_bytes("text,id\nText of some kind,1\n".encode("utf-16-le"))
    (tmp_path / "head.csv").write_text("a,b\n1,2\n")
    for name, parts in {
        "cut.jsonl.gz": ("cut off",),
        "bad.jsonl.gz": ("damaged",),
        "plain.jsonl.gz": ("isn't gzip",),
        "wide.txt": ("UTF-16", "iconv"),
        "wide.csv": ("UTF-16", "iconv"),
        "head.csv": ("no column", "a, b"),
        "none.jsonl": ("no such file",),
    }.items():
        out = tmp_path / f"{name}.npy"
        refused(run("embed", converted, tmp_path / name, out), 3, name, *parts)
        assert not out.exists(), name
    refused(run("embed", converted, tmp_path, tmp_path / "x.npy"), 2)
    refused(run("embed", converted, source, source), 2, "is an input")
    refused(run("embed", converted, source, "/proc/none/x.npy"), 3, "cannot write")
    out = tmp_path / "o.npy"
    assert run("embed", converted, source, out).returncode == 0
    refused(run("embed", converted, source, out), 3, "exists", "--overwrite")
    assert run("embed", converted, source, out, "--overwrite").returncode == 0
    with Path(f"{out}.journal").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        refused(run("embed", converted, source, out, "--overwrite"), 3, "another run")


def test_encode_takes_records_by_field_only(
    run: Run, converted: Path, wanted: np.ndarray, tmp_path: Path
) -> None:
    source = jsonl(tmp_path / "a.jsonl")
    refused(run("encode", converted, "--input", source), 2, "--field")
    out = tmp_path / "o.npy"
    assert (
        run("encode", converted, "--input", source, "--field", "text", "--output", out).returncode
        == 0
    )
    assert (np.load(out) == wanted).all()
    refused(run("encode", converted, "--input", source, "--field", "nope"), 3, "line 1", "nope")
    refused(run("tokenize", converted, "--input", csv_file(tmp_path / "d.csv")), 2, "--field")


def test_progress_and_exceptions(embedder: embedforge.Embedder, tmp_path: Path) -> None:
    texts = [f"{text} {i}" for i in range(2) for text in sentences()]
    source = jsonl(tmp_path / "a.jsonl", texts)
    told: list[dict] = []
    out = tmp_path / "o.npy"

    def stop(counts: dict) -> None:
        told.append(counts)
        if counts["rows"] > 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_file(embedder, source, out, progress=stop)
    assert not out.exists() and told[-1]["rows"] < len(texts)
    assert told[-1]["total_bytes"] == source.stat().st_size
    with pytest.raises(embedforge.BadInputError, match="--resume"):
        embed_file(embedder, source, out)
    made = embed_file(embedder, source, out, resume=True)
    assert made.rows == len(texts) and made.resumed_rows > 0
    embed_file(embedder, source, tmp_path / "whole.npy")
    assert out.read_bytes() == (tmp_path / "whole.npy").read_bytes()


def test_an_input_that_changes(embedder: embedforge.Embedder, tmp_path: Path) -> None:
    texts = passages(20) * 200  # 2 MB and more, of which little is encoded
    for change in ("grow", "shrink"):
        source = jsonl(tmp_path / "a.jsonl", texts)
        assert source.stat().st_size > 1_500_000
        told: list[dict] = []

        def edit(
            counts: dict, source: Path = source, change: str = change, told: list[dict] = told
        ) -> None:
            told.append(counts)
            if len(told) > 1:
                return
            with source.open("r+") as file:
                file.seek(0, os.SEEK_END)
                if change == "grow":
                    file.write('{"text":"more"}\n')
                else:
                    file.truncate(1_400_000)

        out = tmp_path / f"{change}.npy"
        with pytest.raises(embedforge.BadInputError, match=r"changed while it was read"):
            embed_file(embedder, source, out, progress=edit)
        assert not out.exists()
        with pytest.raises(embedforge.BadInputError, match="another job: inputs"):
            embed_file(embedder, source, out, resume=True)


def test_a_pipe_that_nobody_writes_to(embedder: embedforge.Embedder, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: (time.sleep(1), pipe.write_text('{"text":"late"}\n')))
    writer.start()
    embed_file(embedder, pipe, tmp_path / "o.npy")
    writer.join()
    assert np.load(tmp_path / "o.npy").shape == (1, 384)
