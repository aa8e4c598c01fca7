"""Never other vectors without a word: what a model folder says is obeyed as sentence-transformers does, or refused by name.

EMBEDFORGE_EVERY_KEY=full tries every change of every architecture (over 1,000; some minutes); without it a few of each.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import transformers

import every_key
import tiny_models

FULL = os.environ.get("EMBEDFORGE_EVERY_KEY") == "full"
pytestmark = pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) < 5, reason="the reference is transformers 5"
)


def some(changes: list, count: int) -> list:
    """Evenly chosen, unless all are asked for."""
    return changes if FULL else changes[:: max(1, len(changes) // count)][:count]


@pytest.fixture(scope="module", params=list(tiny_models.ARCHITECTURES))
def base(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, np.ndarray]:
    """A model folder, and the reference's vectors of it."""
    folder = tmp_path_factory.mktemp(request.param) / "base"
    tiny_models.make_model(request.param, folder)
    return folder, every_key.their_vectors(folder)


def check(base: tuple[Path, np.ndarray], changes: list, work: Path) -> Counter[str]:
    folder, unchanged = base
    outcomes: Counter[str] = Counter()
    wrong = []
    for change in changes:
        outcome, why = every_key.verdict(folder, change, work, unchanged)
        outcomes[outcome] += 1
        if outcome == "WRONG":
            wrong.append(f"{change}: {why}")
    print(dict(outcomes))
    assert not wrong, "\n".join(wrong)
    return outcomes


def test_unchanged(base: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, theirs = base
    assert every_key.difference(every_key.our_vectors(folder, tmp_path), theirs) == ""


def test_settings_of_the_architecture(base: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    check(base, some(every_key.config_changes(base[0]), 2), tmp_path)


def test_tensors(base: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    outcomes = check(base, some(every_key.tensor_changes(base[0]), 3), tmp_path)
    assert outcomes["refused"] > 0


@pytest.mark.parametrize("architecture", ["bert", "qwen3"] if FULL else ["bert"])
def test_settings_of_other_files(architecture: str, tmp_path: Path) -> None:
    folder = tmp_path / "base"
    tiny_models.make_model(architecture, folder)
    base = folder, every_key.their_vectors(folder)
    outcomes = check(base, some(every_key.folder_changes(), 12), tmp_path)
    assert outcomes["right"] > 0 and outcomes["refused"] > 0


def test_over_a_thousand_changes(tmp_path: Path) -> None:
    total = 2 * len(every_key.folder_changes())
    for architecture in tiny_models.ARCHITECTURES:
        tiny_models.make_model(architecture, tmp_path / architecture)
        total += len(every_key.config_changes(tmp_path / architecture))
    assert total > 1000


def test_would_fail(tmp_path: Path) -> None:
    """A setting that changes the reference's vectors and that nobody obeyed is found."""
    folder = tmp_path / "base"
    tiny_models.make_model("bert", folder)
    ours = every_key.our_vectors(folder, tmp_path / "ours")
    every_key.Change("config.json", "hidden_act", "relu").apply(folder)
    assert "cosine" in every_key.difference(ours, every_key.their_vectors(folder))
