"""Files of texts in, a file of vectors out, whatever their size."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge import _core, arrow_files
from embedforge.embedder import Embedder
from embedforge.errors import BadInputError, UsageError

PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class EmbedFileResult:
    """What embed_file wrote."""

    output: Path
    rows: int  # vectors, those of earlier runs included
    texts: int  # records
    rejected: int  # records without a text
    repeated: int  # texts of this run that were encoded once before
    resumed_rows: int  # of earlier runs
    seconds: float
    rejected_path: Path | None  # file, line and reason of those records
    rows_path: Path | None  # id and place of each row


def embed_file(
    model: Embedder | PathLike,
    input: PathLike | Sequence[PathLike],
    output: PathLike,
    *,
    field: str | None = None,
    id_field: str | None = None,
    template: str | None = None,
    input_format: str | None = None,
    header: bool = True,
    max_line: int | None = None,
    chunk_tokens: int | None = None,
    overlap: int = 0,
    normalize: bool = True,
    prompt_name: str | None = None,
    prompt: str | None = None,
    dimensions: int | None = None,
    precision: str = "float32",
    ranges: PathLike | npt.ArrayLike | None = None,
    with_text: bool = False,
    rows: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    strict: bool = False,
    progress: Callable[[dict[str, Any]], object] | None = None,
    **model_options: Any,
) -> EmbedFileResult:
    """What the command `embedforge embed` does, and Parquet and Arrow files with pyarrow.

    `model` is an Embedder, or what Embedder(model, **model_options) takes. `input`: .jsonl, .csv, .tsv
    and .txt (also .gz and .zst), .parquet, .arrow and .feather; a path, a pattern or several. `output`: .npy,
    .jsonl, .raw, .parquet or .arrow. `field` ("text") holds the text, or `template` makes it of several
    fields ("{title}: {body}"); `id_field` goes with each vector. `chunk_tokens` cuts texts into pieces, a
    row each, that share `overlap` tokens. `ranges` of int8 and uint8: what vector_ranges gives, or a .npy file.

    A run that is broken off (KeyboardInterrupt, too) leaves OUTPUT.partial and OUTPUT.journal: `resume` goes
    on, and the result is the same to the byte. `progress` is called a few times a second with a dict of rows,
    texts, rejected, bytes, total_bytes and seconds. `strict` ends at the first record without a text.
    """
    if isinstance(model, Embedder) and model_options:
        raise UsageError(
            f"{', '.join(sorted(model_options))}: given to Embedder() already, or unknown"
        )
    names = [input] if isinstance(input, (str, os.PathLike)) else list(input)
    inputs = [os.fspath(name) for name in names]
    options: dict[str, Any] = {
        "input_format": input_format,
        "field": field,
        "id_field": id_field,
        "template": template,
        "header": header,
        "max_line": max_line,
        "chunk_tokens": chunk_tokens,
        "overlap": overlap,
        "normalize": normalize,
        "prompt_name": prompt_name,
        "prompt": prompt,
        "dimensions": dimensions,
        "precision": precision,
        "with_text": with_text,
        "rows": rows,
        "resume": resume,
        "overwrite": overwrite,
        "strict": strict,
    }
    target = Path(output)
    tabular = arrow_files.is_arrow(target)
    if tabular:
        arrow_files.require(target)
        options.update(rows=True, keep_journal=True)
        if target.exists() and not overwrite and not arrow_files.stage_of(target).exists():
            raise BadInputError(f"{target}: exists and is complete; overwrite=True replaces it")
    embedder = model if isinstance(model, Embedder) else Embedder(model, **model_options)
    options["model"] = embedder.name
    options["model_flags"] = embedder.flags
    with tempfile.TemporaryDirectory() as scratch:
        if ranges is not None and not isinstance(ranges, (str, os.PathLike)):
            ranges_path = Path(scratch) / "ranges.npy"
            np.save(ranges_path, np.asarray(ranges, np.float32))
            ranges = ranges_path
        options["ranges"] = None if ranges is None else os.fspath(ranges)
        written = str(arrow_files.stage_of(target) if tabular else target)
        if any(arrow_files.is_arrow(Path(name)) for name in inputs):
            made = arrow_files.embed(
                embedder._core, inputs, written, progress, options, Path(scratch)
            )
        else:
            made = _core.embed_file(embedder._core, inputs, written, progress, **options)
    if tabular:
        arrow_files.finish(target)
        made["rows_path"] = None
        if made["rejected_path"]:
            made["rejected_path"] = f"{target}.rejected.jsonl"
    return EmbedFileResult(
        output=target,
        rows=made["rows"],
        texts=made["texts"],
        rejected=made["rejected"],
        repeated=made["repeated"],
        resumed_rows=made["resumed_rows"],
        seconds=made["seconds"],
        rejected_path=Path(made["rejected_path"]) if made["rejected_path"] else None,
        rows_path=Path(made["rows_path"]) if made["rows_path"] else None,
    )
