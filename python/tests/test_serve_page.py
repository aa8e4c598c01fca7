"""The playground page of `embedforge serve`, in a headless Chromium against the running server.

The tests of a browser run where there is one: `./dev test --integrations` installs it.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import embedforge
from devtools import Browser, find_browser
from serving import post, serving, write_classifier

PAGE = Path(__file__).parents[2] / "src" / "serve" / "page" / "playground.html"
TEXTS = [
    "The cat sleeps on the windowsill.",
    "A kitten naps in the sun.",
    "Interest rates rose again.",
    "Grüße aus Köln, 😀!",
]
KEY = "sk-page"
browser_only = pytest.mark.skipif(
    find_browser() is None and "EMBEDFORGE_INTEGRATIONS" not in os.environ,
    reason="no Chromium: ./dev test --integrations installs one",
)


@pytest.fixture(scope="module")
def server(converted: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("page") / "log", converted) as url:
        yield url + "/"


@pytest.fixture
def page(server: str, tmp_path: Path) -> Iterator[Browser]:
    program = find_browser()
    assert program is not None, "install chromium-headless-shell"
    with Browser(program, tmp_path) as browser:
        browser.look(1400)
        browser.open(server)
        browser.wait_for("document.getElementById('about').textContent")
        yield browser


def fill(page: Browser, texts: list[str], query: str = "") -> None:
    page.evaluate(f"document.getElementById('texts').value = {json.dumps(chr(10).join(texts))}")
    page.evaluate(f"document.getElementById('query').value = {json.dumps(query)}")


def compare(page: Browser, texts: list[str], query: str = "") -> None:
    fill(page, texts, query)
    page.evaluate("document.getElementById('results').hidden = true")
    page.evaluate("document.getElementById('run').click()")
    page.wait_for("!document.getElementById('results').hidden")


def fail(page: Browser) -> str:
    page.evaluate("document.getElementById('run').click()")
    page.wait_for("!document.getElementById('error').hidden")
    return str(page.evaluate("document.getElementById('error').textContent"))


def column(page: Browser, selector: str) -> list[str]:
    """The texts of what a selector finds, with a hyphen for a minus sign."""
    read = f"[...document.querySelectorAll({json.dumps(selector)})].map((x) => x.textContent)"
    return [str(text).replace("\u2212", "-") for text in page.evaluate(read)]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def test_the_page_stands_alone() -> None:
    text = PAGE.read_text()
    tags = Tags()
    tags.feed(text)
    for tag, attributes in tags.found:
        assert not {name for name in attributes if name.startswith("on") or name == "style"}, tag
        for name in ("src", "href", "action"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or ""), (tag, attributes)
    assert not re.search(r"url\(|@import|innerHTML|eval\(|import\(", text)
    assert ')playground"' not in text  # the end of the literal that it becomes


def test_the_server_hands_it_out(server: str) -> None:
    asked = urllib.request.Request(server, headers={"Accept": "text/html,*/*;q=0.8"})
    with urllib.request.urlopen(asked) as response:
        assert response.read().decode() == PAGE.read_text()
        policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", PAGE.read_text(), re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    with urllib.request.urlopen(server) as response:
        assert not response.headers["Content-Type"].startswith("text/html")


@browser_only
def test_similarities_are_the_librarys(page: Browser, converted: Path) -> None:
    compare(page, TEXTS, query="What do cats do?")
    vectors = embedforge.Embedder(converted).encode([*TEXTS, "What do cats do?"])
    expected = vectors @ vectors.T
    shown = np.array(column(page, "table.heat td[data-i]"), dtype=float).reshape(4, 4)
    assert np.abs(shown - expected[:4, :4]).max() <= 0.00501
    lists = "section[aria-labelledby=part-{}] .score"
    ranking = np.array(column(page, lists.format("ranking")), dtype=float)
    assert np.abs(ranking - np.sort(expected[4, :4])[::-1]).max() <= 0.000051
    pairs = np.array(column(page, lists.format("nearest-pairs")), dtype=float)
    upper = np.sort(expected[:4, :4][np.triu_indices(4, 1)])[::-1]
    assert np.abs(pairs - upper).max() <= 0.000051
    counts = embedforge.Embedder(converted).count_tokens(TEXTS)
    assert [int(text) for text in column(page, lists.format("tokens"))] == counts
    assert page.messages == []


@browser_only
def test_tokens_and_cuts(page: Browser) -> None:
    # 256 tokens are read: [CLS], 254 words of one token each, [SEP].
    words = ["cat"] * 254
    compare(page, [" ".join(words), " ".join([*words, "dog", "fox"]), "😀 é a"])
    assert column(page, "section[aria-labelledby=part-tokens] .score")[:2] == ["256", "258"]
    assert column(page, ".tokens del") == ["dog", "fox"]
    assert len(column(page, ".cut")) == 1
    lines = column(page, ".tokens")
    assert lines[2] == "3😀 é a"  # its number and all its characters
    assert page.messages == []


@browser_only
def test_many_texts_are_drawn(page: Browser) -> None:
    compare(page, [f"Text number {i} is about {i * i}" for i in range(60)])
    assert page.evaluate("document.querySelector('canvas').width") == 60
    assert not column(page, "table.heat")
    assert page.messages == []


@browser_only
def test_blocks_keys_and_figures(page: Browser) -> None:
    fill(page, ["One text", "of two lines", "", "Another"])
    page.evaluate("document.querySelector('input[value=block]').click()")
    page.evaluate("document.getElementById('texts').focus()")
    page.press("Enter", modifiers=2)
    page.wait_for("!document.getElementById('results').hidden")
    assert len(column(page, "table.heat tbody tr")) == 2
    page.wait_for("document.querySelectorAll('#figures dd').length === 8")
    assert page.messages == []


@browser_only
def test_everything_is_reached_by_tab(page: Browser) -> None:
    reached = set()
    page.evaluate("document.activeElement.blur()")
    for _ in range(16):
        page.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "texts", "query", "SUMMARY", "run", "live"} <= reached


@browser_only
def test_errors_are_in_plain_words(page: Browser, server: str) -> None:
    fill(page, [])
    assert "no text yet" in fail(page)
    fill(page, [f"{i}" for i in range(501)])
    assert "up to 500" in fail(page)
    fill(page, ["a"])
    # The server is gone: every request goes to a closed port.
    page.evaluate("window.fetch = () => Promise.reject(new TypeError('refused'))")
    assert "answer. Is it still running" in fail(page)
    body = json.dumps(json.dumps({"error": "queue full", "error_type": "overloaded"}))
    answer = f"new Response({body}, {{status: 429, headers: {{'retry-after': '3'}}}})"
    page.evaluate(f"window.fetch = () => Promise.resolve({answer})")
    assert "busy" in (said := fail(page)) and "3 seconds" in said and "queue full" in said
    assert page.messages == []


@browser_only
def test_a_server_with_keys_and_two_models(converted: Path, tmp_path: Path) -> None:
    program = find_browser()
    assert program is not None
    arguments = (converted, "--alias", f"small={converted}", "--api-key", KEY)
    with (
        serving(tmp_path / "log", *arguments) as url,
        Browser(program, tmp_path / "profile") as page,
    ):
        page.open(url + "/")
        page.wait_for("!document.getElementById('error').hidden")
        assert "API key" in page.evaluate("document.getElementById('error').textContent")
        assert page.evaluate("document.activeElement.id") == "key"
        page.evaluate(f"document.getElementById('key').value = '{KEY}'")
        compare(page, TEXTS)
        assert page.evaluate("document.getElementById('error').hidden")
        assert "small" in column(page, "#model option")
        page.evaluate("document.getElementById('model').value = 'small'")
        page.evaluate("document.getElementById('model').dispatchEvent(new Event('change'))")
        compare(page, TEXTS)
        assert len(column(page, "table.heat td[data-i]")) == 16
        assert page.evaluate("JSON.stringify(localStorage)").find(KEY) == -1


@browser_only
def test_a_reranker_ranks(model_folder: Path, tmp_path: Path) -> None:
    program = find_browser()
    assert program is not None
    write_classifier(tmp_path / "checkpoint", model_folder, ["LABEL_0"])
    embedforge.convert(tmp_path / "checkpoint", tmp_path / "reranker")
    with (
        serving(tmp_path / "log", tmp_path / "reranker") as url,
        Browser(program, tmp_path / "profile") as page,
    ):
        page.open(url + "/")
        page.wait_for("document.getElementById('run').textContent === 'Rank'")
        fill(page, TEXTS)
        assert "against a query" in fail(page)
        compare(page, TEXTS, query="cats")
        shown = np.array(column(page, "section[aria-labelledby=part-ranking] .score"), dtype=float)
        _, ranked = post(url + "/rerank", {"query": "cats", "texts": TEXTS})
        assert np.abs(shown - [one["score"] for one in ranked]).max() <= 0.000051
        assert not column(page, "table.heat") and page.messages == []


def axe_script() -> str:
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        assert "EMBEDFORGE_INTEGRATIONS" not in os.environ, "install axe-playwright-python"
        pytest.skip("no axe-core: ./dev test --integrations installs it")
    return (Path(spec.origin).parent / "axe.min.js").read_text()


@browser_only
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_accessible_and_fitting(page: Browser, width: int, scheme: str) -> None:
    """With EMBEDFORGE_SCREENSHOTS=DIR what was looked at is kept there."""
    compare(page, TEXTS, query="What do cats do?")
    page.evaluate("document.getElementById('key-details').open = true")
    page.look(width, scheme=scheme)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.look(width, height, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.wait_for(f"document.documentElement.dataset.theme === '{scheme}'")
    if folder := os.environ.get("EMBEDFORGE_SCREENSHOTS"):
        page.screenshot(Path(folder) / f"page_{width}_{scheme}.png")
    page.evaluate(axe_script())
    report = page.evaluate(
        "axe.run().then((report) => report.violations.map((one) =>"
        " one.id + ': ' + one.nodes.map((node) => node.html).join(' ')))"
    )
    assert report == []
    assert page.messages == []
