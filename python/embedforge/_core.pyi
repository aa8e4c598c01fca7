from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__version__: str

class Embedder:
    @staticmethod
    def load(
        model: str,
        file: str,
        tokenizer: str,
        threads: int,
        max_length: int,
        pooling: str | None,
        precision: str | None,
    ) -> Embedder: ...
    def encode(
        self,
        texts: Sequence[str],
        batch_size: int,
        normalize: bool,
        prompt_name: str,
        prompt: str,
        dimensions: int,
    ) -> npt.NDArray[np.float32]: ...
    @property
    def dimension(self) -> int: ...
    @property
    def max_length(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def model_path(self) -> str: ...

class Encoding:
    @property
    def ids(self) -> list[int]: ...
    @property
    def type_ids(self) -> list[int]: ...
    @property
    def tokens(self) -> list[str]: ...
    @property
    def offsets(self) -> list[tuple[int, int]]: ...

class Tokenizer:
    @staticmethod
    def load(path: str) -> Tokenizer: ...
    def encode(self, text: str, max_length: int, add_special_tokens: bool) -> Encoding: ...
    def decode(self, ids: Sequence[int], skip_special_tokens: bool) -> str: ...

def convert(
    model: str, out: str, opset: int, with_pooling: bool
) -> tuple[str, int, list[tuple[str, int]]]: ...
def optimize(
    model: str, out: str, level: str, disabled: Sequence[str], input: str
) -> tuple[str, str, int, int, float, list[tuple[str, int]], list[tuple[str, float, int, int]]]: ...
def quantize(
    model: str,
    output: str,
    calibration: Sequence[str],
    samples: int,
    excluded: Sequence[str],
    threads: int,
) -> tuple[str, int, int, int, list[float]]: ...
def prompts(model: str) -> dict[str, str]: ...
def tokenizer_folder(model: str) -> str: ...
