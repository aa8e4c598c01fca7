from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__version__: str

class TokenizedText:
    @property
    def ids(self) -> list[int]: ...
    @property
    def tokens(self) -> list[str]: ...
    @property
    def offsets(self) -> list[tuple[int, int]]: ...

class EmbedderInfo:
    @property
    def model_path(self) -> str: ...
    @property
    def runtime(self) -> str: ...
    @property
    def providers(self) -> list[str]: ...
    @property
    def inputs(self) -> list[str]: ...
    @property
    def outputs(self) -> list[str]: ...
    @property
    def pooling(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def max_length(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def prompts(self) -> dict[str, str]: ...

class Embedder:
    @staticmethod
    def load(
        model: str,
        file: str,
        tokenizer: str,
        backend: str,
        device: str,
        threads: int,
        max_length: int,
        pooling: str | None,
        precision: str | None,
        onnxruntime: dict[str, Any],
    ) -> tuple[Embedder, list[str]]: ...
    def encode(
        self,
        texts: Any,
        batch_size: int,
        normalize: bool,
        prompt_name: str,
        prompt: str,
        dimensions: int,
    ) -> npt.NDArray[np.float32]: ...
    def tokenize(self, text: str) -> TokenizedText: ...
    def count_tokens(self, text: str) -> int: ...
    def info(self) -> EmbedderInfo: ...
    @property
    def tokens_used(self) -> int: ...

class Client:
    @staticmethod
    def open(
        provider: str, model: str, base_url: str, api_key: str, timeout: float, retries: int
    ) -> Client: ...
    def embed(
        self,
        texts: Any,
        normalize: bool,
        dimensions: int,
        batch_size: int,
        input_type: str,
        prompt_name: str,
        prompt: str,
    ) -> npt.NDArray[np.float32]: ...
    def usage(self) -> tuple[int, int, int]: ...

def quantize_vectors(
    vectors: npt.NDArray[np.float32], precision: str, ranges: npt.NDArray[np.float32]
) -> npt.NDArray[Any]: ...
def cut_vectors(
    vectors: npt.NDArray[np.float32], dimensions: int, normalize: bool
) -> npt.NDArray[np.float32]: ...

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
    method: str,
    calibration: Sequence[str],
    default_texts: str,
    calibrate_method: str,
    samples: int,
    target_cosine: float,
    reduce_range: bool,
    excluded: Sequence[str],
    threads: int,
) -> dict[str, Any]: ...
def default_texts() -> list[str]: ...

_Tensor = tuple[str, list[int], bytes]

def read_graph(
    path: str,
) -> tuple[
    list[tuple[str, list[str], list[str], dict[str, Any]]],
    dict[str, _Tensor],
    list[str],
    list[str],
]: ...
def replace_tensors(
    source: str, out: str, tensors: dict[str, bytes], metadata: dict[str, str]
) -> None: ...
def prompts(model: str) -> dict[str, str]: ...
def tokenizer_folder(model: str) -> str: ...
