"""The model in sentence-transformers, which the extra `torch` brings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from embedforge.errors import BadInputError, NotSupportedError, UsageError


class TorchModel:
    """Vectors as sentence-transformers gives them, without normalization."""

    def __init__(self, model: str, device: str = "cpu", max_length: int | None = None) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise NotSupportedError(
                "backend torch needs sentence-transformers: pip install embedforge[torch]"
            ) from error
        try:
            self._model: Any = SentenceTransformer(model, device=device)
        except (OSError, ValueError, RuntimeError, AssertionError) as error:
            reason = " ".join(str(error).split())[:300]
            raise BadInputError(f"{model}: sentence-transformers can't load it: {reason}") from None
        if max_length is not None:
            self._model.max_seq_length = max_length
        # embed() gives the vectors before normalization, as every backend does.
        for name, module in list(self._model.named_children()):
            if type(module).__name__ == "Normalize":
                del self._model._modules[name]
        self.tokens = 0

    @property
    def dimension(self) -> int:
        return int(self._model.get_sentence_embedding_dimension())

    @property
    def prompts(self) -> dict[str, str]:
        return {name: text for name, text in self._model.prompts.items() if text}

    @property
    def max_length(self) -> int:
        return int(self._model.max_seq_length or 0)

    def embed(
        self,
        texts: Sequence[str],
        batch_size: int = 32,
        prompt: str | None = None,
        prompt_name: str | None = None,
        input_type: str = "document",
    ) -> npt.NDArray[np.float32]:
        if prompt is None and prompt_name is None and input_type in self.prompts:
            prompt_name = input_type
        if prompt_name is not None and prompt_name not in self._model.prompts:
            known = ", ".join(self.prompts) or "it has none"
            raise UsageError(
                f"prompt_name '{prompt_name}' isn't among the model's prompts ({known})"
            )
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        vectors: npt.NDArray[np.float32] = self._model.encode(
            list(texts),
            batch_size=batch_size,
            prompt=prompt,
            prompt_name=prompt_name if prompt is None else None,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        self.tokens += self._count_tokens(texts)
        return np.ascontiguousarray(vectors, dtype=np.float32)

    def _count_tokens(self, texts: Sequence[str]) -> int:
        encoded = self._model.tokenizer(list(texts), truncation=True, max_length=self.max_length)
        return sum(map(len, encoded["input_ids"]))
