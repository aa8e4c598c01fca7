"""An engine of a Python package in a process of its own, for `embedforge bench` (built into the command).

The first line on standard input says what to run:
  engine, checkpoint, onnx, fused, work, threads, max_length, pooling, lower, normalize, calibration
With {"prepare": true} in it the files that the engine needs are made, once, in the folder `work`. Otherwise the engine is loaded, and
lines follow: {"add": name, "texts": [texts]}, {"choose": [names]} and {"run": name, "warm": s, "seconds": s, "calls": n,
"vectors": bool}: calls with the last texts for `warm` seconds, then with all of them, timed, until `seconds` are over or there are
`calls`. Each line is answered by one; after one with "rows" come the vectors as float32.

A setting is one way to run the engine: "all:32" has one session with all threads and batches of 32; "split:8" has a session with one
thread for each thread and batches of 8. The longest texts go first, so that no thread waits for one at the end. `choose` takes each
workload's fastest.
"""

from __future__ import annotations

import ctypes
import gc
import inspect
import json
import os
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = {
    "torch": "torch sentence-transformers",
    "onnxruntime": "onnxruntime tokenizers numpy",
    "onnxruntime:int8": "onnxruntime onnx tokenizers numpy",
    "openvino": "openvino tokenizers numpy",
    "openvino:int8": "openvino nncf tokenizers numpy",
    "ctranslate2": "ctranslate2 transformers torch tokenizers numpy",
}
Run = Callable[[dict[str, Any]], Any]  # padded inputs -> last hidden states
Encode = Callable[[list[str]], Any]
Workloads = dict[str, list[str]]  # texts by name


class Peer:
    """Files and padded batches; what each engine adds is in its functions below."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.work = Path(spec["work"])
        self.threads = int(spec["threads"])
        self.made: dict[str, Encode] = {}

    def tokenizer(self, pad: bool = True) -> Any:
        from tokenizers import Tokenizer

        folder = Path(self.spec["onnx"]).parent
        while not (folder / "tokenizer.json").exists() and folder != folder.parent:
            folder = folder.parent
        out = Tokenizer.from_file(str(folder / "tokenizer.json"))
        out.enable_truncation(self.spec["max_length"])
        out.no_padding()
        if pad:
            out.enable_padding()
        return out

    def feed(self, tokenizer: Any, texts: list[str]) -> dict[str, Any]:
        import numpy as np

        encoded = tokenizer.encode_batch([t.lower() if self.spec["lower"] else t for t in texts])
        return {
            "input_ids": np.array([e.ids for e in encoded], np.int64),
            "attention_mask": np.array([e.attention_mask for e in encoded], np.int64),
            "token_type_ids": np.array([e.type_ids for e in encoded], np.int64),
        }

    def pooled(self, hidden: Any, mask: Any) -> Any:
        import numpy as np

        if self.spec["pooling"] == "cls":
            out = hidden[:, 0]
        else:
            weights = mask[:, :, None].astype(np.float32)
            out = (hidden * weights).sum(1) / weights.sum(1)
        if self.spec["normalize"]:
            out = out / np.linalg.norm(out, axis=1, keepdims=True)
        return out

    def batched(self, batch: int, runs: list[Run]) -> Encode:
        """Batches of texts of similar length, taken by as many threads as there are runs."""
        import numpy as np

        tokenizer = self.tokenizer()

        def take(run: Run, texts: list[str], parts: Any, out: list[Any]) -> None:
            while True:
                try:
                    part = parts.get_nowait()
                except queue.Empty:
                    return
                feed = self.feed(tokenizer, [texts[i] for i in part])
                rows = self.pooled(run(feed), feed["attention_mask"])
                for i, row in zip(part, rows):  # noqa: B905 (Python 3.9 has no strict)
                    out[i] = row

        def encode(texts: list[str]) -> Any:
            order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
            parts: Any = queue.SimpleQueue()
            for i in range(0, len(order), batch):
                parts.put(order[i : i + batch])
            out: list[Any] = [None] * len(texts)
            workers = [
                threading.Thread(target=take, args=(run, texts, parts, out)) for run in runs[1:]
            ]
            for worker in workers:
                worker.start()
            take(runs[0], texts, parts, out)
            for worker in workers:
                worker.join()
            return np.array(out, np.float32)

        return encode

    def encoder(self, setting: str) -> Encode:
        if setting not in self.made:
            self.made[setting] = MAKERS[self.spec["engine"].partition(":")[0]](self, setting)
        return self.made[setting]

    def files(self) -> list[Path]:
        """What the engine reads the weights from."""
        checkpoint = Path(self.spec["checkpoint"])
        return {
            "torch": [*checkpoint.glob("*.safetensors"), *checkpoint.glob("pytorch_model*.bin")],
            "onnxruntime": [Path(self.spec["onnx"])],
            "onnxruntime:int8": [self.work / "ort_int8.onnx"],
            "openvino": [Path(self.spec["onnx"])],
            "openvino:int8": [self.work / "ov_int8.xml", self.work / "ov_int8.bin"],
            "ctranslate2": [self.work / "ct2" / "model.bin"],
        }[self.spec["engine"]]


def split_of(peer: Peer, setting: str) -> tuple[int, int, int]:
    """Sessions, threads of each, batch."""
    mode, batch = setting.split(":")[-2:]
    return (1, peer.threads, int(batch)) if mode == "all" else (peer.threads, 1, int(batch))


def torch(peer: Peer, setting: str) -> Encode:
    import torch as pytorch

    if setting == "sentence-transformers:32":
        from sentence_transformers import SentenceTransformer

        whole = SentenceTransformer(peer.spec["checkpoint"], device="cpu")
        whole.max_seq_length = peer.spec["max_length"]

        def encode(texts: list[str]) -> Any:
            pytorch.set_num_threads(peer.threads)
            return whole.encode(texts, batch_size=32, show_progress_bar=False)

        return encode
    from transformers import AutoModel

    model = AutoModel.from_pretrained(peer.spec["checkpoint"]).eval()
    sessions, threads, batch = split_of(peer, setting)

    def run(feed: dict[str, Any]) -> Any:
        with pytorch.inference_mode():
            tensors = {k: pytorch.from_numpy(v) for k, v in feed.items() if k in names}
            return model(**tensors).last_hidden_state.numpy()

    names = inspect.signature(model.forward).parameters
    inner = peer.batched(batch, [run] * sessions)

    def with_threads(texts: list[str]) -> Any:
        pytorch.set_num_threads(threads)
        return inner(texts)

    return with_threads


def onnxruntime(peer: Peer, setting: str) -> Encode:
    import onnxruntime as runtime

    sessions, threads, batch = split_of(peer, setting)
    file = peer.files()[0] if not setting.startswith("fused:") else Path(peer.spec["fused"])

    def session() -> Run:
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        made = runtime.InferenceSession(
            str(file),
            options,
            providers=["CPUExecutionProvider"],
            disabled_optimizers=["SkipLayerNormFusion"] if setting.startswith("no-skip:") else [],
        )
        names = {i.name for i in made.get_inputs()}
        return lambda feed: made.run(None, {k: v for k, v in feed.items() if k in names})[0]

    return peer.batched(batch, [session() for _ in range(sessions)])


def openvino(peer: Peer, setting: str) -> Encode:
    import openvino as runtime

    sessions, _, batch = split_of(peer, setting)
    core = runtime.Core()
    compiled = core.compile_model(
        core.read_model(str(peer.files()[0])),
        "CPU",
        {"INFERENCE_NUM_THREADS": peer.threads, "NUM_STREAMS": sessions},
    )
    names = {name for i in compiled.inputs for name in i.names}

    def request() -> Run:
        made = compiled.create_infer_request()
        return lambda feed: made.infer({k: v for k, v in feed.items() if k in names})[0].copy()

    return peer.batched(batch, [request() for _ in range(sessions)])


def ctranslate2(peer: Peer, setting: str) -> Encode:
    import ctranslate2 as runtime
    import numpy as np

    sessions, threads, batch = split_of(peer, setting)
    model = runtime.Encoder(
        str(peer.work / "ct2"),
        device="cpu",
        compute_type="int8",
        inter_threads=sessions,
        intra_threads=threads,
    )

    def run(feed: dict[str, Any]) -> Any:
        lengths = feed["attention_mask"].sum(1)
        ids = [row[:n].tolist() for row, n in zip(feed["input_ids"], lengths)]  # noqa: B905
        return np.array(model.forward_batch(ids).last_hidden_state)

    return peer.batched(batch, [run] * sessions)


MAKERS = {maker.__name__: maker for maker in (torch, onnxruntime, openvino, ctranslate2)}
PADDED = ["all:32", "split:8"]
SETTINGS = {
    "torch": ["sentence-transformers:32", *PADDED],
    "onnxruntime": [*PADDED, "fused:all:32", "fused:split:8"],
    "onnxruntime:int8": [*PADDED, "no-skip:all:32", "no-skip:split:8"],
}


def settings(peer: Peer) -> list[str]:
    engine = peer.spec["engine"]
    if engine == "torch" and not peer.spec["pooling"]:  # other pooling, or layers after it
        return SETTINGS["torch"][:1]
    fused = bool(peer.spec["fused"])
    return [s for s in SETTINGS.get(engine, PADDED) if fused or not s.startswith("fused:")]


def prepare(peer: Peer) -> None:
    """Makes the files, unless they are there, as the package's own documentation has it."""
    engine, source, target = peer.spec["engine"], peer.spec["onnx"], peer.files()[0]
    if target.exists():
        return
    if engine == "onnxruntime:int8":  # per channel, reduced range: no saturation without VNNI
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(
            source, str(target), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
        )
    elif engine == "openvino:int8":
        import nncf
        import openvino as runtime

        model = runtime.convert_model(source)
        names = {name for i in model.inputs for name in i.names}
        tokenizer, texts = peer.tokenizer(), peer.spec["calibration"]

        def feed(text: str) -> dict[str, Any]:
            return {k: v for k, v in peer.feed(tokenizer, [text]).items() if k in names}

        made = nncf.quantize(
            model,
            nncf.Dataset(texts, feed),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(texts),
        )
        runtime.save_model(made, str(target))
    elif engine == "ctranslate2":
        from ctranslate2.converters import TransformersConverter

        TransformersConverter(peer.spec["checkpoint"]).convert(str(peer.work / "ct2"), force=True)


TRY = {"warm": 0.1, "seconds": 0.05, "calls": 6}


def timed(encode: Encode, texts: list[str], request: dict[str, Any]) -> tuple[list[float], Any]:
    """The seconds of each call, and the last one's vectors."""
    start = time.perf_counter()
    while time.perf_counter() - start < request["warm"]:
        encode(texts[-32:])
    seconds: list[float] = []
    first = time.perf_counter()
    while True:
        begin = time.perf_counter()
        vectors = encode(texts)
        end = time.perf_counter()
        seconds.append(end - begin)
        if end - first >= request["seconds"] or len(seconds) >= request["calls"]:
            return seconds, vectors


def some_batches(texts: list[str]) -> list[str]:
    """About a hundred texts, in batches of neighbours in length, as all of them make."""
    order = sorted(texts, key=len, reverse=True)
    batches = [order[i : i + 32] for i in range(0, len(order), 32)]
    step = max(1, len(batches) // 3)
    return [text for batch in batches[step // 2 :: step] for text in batch]


def fastest(encoders: dict[str, Encode], texts: list[str]) -> str:
    """The setting with the least median of up to twenty tries in turn, each after calls in which the threads of the one
    before stop spinning; the first is cold. Those far behind after three are not tried on."""
    times: dict[str, list[float]] = {setting: [] for setting in encoders}
    typical = dict.fromkeys(encoders, 0.0)
    begin = time.perf_counter()
    for turn in range(21):
        left = [setting for setting in typical if typical[setting] <= 1.5 * min(typical.values())]
        if len(left) == 1 or (turn > 1 and time.perf_counter() - begin > 20):
            break
        for setting in left:
            times[setting].append(statistics.median(timed(encoders[setting], texts, TRY)[0]))
        if turn > 2:
            typical = {setting: statistics.median(times[setting][1:]) for setting in left}
    return min(left, key=lambda setting: statistics.median(times[setting][1:] or [0]))


def choose(peer: Peer, workloads: Workloads, names: list[str]) -> dict[str, str]:
    """Each workload's fastest setting, with some of its texts; the others' sessions are dropped."""
    encoders = {setting: peer.encoder(setting) for setting in settings(peer)}
    chosen = {name: fastest(encoders, some_batches(workloads[name])) for name in names}
    for setting in set(peer.made) - set(chosen.values()):
        del peer.made[setting]
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what was only tried must not count as the engine's memory
    return chosen


def main() -> None:
    # Libraries print; the descriptor of the answers must not be theirs.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(line: dict[str, Any], data: bytes = b"") -> None:
        answers.write(json.dumps(line).encode() + b"\n" + data)
        answers.flush()

    peer = Peer(json.loads(sys.stdin.buffer.readline()))
    engine = peer.spec["engine"]
    workloads: Workloads = {}
    chosen: dict[str, str] = {}
    first = settings(peer)[0]
    try:
        if peer.spec["prepare"]:
            prepare(peer)
            say({})
            return
        peer.encoder(first)
        size = sum(file.stat().st_size for file in peer.files())
        package = engine.partition(":")[0]
        say({"version": f"{package} {version(package)}", "bytes": size})
        for line in sys.stdin.buffer:
            request = json.loads(line)
            if "add" in request:
                workloads[request["add"]] = request["texts"]
                say({})
            elif "choose" in request:
                chosen = choose(peer, workloads, request["choose"])
                say({"chosen": chosen})
            else:
                name = request["run"]
                encode = peer.encoder(chosen.get(name, first))
                seconds, vectors = timed(encode, workloads[name], request)
                if request["vectors"]:
                    rows, columns = vectors.shape
                    data = vectors.astype("<f4").tobytes()
                    say({"seconds": seconds, "rows": rows, "columns": columns}, data)
                else:
                    say({"seconds": seconds})
    except ImportError as error:
        say({"missing": f"pip install {PACKAGES[engine]}", "reason": str(error)})
    except Exception as error:  # whatever a package throws is its row's reason
        say({"failed": " ".join(f"{type(error).__name__}: {error}".split())[:300]})


main()
