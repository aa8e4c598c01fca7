"""Memory of one long text: the most that `embedforge encode` has resident (VmHWM), by tokens.

    build/venv/bin/python bench/long_texts.py MODEL [--file onnx/model_qint8_dynamic.onnx ...] [--embedforge build/embedforge]

MODEL is a converted folder of a model for long texts with all-MiniLM-L6-v2's tokenizer, such as one of tools/random_checkpoint.py.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

LENGTHS = (512, 1024, 2048, 4096, 8192)


def peak_mb(command: list[str]) -> float:
    """10^6 bytes."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--file", action="append", default=["onnx/model.onnx"])
    parser.add_argument("--embedforge", default="build/embedforge")
    flags = parser.parse_args()
    print("| file | " + " | ".join(map(str, LENGTHS)) + " | KB a token |")
    print("|---" * (len(LENGTHS) + 2) + "|")
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text"
        command = [flags.embedforge, "encode", flags.model, "--input", str(text), "--output"]
        for file in flags.file:
            peaks = []
            for tokens in (3, *LENGTHS):  # a first load packs the weights
                text.write_text("the " * (tokens - 2) + "\n")  # and a token before and after
                output = str(Path(folder) / "vector.npy")
                peaks.append(peak_mb([*command, output, "--file", file, "--threads", "1"]))
            slope = 1e3 * (peaks[-1] - peaks[-2]) / (LENGTHS[-1] - LENGTHS[-2])
            print(f"| {file} | " + " | ".join(f"{p:.0f}" for p in peaks[1:]) + f" | {slope:.1f} |")


if __name__ == "__main__":
    main()
