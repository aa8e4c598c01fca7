"""Breaks off `embedforge embed` at random moments and goes on with --resume: is the output the same to the byte?

embed_kill.py MODEL INPUT --kills 10 [--signal KILL|TERM|INT] [--output NAME.npy] [flags of embed]
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CLI = Path(__file__).parents[1] / "build" / "embedforge"


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("input")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--signal", default="KILL")
    parser.add_argument("--output", default="vectors.npy")
    parser.add_argument("--seed", type=int, default=1)
    given, flags = parser.parse_known_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        command = [str(CLI), "embed", given.model, given.input]
        start = time.monotonic()
        subprocess.run([*command, f"{one}/{given.output}", *flags], check=True)
        whole = time.monotonic() - start
        resumed = [*command, f"{other}/{given.output}", "--resume", *flags]
        kills = 0
        while True:
            process = subprocess.Popen(resumed, stderr=subprocess.PIPE, text=True)
            if kills < given.kills:
                try:
                    process.wait(draw.uniform(0.3, 1.5 * whole / given.kills))
                except subprocess.TimeoutExpired:
                    process.send_signal(getattr(signal, f"SIG{given.signal}"))
                    kills += 1
            message = process.communicate()[1].strip()
            print(process.returncode, message or "(killed)")
            if process.returncode == 0:
                break
        same = files_of(Path(one)) == files_of(Path(other))
        print(f"{kills} times broken off; {'the same to the byte' if same else 'DIFFERENT'}")
        return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
