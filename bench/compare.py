"""Speed and fidelity side by side: embedforge in each precision, sentence-transformers (PyTorch), ONNX Runtime and, where it is
installed, OpenVINO, each in a process of its own, in turn, round after round, with the same number of threads.

    compare.py MODEL_FOLDER [--rounds 5] [--threads N] [--engines torch,onnxruntime,openvino,fp32,bf16,int8]

MODEL_FOLDER is what `embedforge convert` wrote. Speeds are medians, ratios are medians of the rounds' ratios, the cosine is to
PyTorch's vectors. Padded engines get their texts sorted by length, in batches of 8 for each thread.
"""

import argparse
import json
import os
import pydoc_data.topics as topics
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

Encode = Callable[[list[str]], np.ndarray]
PEERS = ("torch", "onnxruntime", "openvino")


def passages(count: int = 400) -> list[str]:
    """Real English prose, 5 to 400 words a text, about 60 in the middle: the documentation that Python carries."""
    draw = random.Random(7)
    words = re.sub(r"\s+", " ", " ".join(topics.topics.values())).split(" ")
    texts: list[str] = []
    at = 0
    while len(texts) < count:
        length = int(min(400, max(5, draw.lognormvariate(4.1, 0.8))))
        at = at if at + length <= len(words) else draw.randrange(500)
        texts.append(" ".join(words[at : at + length]))
        at += length
    return texts


def sentences(count: int) -> list[str]:
    return [f"Sample document number {i} with some content." for i in range(count)]


WORKLOADS = {
    "one text": sentences(1),
    "32 texts": sentences(32),
    "1000 sentences": sentences(1000),
    "400 passages": passages(),
}
REPEATS = {"one text": 40, "32 texts": 10}


def native(folder: str, precision: str, threads: int) -> Encode:
    from embedforge import Embedder

    return Embedder(folder, threads=threads, precision=precision).encode


def torch(folder: str, threads: int) -> Encode:
    import torch as pytorch
    from sentence_transformers import SentenceTransformer

    pytorch.set_num_threads(threads)
    model = SentenceTransformer(folder, device="cpu")
    return lambda texts: model.encode(texts, batch_size=32)


def padded(folder: str, run: Callable[[dict], np.ndarray]) -> Encode:
    """Sorted batches through `run`, which gives the last hidden states; their mean, normalized."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()

    def encode(texts: list[str]) -> np.ndarray:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = np.empty((len(texts), 0), np.float32)
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            encoded = tokenizer.encode_batch([texts[i] for i in part])
            mask = np.array([e.attention_mask for e in encoded], np.int64)
            ids = np.array([e.ids for e in encoded], np.int64)
            hidden = run(
                {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            )
            pooled = (hidden * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
            if out.shape[1] == 0:
                out = np.empty((len(texts), pooled.shape[1]), np.float32)
            out[part] = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
        return out

    return encode


def onnxruntime(folder: str, threads: int) -> Encode:
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    session = runtime.InferenceSession(
        f"{folder}/onnx/model.onnx", options, providers=["CPUExecutionProvider"]
    )
    return padded(folder, lambda feeds: session.run(None, feeds)[0])


def openvino(folder: str, threads: int) -> Encode:
    import openvino as runtime

    core = runtime.Core()
    model = core.read_model(f"{folder}/onnx/model.onnx")
    request = core.compile_model(
        model, "CPU", {"INFERENCE_NUM_THREADS": threads}
    ).create_infer_request()
    return padded(folder, lambda feeds: request.infer(feeds)[0].copy())


def serve(engine: str, folder: str, threads: int) -> None:
    """The child process: answers each workload's name with the seconds that one encoding took, and keeps the vectors."""
    makers = {"torch": torch, "onnxruntime": onnxruntime, "openvino": openvino}
    encode = (
        makers[engine](folder, threads) if engine in makers else native(folder, engine, threads)
    )
    encode(WORKLOADS["1000 sentences"][:64])
    print("ready", flush=True)
    for line in sys.stdin:
        name, path = line.rstrip("\n").split("\t")
        times = []
        for _ in range(REPEATS.get(name, 1)):
            begin = time.perf_counter()
            vectors = encode(WORKLOADS[name])
            times.append(time.perf_counter() - begin)
        np.save(path, vectors)
        print(json.dumps(statistics.median(times)), flush=True)


def start(engine: str, args: argparse.Namespace) -> subprocess.Popen[str] | None:
    command = [
        sys.executable,
        __file__,
        args.folder,
        "--serve",
        engine,
        "--threads",
        str(args.threads),
    ]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout and child.stderr
    if "ready" in child.stdout.readline():
        return child
    reason = child.stderr.read().strip().splitlines()[-1:] or ["it stopped"]
    print(f"{engine}: not measured: {reason[0]}", file=sys.stderr)
    return None


def ask(child: subprocess.Popen[str], workload: str, path: str) -> float:
    assert child.stdin and child.stdout
    child.stdin.write(f"{workload}\t{path}\n")
    child.stdin.flush()
    return float(child.stdout.readline())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--engines", default="torch,onnxruntime,openvino,fp32,bf16,int8")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.folder, args.threads)
        return 0
    started = {engine: start(engine, args) for engine in args.engines.split(",")}
    children = {engine: child for engine, child in started.items() if child}
    peers = [engine for engine in children if engine in PEERS]
    with tempfile.TemporaryDirectory() as folder:
        for workload, texts in WORKLOADS.items():
            times: dict[str, list[float]] = {engine: [] for engine in children}
            for _ in range(args.rounds):
                for engine, child in children.items():
                    times[engine].append(ask(child, workload, f"{folder}/{engine}.npy"))
            best = min(peers, key=lambda engine: statistics.median(times[engine]), default=None)
            print(
                f"\n{workload}, {args.threads} threads\n{'engine':14}{'ms':>10}{'texts/s':>10}{'x best peer':>13}{'cosine mean':>13}{'min':>9}"
            )
            for engine, seconds in times.items():
                middle = statistics.median(seconds)
                ratio = (
                    statistics.median(b / s for b, s in zip(times[best], seconds, strict=True))
                    if best
                    else float("nan")
                )
                cosine = np.full(1, np.nan)
                if "torch" in children:
                    cosine = (
                        np.load(f"{folder}/torch.npy") * np.load(f"{folder}/{engine}.npy")
                    ).sum(1)
                print(
                    f"{engine:14}{middle * 1e3:10.2f}{len(texts) / middle:10.1f}{ratio:13.2f}{cosine.mean():13.5f}{cosine.min():9.5f}",
                    flush=True,
                )
    for child in children.values():
        assert child.stdin
        child.stdin.close()
        child.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
