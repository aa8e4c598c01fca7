"""The production client of the guide, by its own signature."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from embedforge import _core
from embedforge.embedder import Embedder
from embedforge.errors import NotSupportedError
from embedforge.texts import Texts


class ONNXEmbedder:
    """Texts to vectors with an .onnx file.

    `model_path` is a folder with an .onnx file in it or under onnx/, an .onnx file, or a hub id in the
    local cache; `tokenizer_path` a folder or hub id, by default that of the model. `device` is "cpu",
    "cuda" or "tensorrt". On a CPU the native engine runs the file, or ONNX Runtime where the engine
    can't; GPUs are ONNX Runtime's. Pooling is the model's own, mean where it says none.
    """

    def __init__(
        self,
        model_path: str,
        tokenizer_path: str | None = None,
        max_length: int = 256,
        device: str = "cpu",
        num_threads: int = 4,
    ) -> None:
        model_path = os.fspath(model_path)
        tokenizer = None
        if tokenizer_path is not None:
            tokenizer = os.fspath(tokenizer_path)
            if not Path(tokenizer).is_dir():
                tokenizer = _core.tokenizer_folder(tokenizer)

        def load(backend: str) -> Embedder:
            return Embedder(
                model_path,
                tokenizer=tokenizer,
                backend=backend,
                device=device,
                threads=num_threads,
                max_length=max_length,
            )

        if device in ("cuda", "tensorrt"):
            self._embedder = load("onnxruntime")
        else:
            try:
                self._embedder = load("native")
            except NotSupportedError as refusal:
                try:
                    self._embedder = load("onnxruntime")
                except NotSupportedError as missing:
                    raise NotSupportedError(f"{refusal} ({missing})") from None
        self.max_length = max_length
        self.input_names = self._embedder.info.inputs
        self.output_names = self._embedder.info.outputs
        self.providers = self._embedder.providers

    def encode(
        self,
        texts: Texts,
        batch_size: int = 32,
        normalize: bool = True,
        show_progress: bool = False,
    ) -> npt.NDArray[np.float32]:
        """(n, d) for texts, (d,) for one str."""
        return self._embedder.encode(
            texts, batch_size=batch_size, normalize=normalize, show_progress=show_progress
        )
