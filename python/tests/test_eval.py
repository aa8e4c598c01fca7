"""`embedforge eval`: its figures beside numpy's and sentence-transformers' own, and its exit status."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import embedforge
from texts import passages

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of passages that share more or fewer words."""
    words = " ".join(passages()[:40]).split()
    path = tmp_path_factory.mktemp("sts") / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        for i in range(60):
            left, shared = words[i * 9 : i * 9 + 12], i % 4
            right = left[: 3 * shared] + words[900 + i * 7 : 900 + i * 7 + 12 - 3 * shared]
            csv.writer(file).writerow([" ".join(left), " ".join(right), shared])
    return path


def test_figures_are_numpys(
    run: Run, converted: Path, embedder: embedforge.Embedder, pairs: Path
) -> None:
    from sentence_transformers.evaluation import EmbeddingSimilarityEvaluator

    done = run("eval", converted, "--compute", "int8", "--sts", pairs, "--json", "-")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with pairs.open(newline="", encoding="utf-8") as file:
        left, right, scores = zip(*csv.reader(file), strict=True)
    int8 = embedforge.Embedder(converted, precision="int8")
    texts = [*left, *right]
    a, b = int8.encode(texts), embedder.encode(texts)
    cosines = (a * b).sum(1)
    assert found["cosine"]["mean"] == pytest.approx(cosines.mean(), abs=1e-6)
    assert found["cosine"]["min"] == pytest.approx(cosines.min(), abs=1e-6)
    assert found["worst"][0]["text"] == texts[int(cosines.argmin())]

    def nearest(v: np.ndarray) -> np.ndarray:
        scores = v @ v.T
        np.fill_diagonal(scores, -2)
        return np.argsort(-scores, axis=1, kind="stable")[:, :10]

    shared = [len(set(x) & set(y)) for x, y in zip(nearest(a), nearest(b), strict=True)]
    assert found["neighbour_overlap_at_10"] == pytest.approx(np.mean(shared) / 10, abs=0.002)

    class Model:  # what the evaluator asks for
        similarity_fn_name = None
        model_card_data = None

        def encode(self, texts: list[str], **_: object) -> np.ndarray:
            return int8.encode(texts)

    evaluator = EmbeddingSimilarityEvaluator(
        list(left), list(right), [float(s) for s in scores], main_similarity="cosine"
    )
    evaluator.store_metrics_in_model_card_data = lambda *_: None  # type: ignore[method-assign]
    theirs = evaluator(Model())  # type: ignore[arg-type]
    assert found["spearman"]["model"] == pytest.approx(100 * theirs["spearman_cosine"], abs=1e-4)


def test_backends_are_compared(run: Run, converted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    libraries = (Path(onnxruntime.__file__).parent / "capi").glob("libonnxruntime.so*")
    monkeypatch.setenv("ONNXRUNTIME_LIB", str(next(libraries)))
    done = run("eval", converted, "--backend", "onnxruntime", "--json", "-")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["cosine"]["min"] > 0.99999


def test_missed_quality_is_exit_status_4(run: Run, converted: Path, pairs: Path) -> None:
    reached = ("--min-cosine", 0.99, "--min-worst-cosine", 0.98, "--max-spearman-loss", 2)
    assert run("eval", converted, "--compute", "int8", "--sts", pairs, *reached).returncode == 0
    for wanted in (("--min-cosine", 0.99999), ("--min-worst-cosine", 0.99999)):
        done = run("eval", converted, "--compute", "int8", *wanted)
        assert done.returncode == 4
        assert "0.99999" in done.stderr
        assert done.stderr.count("\n") == 1
        assert "worst" in done.stdout  # the report is there all the same


def test_bad_input_is_one_line(run: Run, converted: Path, tmp_path: Path) -> None:
    files = {
        "empty.txt": b"",
        "zero.txt": b"a\nb\0c\n",
        "binary.txt": bytes(range(256)),
        "large.txt": b"x\n" * 100_001,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        done = run("eval", converted, "--compute", "int8", "--texts", tmp_path / name)
        assert done.returncode == 3, name
        assert name in done.stderr
        assert done.stderr.count("\n") == 1
    assert run("eval", converted).returncode == 2  # with itself
    assert run("eval", converted, "--compute", "int8", "--texts", tmp_path).returncode == 3
    assert run("eval", converted, "--max-spearman-loss", 1).returncode == 2
