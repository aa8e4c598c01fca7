"""Real English prose for measurements: pieces of the Python language reference that comes with Python."""

from __future__ import annotations

import random
import re
from pydoc_data.topics import topics


def passages(count: int, seed: int) -> list[str]:
    """Consecutive pieces of 5 to 400 words, log-normal in length."""
    draw = random.Random(seed)
    words = re.sub(r"\s+", " ", " ".join(topics.values())).split(" ")
    out: list[str] = []
    at = 0
    while len(out) < count:
        size = int(min(400, max(5, draw.lognormvariate(4.1, 0.8))))
        if at + size > len(words):
            at = draw.randrange(500)
        out.append(" ".join(words[at : at + size]))
        at += size
    return out
