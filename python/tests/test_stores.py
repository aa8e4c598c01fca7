"""Each program of examples/stores finds the right texts; those whose package isn't there are left out."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

STORES = Path(__file__).parents[2] / "examples" / "stores"
PACKAGES = {
    "faiss_store.py": "faiss",
    "usearch_store.py": "usearch",
    "duckdb_store.py": "duckdb",
    "lancedb_store.py": "lancedb",
    "chroma_store.py": "chromadb",
}


def test_no_example_is_forgotten() -> None:
    assert {path.name for path in STORES.glob("*_store.py")} == set(PACKAGES)


@pytest.mark.parametrize("name", PACKAGES)
def test_store(name: str, converted: Path) -> None:
    if importlib.util.find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]} isn't installed")
    done = subprocess.run(
        [sys.executable, STORES / name, converted], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "->" in done.stdout
