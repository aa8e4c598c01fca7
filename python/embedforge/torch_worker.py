"""sentence-transformers behind a pipe, for the command line and C++ (src/backends/torch.cc).

A JSON line comes in, a JSON line goes out. The first names model, device and max_length. Each of the
others has texts; after the line {"rows", "columns", "tokens"} follow the vectors as float32. An error
is a line {"not_supported": message} or {"bad_input": message}.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO

from embedforge.errors import BadInputError, NotSupportedError, UsageError
from embedforge.torch_backend import TorchModel


def _say(out: BinaryIO, line: dict[str, Any], data: bytes = b"") -> None:
    out.write(json.dumps(line).encode() + b"\n" + data)
    out.flush()


def _serve(lines: BinaryIO, out: BinaryIO) -> None:
    model: TorchModel | None = None
    for line in lines:
        request = json.loads(line)
        try:
            if model is None:
                model = TorchModel(
                    request["model"], request["device"], request["max_length"] or None
                )
                _say(out, {"dimension": model.dimension})
                continue
            before = model.tokens
            vectors = model.embed(
                request["texts"],
                batch_size=request["batch_size"],
                prompt=request["prompt"] or None,
                prompt_name=request["prompt_name"] or None,
                input_type=request["input_type"],
            )
            rows, columns = vectors.shape
            _say(
                out,
                {"rows": rows, "columns": columns, "tokens": model.tokens - before},
                vectors.tobytes(),
            )
        except NotSupportedError as error:
            _say(out, {"not_supported": str(error)})
        except (BadInputError, UsageError) as error:
            _say(out, {"bad_input": str(error)})


def main() -> None:
    # Libraries print; the descriptor of the answers must not be theirs.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with os.fdopen(answers, "wb") as out:
        _serve(sys.stdin.buffer, out)


if __name__ == "__main__":
    main()
