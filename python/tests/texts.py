"""Texts for the tests: short sentences in pairs as STS-B has them, awkward ones, and passages of real prose."""

from __future__ import annotations

import itertools
import pydoc_data.topics
import random
import re

_SUBJECTS = (
    "A man",
    "Two young women",
    "The old fisherman",
    "A brown dog",
    "Seven students",
    "Nobody",
    "My neighbour's cat",
    "The prime minister",
)
_ACTIONS = (
    "is playing a guitar",
    "are slicing tomatoes",
    "walked along the river",
    "refused to comment on the report",
    "is riding a horse in the snow",
    "bought 1,250 shares at $3.75",
    "was running through tall grass",
    "has repaired the engine",
)
_ENDINGS = (
    ".",
    " in the kitchen.",
    ", police said on Tuesday.",
    " - again!",
    "?",
    " near the café…",
)

AWKWARD = [
    "",
    " ",
    "\t\n",
    ".",
    "a",
    "ÉCOLE élève Ångström naïve façade",
    "深度学习 模型 嵌入",
    "これはテストです。",
    "Привет, мир!",
    "مرحبا بالعالم",
    "👩‍👩‍👧‍👦 family 🎉🎉",
    "zero\u200bwidth\u200djoiner and soft\u00adhyphen",
    "tab\tand\u00a0no-break space",
    "control \x00 \x07 \x1b characters",
    "\ufffd replacement and \ue000 private use",
    "[CLS] special [SEP] tokens [MASK] [PAD] [UNK]",
    "https://example.org/a/very/long/path?with=query&and=more#fragment",
    "def f(x: int) -> int:\n    return x ** 2  # comment",
    "antidisestablishmentarianism" * 12,
    "x" * 150,
    "word " * 600,
    "!?" * 300,
    "e\u0301 combining a\u0308 marks",
    "ﬁ ligature ① circled ½ fraction",
    "CamelCaseIdentifier snake_case_identifier kebab-case-identifier",
    "1234567890 3.14159 -42 1e-9 0x1F",
]


def sentences() -> list[str]:
    """Several hundred short sentences of every subject, action and ending, in a fixed order."""
    parts = list(itertools.product(_SUBJECTS, _ACTIONS, _ENDINGS))
    random.Random(5).shuffle(parts)
    return ["".join((f"{subject} {action}", ending)) for subject, action, ending in parts]


def passages(count: int = 500) -> list[str]:
    """Real prose (the language reference that Python carries) in passages of 5 to 400 words."""
    draw = random.Random(23)
    words = re.sub(r"\s+", " ", " ".join(pydoc_data.topics.topics.values())).split(" ")
    found: list[str] = []
    at = 0
    while len(found) < count:
        length = int(min(400, max(5, draw.lognormvariate(4.1, 0.9))))
        if at + length > len(words):
            at = draw.randrange(1000)
        found.append(" ".join(words[at : at + length]))
        at += length
    return found
