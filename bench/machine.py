"""What the tables say of the machine that they were made on."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """Its name, as the kernel gives it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()
