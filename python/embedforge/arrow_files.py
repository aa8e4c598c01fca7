"""Parquet and Arrow files for embed_file, on pyarrow, which is imported when one is used.

An input goes to the engine as JSON lines through a pipe. An output is made of the engine's OUTPUT.vectors.npy and
its rows when these are whole, since a Parquet file can't be gone on with after an interruption.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embedforge import _core
from embedforge.errors import BadInputError, NotSupportedError, UsageError

_KINDS = (".parquet", ".arrow", ".feather")
_SLICE = 16_384  # rows of the output that are written at once


def is_arrow(path: Path) -> bool:
    return path.suffix in _KINDS


def stage_of(output: Path) -> Path:
    """Where the engine puts the vectors first."""
    return output.with_name(output.name + ".vectors.npy")


def require(path: Path) -> Any:
    try:
        import pyarrow
    except ImportError:
        raise NotSupportedError(f"{path}: needs pyarrow: pip install pyarrow") from None
    return pyarrow


def _batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    arrow = require(path)
    try:
        if path.suffix == ".parquet":
            import pyarrow.parquet

            file = pyarrow.parquet.ParquetFile(path)
            names, batches = file.schema_arrow.names, None
        else:
            import pyarrow.dataset

            data = pyarrow.dataset.dataset(path, format="ipc")
            names, batches = data.schema.names, data
        missing = [name for name in columns if name not in names]
        if missing:
            raise BadInputError(f"{path}: has no column {missing[0]!r}; it has {', '.join(names)}")
        if batches is None:
            yield from file.iter_batches(batch_size=4096, columns=list(columns))
        else:
            yield from batches.to_batches(batch_size=4096, columns=list(columns))
    except (arrow.ArrowException, OSError) as error:
        raise BadInputError(f"{path}: cannot read: {str(error).splitlines()[0]}") from None


def _columns(options: dict[str, Any]) -> list[str]:
    import string

    template = options["template"]
    if template:
        parts = string.Formatter().parse(template)
        names = [name for _, name, _, _ in parts if name]
    else:
        names = [options["field"] or "text"]
    if options["id_field"]:
        names.append(options["id_field"])
    return list(dict.fromkeys(names))


def _feed(path: Path, columns: Sequence[str], fd: int, failed: list[BaseException]) -> None:
    """Writes a line for each row; what fails is left in `failed`, and the pipe open then."""
    try:
        with os.fdopen(fd, "wb", buffering=1 << 20, closefd=False) as pipe:
            for batch in _batches(path, columns):
                lines = (json.dumps(row, default=str) + "\n" for row in batch.to_pylist())
                pipe.write("".join(lines).encode())
        os.close(fd)
    except BrokenPipeError:
        os.close(fd)
    except BaseException as error:
        failed.append(error)


def embed(
    core: _core.Embedder,
    inputs: Sequence[str],
    output: str,
    progress: Callable[[dict[str, Any]], object] | None,
    options: dict[str, Any],
    scratch: Path,
) -> dict[str, Any]:
    """_core.embed_file of Parquet and Arrow files."""
    paths = [
        Path(found)
        for name in inputs
        for found in (sorted(glob.glob(name)) or [name])  # noqa: PTH207
    ]
    others = [path for path in paths if not is_arrow(path)]
    if others:
        raise UsageError(f"{others[0]}: can't be read in one job with Parquet or Arrow files")
    columns = _columns(options)
    pipes = [scratch / f"{i}.jsonl" for i in range(len(paths))]
    failed: list[BaseException] = []

    def feed_all() -> None:
        for path, pipe in zip(paths, pipes, strict=True):
            try:
                fd = os.open(pipe, os.O_WRONLY)  # waits for the reader
            except OSError:
                return
            _feed(path, columns, fd, failed)
            if failed:
                return

    for path in paths:
        if not path.exists():
            raise BadInputError(f"{path}: cannot open: there is no such file")
        next(_batches(path, columns), None)  # says what is wrong before anything begins
    stats = [path.stat() for path in paths]
    for pipe in pipes:
        os.mkfifo(pipe)

    def told(counts: dict[str, Any]) -> None:
        if failed:
            raise failed[0]
        if progress is not None:
            progress(counts)

    feeder = threading.Thread(target=feed_all, daemon=True)
    feeder.start()
    try:
        return _core.embed_file(
            core,
            [str(pipe) for pipe in pipes],
            output,
            told,
            **{
                **options,
                "input_format": "jsonl",
                "input_names": [str(path) for path in paths],
                "of_inputs": json.dumps([[s.st_size, s.st_mtime_ns] for s in stats]),
            },
        )
    finally:
        for pipe in pipes:  # a feeder that waits for a reader goes on, and finds none
            with contextlib.suppress(OSError):
                os.close(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK))


def _rows(path: Path, count: int) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for _ in range(count):
            yield json.loads(next(lines))


def finish(output: Path) -> None:
    """Makes `output` of what the engine wrote, and removes that."""
    arrow = require(output)
    stage = stage_of(output)
    vectors = np.load(stage, mmap_mode="r")
    rows_path = Path(f"{stage}.rows.jsonl")
    partial = output.with_name(output.name + ".partial")
    width = vectors.shape[1]
    kind = arrow.list_(arrow.from_numpy_dtype(vectors.dtype), width)
    first = next(_rows(rows_path, min(1, len(vectors))), {}) if len(vectors) else {}
    kinds = {int: arrow.int64(), float: arrow.float64(), str: arrow.string()}
    fields = [(key, kinds[type(value)]) for key, value in first.items()]
    schema = arrow.schema([*fields, ("embedding", kind)])
    if output.suffix == ".parquet":
        import pyarrow.parquet

        writer = pyarrow.parquet.ParquetWriter(partial, schema)
    else:
        writer = arrow.ipc.new_file(partial, schema)
    with writer:
        lines = _rows(rows_path, len(vectors)) if len(vectors) else iter(())
        for at in range(0, len(vectors), _SLICE):
            part = np.ascontiguousarray(vectors[at : at + _SLICE])
            places = [next(lines) for _ in range(len(part))]
            try:
                columns = [
                    arrow.array([place[key] for place in places], type_) for key, type_ in fields
                ]
            except arrow.ArrowException:
                raise BadInputError(
                    f"{output}: ids are strings and numbers; a column has one kind: write .jsonl"
                ) from None
            numbers = arrow.array(part.reshape(-1))
            columns.append(arrow.FixedSizeListArray.from_arrays(numbers, type=kind))
            writer.write_batch(arrow.record_batch(columns, schema=schema))
    del vectors
    partial.replace(output)
    rejected = Path(f"{stage}.rejected.jsonl")
    if rejected.exists():
        rejected.replace(f"{output}.rejected.jsonl")
    for path in (rows_path, stage, Path(f"{stage}.journal")):
        path.unlink(missing_ok=True)
