"""The tables of bench/serve_load.py's report."""

from __future__ import annotations

import re
import statistics
from pathlib import Path
from typing import Any

HEAD = "## Servers under load"  # as tools/results.py knows it


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def time(value: float) -> str:
    return f"{value / 1000:.1f} s" if value >= 10_000 else number(value)


def row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |\n"


def tables(report: dict[str, Any]) -> str:
    text = f"{HEAD}\n\n"
    turns = len(report["loads"])
    rounds = "once" if turns == 1 else f"in {turns} rounds; medians"
    text += (
        f"{report['processor']}, {report['date']}. all-MiniLM-L6-v2; each server on core {report['cores'][0]} alone, the client on core {report['cores'][1]}; "
        f"POST /v1/embeddings, one text a request, numbers as JSON.\n"
        f"All servers took turns of {report['seconds']:g} seconds {rounds}. Every server at the fastest of its settings (in brackets). "
        f"By `bench/serve_load.py`.\n"
        "Texts a second with 64 and 512 connections (wrk); one connection: half of the short requests are answered in …\n\n"
    )
    columns = ["short 64", "short 512", "mixed 64", "mixed 512"]
    text += row(
        "server", "", "short, 64", "short, 512", "mixed, 64", "mixed, 512", "one connection, ms"
    )
    text += row("---", "---", *["---:"] * 5)
    for kind, library in report["library"].items():
        rates = [number(statistics.median(library[name])) for name in ("short", "mixed")]
        latency = number(statistics.median(library["p50"]))
        text += row("*embedforge's encode(), no server*", kind, rates[0], "", rates[1], "", latency)
    for one in report["servers"]:
        name = one["name"] + (f" ({one['choice']})" if one["choice"] else "")
        cells = []
        for column in columns:
            rate = statistics.median(one["rates"][column])
            # These two take short texts first: what they answer before they have answered as many as wait is no rate.
            by_length = one["name"].startswith(("embedforge", "infinity"))
            enough = rate * report["seconds"] >= (int(column.split()[1]) if by_length else 30)
            cells.append(number(rate) if enough else "-")
        text += row(name, one["number"], *cells, number(statistics.median(one["p50"])))
    text += "\n-: answered too few in that time for a rate (embedforge and infinity take short texts first: fewer than there were connections).\n"
    measured = [one for one in report["servers"] if one["open_loop"]]
    if not measured:
        return text
    text += (
        f"\nRequests that come at a constant rate, whether or not the last ones were answered (k6, mixed texts, {report['open_seconds']:g} seconds), as a share of what the server "
        "does with 64 connections.\np50 / p99 of the accepted requests in ms, then the share refused (429) and, where there were any, failed or never sent "
        "because 1000 were open."
    )
    for flags in {one["open_flags"] for one in report["servers"]} - {""}:
        text += f" embedforge was started with `{flags}`: what would wait longer is refused."
    text += "\n\n"
    shares = list(measured[0]["open_loop"])
    text += row("server", "", *[f"{float(share):.0%}" for share in shares])
    text += row("---", "---", *["---:"] * len(shares))
    for one in measured:
        cells = []
        for share in shares:
            made = one["open_loop"][share]
            every = sum(made[key] for key in ("good", "busy", "other", "dropped"))
            cell = f"{time(made['p50'])} / {time(made['p99'])}"
            if made["busy"]:
                cell += f"; {made['busy'] / every:.0%} refused"
            for key, word in (("other", "failed"), ("dropped", "never sent")):
                if made[key] >= 0.005 * every:
                    cell += f"; {made[key] / every:.0%} {word}"
            cells.append(cell)
        text += row(one["name"], one["number"], *cells)
    return text


def write_part(path: Path, text: str) -> None:
    """Puts it where the part with its heading is, or at the end."""
    old = path.read_text() if path.exists() else ""
    part = re.compile(rf"^{HEAD}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    made = (
        part.sub(lambda _: text + "\n", old) if part.search(old) else old.rstrip() + "\n\n" + text
    )
    path.write_text(made.rstrip() + "\n")
