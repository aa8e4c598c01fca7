"""`embedforge bench` on a handful of texts: every engine that is installed, figures that agree with each other, and readable files."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from texts import passages

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The files that bench makes go with the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBEDFORGE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "texts.txt"
    path.write_text("\n".join(" ".join(p.split()[:12]) for p in passages()[:12]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def files(run: Run, model_folder: Path, workload: Path) -> dict[str, Path]:
    out = {name: workload.with_suffix(f".{name}") for name in ("json", "svg", "html")}
    done = run(
        "bench",
        model_folder,
        *("--against", "torch,onnxruntime,openvino", "--workload", workload, "--rounds", 2),
        *("--python", sys.executable, "--threads", 2),
        *("--json", out["json"], "--plot", out["svg"], "--html", out["html"]),
    )
    assert done.returncode == 0, done.stderr
    out["text"] = workload.with_suffix(".out")
    out["text"].write_text(done.stdout)
    return out


@pytest.fixture(scope="module")
def report(files: dict[str, Path]) -> dict[str, Any]:
    return json.loads(files["json"].read_text())


def test_every_speed_has_its_cosine(report: dict[str, Any]) -> None:
    assert report["reference"] == "torch"
    assert [w["name"] for w in report["workloads"]] == [
        "batch 1",
        "batch 8",
        "12 texts of texts.txt",
    ]
    for one in report["workloads"]:
        found = {row["engine"]: row for row in one["rows"]}
        assert {"torch", "onnxruntime", "onnxruntime:int8", "native", "native:int8"} <= set(found)
        for row in found.values():
            least = 0.95 if row["engine"] == "onnxruntime:int8" else 0.999
            assert least < row["cosine"]["min"] <= row["cosine"]["mean"] < 1.000001
            assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"]
            ratio = row["times_reference"]
            assert ratio["low"] <= ratio["value"] <= ratio["high"]
        assert found["native"]["cosine"]["min"] > 0.99999
        assert found["native:int8"]["cosine"]["mean"] > 0.9997
        assert found["torch"]["times_reference"]["value"] == 1
        assert one["best_peer"] in found


def test_engines_have_sizes_times_and_memory(report: dict[str, Any]) -> None:
    engines = {e["name"]: e for e in report["engines"] if "version" in e}
    assert engines["native"]["file_bytes"] == pytest.approx(90.3e6, rel=0.01)
    assert engines["native:int8"]["file_bytes"] < 26e6
    for engine in engines.values():
        assert 0 < engine["first_seconds"] < 60
        assert 0 < engine["load_seconds"] < 300
        assert 20e6 < engine["memory_bytes"] <= engine["peak_bytes"]


def test_a_round_takes_all_texts(run: Run, model_folder: Path, tmp_path: Path) -> None:
    texts = tmp_path / "many.txt"
    texts.write_text("".join(f"Text {i} has few words\n" for i in range(130)))
    flags = ("--against", "none", "--workload", texts, "--rounds", 3, "--json", "-")
    done = run("bench", model_folder, *flags)
    assert done.returncode == 0, done.stderr
    whole = json.loads(done.stdout)["workloads"][-1]
    assert (whole["name"], whole["texts"], whole["rounds"]) == ("130 texts of many.txt", 130, 3)
    for row in whole["rows"]:
        assert len(row["seconds"]) == 3
        middle = statistics.median(call for turn in row["seconds"] for call in turn)
        assert row["p50_ms"] == pytest.approx(1e3 * middle)
        assert row["texts_per_second"] == pytest.approx(130 / middle)
        assert row["cosine"]["min"] > 0.999


def test_what_is_not_installed_is_listed_with_its_command(
    report: dict[str, Any], files: dict[str, Path]
) -> None:
    if importlib.util.find_spec("openvino"):
        pytest.skip("openvino is installed")
    missing = {e["name"]: e for e in report["engines"] if "missing" in e}
    assert missing["openvino"]["install"] == "pip install openvino tokenizers numpy"
    for name in ("text", "html"):
        assert "pip install openvino tokenizers numpy" in files[name].read_text()


def test_plot_and_page_are_whole_and_self_contained(files: dict[str, Path]) -> None:
    plot = ElementTree.parse(files["svg"]).getroot()
    words = " ".join(plot.itertext())
    for word in ("milliseconds", "texts a second", "cosine mean / min", "native:int8"):
        assert word in words
    page = files["html"].read_text()
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag not in ("meta", "rect", "line", "br"):
                tags.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag not in ("rect", "line"):
                assert tags.pop() == tag

    Reader().feed(page)
    assert tags == []
    assert "<svg" in page


def test_bad_workloads_are_one_line(run: Run, converted: Path, tmp_path: Path) -> None:
    contents = {
        "empty.txt": b"",
        "blank.txt": b"\n\n\n",
        "zero.bin": b"a\0b\n",
        "model.bin": bytes(range(256)) * 40,
        "large.txt": b"x\n" * 100_001,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        done = run("bench", converted, "--against", "none", "--workload", tmp_path / name)
        assert done.returncode == 3, name
        assert name in done.stderr
        assert done.stderr.count("\n") == 1
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    done = run("bench", converted, "--against", "none", "--workload", huge)
    assert done.returncode == 3
    assert "more than" in done.stderr
    assert run("bench", converted, "--workload", "/dev/zero").returncode == 3
    assert run("bench", converted, "--against", "tensorflow").returncode == 2


def test_without_python_only_the_native_engine_is_measured(
    run: Run, model_folder: Path, workload: Path
) -> None:
    done = run(
        *("bench", model_folder, "--against", "onnxruntime,torch", "--workload", workload),
        *("--rounds", 1, "--python", "/nowhere/python3", "--json", "-"),
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["reference"] == "native"
    missing = {e["name"]: e["missing"] for e in found["engines"] if "missing" in e}
    assert "/nowhere/python3" in missing["onnxruntime"]
    assert "/nowhere/python3" in missing["torch"]
