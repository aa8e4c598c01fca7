"""`cmake --install`, and a program built outside of the tree with it: by find_package and by pkg-config."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import embedforge

ROOT = Path(__file__).parents[2]
TEXTS = ["It rains in Berlin", "Somebody is playing the guitar", "A dog runs"]


def sh(*command: object, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("prefix")
    sh("cmake", "--install", ROOT / "build", "--prefix", prefix)
    return prefix


def check(program: Path, model: Path, embedder: embedforge.Embedder, **environment: str) -> None:
    lines = sh(program, model, "music", *TEXTS, **environment).splitlines()
    assert next(line[8:] for line in lines) == TEXTS[1]
    scores = sorted(embedder.encode(TEXTS) @ embedder.encode("music"), reverse=True)
    assert [float(line[:6]) for line in lines] == pytest.approx(scores, abs=2e-4)
    refused = subprocess.run([program, "/nowhere", "x", "y"], capture_output=True, text=True)
    if not environment:
        assert refused.returncode == 3
        assert "/nowhere" in refused.stderr


def test_find_package(
    prefix: Path, tmp_path: Path, converted: Path, embedder: embedforge.Embedder
) -> None:
    sh("cmake", "-S", ROOT / "examples" / "cpp", "-B", tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")
    sh("cmake", "--build", tmp_path)
    check(tmp_path / "search", converted, embedder)


def test_pkg_config(
    prefix: Path, tmp_path: Path, converted: Path, embedder: embedforge.Embedder
) -> None:
    found = next(prefix.rglob("embedforge.pc")).parent
    flags = sh("pkg-config", "--cflags", "--libs", "embedforge", PKG_CONFIG_PATH=str(found)).split()
    program = tmp_path / "search"
    sh("g++", ROOT / "examples" / "cpp" / "search.cc", "-o", program, *flags)
    libraries = str(next(prefix.rglob("libembedforge.so")).parent)
    check(program, converted, embedder, LD_LIBRARY_PATH=libraries)


def test_only_the_api_is_exported(prefix: Path) -> None:
    library = next(prefix.rglob("libembedforge.so"))
    symbols = sh("nm", "-DC", "--defined-only", library).splitlines()
    names = [line.split(" ", 2)[2] for line in symbols]
    assert any(name.startswith("embedforge::Embedder::encode") for name in names)
    assert all("embedforge" in name for name in names), names


def test_the_installed_command_runs(prefix: Path) -> None:
    assert sh(prefix / "bin" / "embedforge", "--version").startswith("embedforge ")


def declared(header: Path) -> set[str]:
    """The qualified names of the functions that a public header declares and doesn't define itself."""
    text = re.sub(r"//[^\n]*", "", header.read_text())
    text = re.sub(r"= (default|delete|\{\})", "", text)
    while text != (text := re.sub(r"<[^<>;{}]*>", "", text)):  # template arguments
        pass
    found: set[str] = set()
    scopes: list[str] = []
    for statement, end in re.findall(r"([^;{}]*)([;{}])", text):
        words = " ".join(statement.split())
        if end == "}":
            scopes.pop()
        elif end == "{":
            scope = re.search(r"\b(?:class|struct|namespace) (\w+)", words)
            scopes.append(scope[1] if scope else "")
        elif "(" in words and "" not in scopes and "= 0" not in words:
            name = re.search(r"([~\w]+) ?\(", words)
            if name and not words.startswith(("using", "friend", "static_assert")):
                found.add("::".join([*scopes, name[1]]))
    return found


def test_every_public_function_is_exported(prefix: Path) -> None:
    library = next(prefix.rglob("libembedforge.so"))
    exported = sh("nm", "-DC", "--defined-only", library)
    made = sh("nm", "-C", "--defined-only", *(ROOT / "build").glob("src/**/libef_*.a"))
    headers = sorted((prefix / "include" / "embedforge").glob("*.h"))
    assert len(headers) > 8
    names = set().union(*map(declared, headers))
    assert {"embedforge::Reranker::score", "embedforge::pull", "embedforge::cached_models"} <= names
    for name in sorted(names):
        symbols = set(re.findall(rf" [TW] ({re.escape(name)}(?:\[abi:\w+\])?\(.*)", made))
        assert symbols, f"{name} is declared and not there"
        missing = [symbol for symbol in symbols if symbol not in exported]
        assert not missing, missing
