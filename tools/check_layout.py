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

# Folders of src/, lowest first -> the folders whose headers they may include, besides their own and
# base/. Each names only folders above it in this list, so that nothing reaches back up.
ALLOWED: dict[str, set[str]] = {
    "base": set(),
    "tokenize": set(),
    "graph": set(),
    "config": set(),
    "checkpoint": {"graph", "config"},
    "http": set(),
    "hub": {"http", "config", "graph"},
    "convert": {"checkpoint", "graph", "config", "hub"},
    "recognize": {"graph"},
    "passes": {"recognize", "convert", "graph", "config", "hub"},
    "kernels": set(),
    "plan": {"recognize", "graph"},
    "engine": {"plan", "graph", "kernels"},
    "backends": {"engine", "plan", "recognize", "graph", "http"},
    "embed": {"backends", "convert", "plan", "tokenize", "graph", "checkpoint", "config", "hub"},
    "quantize": {
        "embed",
        "convert",
        "engine",
        "plan",
        "graph",
        "kernels",
        "tokenize",
        "config",
        "hub",
    },
    "evaluate": {"tokenize"},
    "pipeline": {"embed", "backends", "tokenize", "config", "hub"},
    "serve": {"embed", "backends", "plan", "tokenize", "config", "hub"},
    "benchmark": {"evaluate", "quantize", "engine", "kernels", "config", "hub"},
}
# Folders outside of src/ -> the folders of src/ whose headers they may include: what the public headers don't say.
OUTSIDE: dict[str, set[str]] = {
    "apps": set(ALLOWED) - {"http", "passes", "recognize"},
    "python/bindings": {"pipeline", "quantize", "tokenize", "config", "graph", "hub"},
    "bench": {"embed", "engine", "kernels", "plan", "graph", "tokenize", "base", "support"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"/]+)/[^"]*"', re.MULTILINE)
IMPORT = re.compile(
    r"^\s*(?:from embedforge\.([\w.]+) import|import embedforge\.([\w.]+))", re.MULTILINE
)


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


def allowed_for(name: Path) -> set[str] | None:
    """The folders of src/ that a file may include; None: any."""
    parts = name.parts
    if parts[0] == "src" and len(parts) > 2:
        return ALLOWED[parts[1]] | {parts[1], "base", "embedforge"}
    for folder, allowed in OUTSIDE.items():
        if name.is_relative_to(folder):
            return allowed | {"embedforge"}
    return None


def breaches(path: Path, text: str) -> list[str]:
    found = []
    name = path.relative_to(ROOT)
    lines = text.count("\n")
    if lines > MAX_LINES and "do not edit" not in text[:200]:
        found.append(f"{name}: {lines} lines, at most {MAX_LINES}")
    try:
        allowed = allowed_for(name)
    except KeyError as folder:
        return [*found, f"{name}: folder src/{folder.args[0]} is not in tools/check_layout.py"]
    if allowed is not None and path.suffix in (".cc", ".h"):
        found += [
            f"{name}: must not include {included}/"
            for included in INCLUDE.findall(text)
            if included not in allowed
        ]
    return found


def upward() -> list[str]:
    """What the table itself allows against its order."""
    order = list(ALLOWED)
    return [
        f"tools/check_layout.py: {folder}/ is above {below}/"
        for folder, allowed in ALLOWED.items()
        for below in allowed
        if order.index(below) > order.index(folder)
    ]


def circles() -> list[str]:
    """Modules of the Python package that import each other, also within functions."""
    package = ROOT / "python" / "embedforge"
    imports = {
        ".".join(path.relative_to(package).with_suffix("").parts): {
            (a or b) for a, b in IMPORT.findall(path.read_text())
        }
        for path in package.rglob("*.py")
        if path.name != "__init__.py"
    }

    def reach(module: str, seen: tuple[str, ...]) -> list[str]:
        if module in seen:
            return (
                [f"python/embedforge: {' -> '.join((*seen, module))}"] if module == seen[0] else []
            )
        return [one for other in imports.get(module, ()) for one in reach(other, (*seen, module))]

    return [circle for module in imports for circle in reach(module, ())]


def main() -> int:
    found = [line for path in sources() for line in breaches(path, path.read_text())]
    found += upward() + circles()
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
