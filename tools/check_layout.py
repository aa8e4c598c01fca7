"""Checks what docs/architecture.md promises of the sources: who may include whom, and how long a file may be.

Prints one line for each breach and exits 1 when there is any.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_LINES = 400

# Folder of src/ -> the folders whose headers it may include, besides its own and base/.
ALLOWED: dict[str, set[str]] = {
    "base": set(),
    "tokenize": set(),
    "graph": set(),
    "kernels": set(),
    "config": set(),
    "http": set(),
    "hub": {"http", "config", "graph"},
    "checkpoint": {"graph", "config"},
    "convert": {"checkpoint", "graph", "config", "hub"},
    "recognize": {"graph"},
    "passes": {"recognize", "graph", "config", "hub"},
    "quantize": {
        "embed",
        "backends",
        "engine",
        "plan",
        "graph",
        "kernels",
        "tokenize",
        "config",
        "hub",
    },
    "plan": {"recognize", "graph", "kernels"},
    "engine": {"plan", "graph", "kernels"},
    "backends": {"engine", "plan", "graph", "kernels", "http"},
    "embed": {"backends", "plan", "tokenize", "graph", "checkpoint", "config", "hub"},
}
# Headers of data alone, which the folder may include although it is below theirs.
DATA: dict[str, set[str]] = {"recognize": {"plan/program.h", "plan/weight.h"}}
ABOVE = {"serve", "pipeline", "evaluate", "benchmark"}  # these may include all that is below them

INCLUDE = re.compile(r'^\s*#\s*include\s+"(([^"/]+)/[^"]*)"', re.MULTILINE)


def sources() -> list[Path]:
    """The C++ and Python files that git knows or would add."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    paths = [ROOT / name for name in listed if name.endswith((".cc", ".h", ".py", ".pyi"))]
    return [path for path in paths if path.exists()]


def breaches(path: Path, text: str) -> list[str]:
    found = []
    name = path.relative_to(ROOT)
    lines = text.count("\n")
    if lines > MAX_LINES and "do not edit" not in text[:200]:
        found.append(f"{name}: {lines} lines, at most {MAX_LINES}")
    parts = name.parts
    if parts[0] != "src" or len(parts) < 3:
        return found
    folder = parts[1]
    if folder in ABOVE:
        return found
    if folder not in ALLOWED:
        return [*found, f"{name}: folder src/{folder} is not in tools/check_layout.py"]
    allowed = ALLOWED[folder] | {folder, "base", "embedforge"}
    for header, included in INCLUDE.findall(text):
        if included not in allowed and header not in DATA.get(folder, ()):
            found.append(f"{name}: {folder}/ must not include {included}/")
    return found


def main() -> int:
    found = [line for path in sources() for line in breaches(path, path.read_text())]
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
