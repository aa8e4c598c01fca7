"""sentence-transformers, from the extra `torch`, behind a pipe (src/backends/torch.cc).

A JSON line comes in, a JSON line goes out. The first names model, device and max_length; its answer
tells dimension, max_length, prompts and default_prompt_name. Each of the others has texts and the
prompt that is put before them; after the line {"rows", "columns", "tokens"} follow the vectors as
float32, without normalization. An error is a line {"not_supported": message} or {"bad_input": message}.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, BinaryIO

import numpy as np

from embedforge.errors import BadInputError, NotSupportedError


def _load(request: dict[str, Any]) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise NotSupportedError(
            "backend torch needs sentence-transformers: pip install embedforge[torch]"
        ) from error
    try:
        model = SentenceTransformer(request["model"], device=request["device"])
    except (OSError, ValueError, RuntimeError, AssertionError) as error:
        reason = " ".join(str(error).split())[:300]
        raise BadInputError(
            f"{request['model']}: sentence-transformers can't load it: {reason}"
        ) from None
    if request["max_length"]:
        model.max_seq_length = request["max_length"]
    for name, module in list(model.named_children()):
        if type(module).__name__ == "Normalize":
            del model._modules[name]
    return model


def _describe(model: Any) -> dict[str, Any]:
    """The prompts are chosen by the caller from here on."""
    default, model.default_prompt_name = model.default_prompt_name, None
    return {
        "dimension": int(model.get_sentence_embedding_dimension()),
        "max_length": int(model.max_seq_length or 0),
        "prompts": dict(model.prompts),
        "default_prompt_name": default or "",
    }


def _embed(model: Any, request: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    texts = request["texts"]
    vectors = model.encode(
        texts,
        batch_size=request["batch_size"],
        prompt=request["prompt"] or None,
        show_progress_bar=False,
        convert_to_numpy=True,
    )
    encoded = model.tokenizer(texts, truncation=True, max_length=model.max_seq_length)
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    line = {
        "rows": rows.shape[0],
        "columns": rows.shape[1],
        "tokens": sum(map(len, encoded["input_ids"])),
    }
    return line, rows.tobytes()


def _serve(lines: BinaryIO, out: BinaryIO) -> None:
    model: Any = None
    for line in lines:
        request, data = json.loads(line), b""
        try:
            if model is None:
                model = _load(request)
                answer = _describe(model)
            else:
                answer, data = _embed(model, request)
        except NotSupportedError as error:
            answer = {"not_supported": str(error)}
        except BadInputError as error:
            answer = {"bad_input": str(error)}
        out.write(json.dumps(answer).encode() + b"\n" + data)
        out.flush()


def main() -> None:
    # Libraries print; the descriptor of the answers must not be theirs.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with os.fdopen(answers, "wb") as out:
        _serve(sys.stdin.buffer, out)


if __name__ == "__main__":
    main()
