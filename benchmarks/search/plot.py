"""Draw how the cost of a search grows with the library, and write its table.

    python -m benchmarks.search.plot OUT.json [OUT.json ...] --png docs/figures/search.png [--markdown OUT.md]

The JSON files are those of benchmarks/search/__main__.py, one for each size.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from app.commands.markdown import table

METHODS = {"certified": "#0b6e4f", "exhaustive": "#c44900", "faiss_flat": "#7a7a7a", "hnsw": "#3366cc"}
KINDS = {"single": "one query", "batch64": "a batch of 64 queries"}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", type=Path, nargs="+")
    parser.add_argument("--png", type=Path, required=True)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    reports = sorted((json.loads(path.read_text()) for path in arguments.reports), key=lambda r: r["items"])
    draw(reports, arguments.png)
    text = markdown_table(reports)
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)


def draw(reports: list[dict[str, Any]], path: Path) -> None:
    """Draw medians over sizes, whiskers to the 99th percentile, and the items that were scored exactly."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    FigureCanvasAgg(figure)
    single, batch, scored = figure.subplots(1, 3)
    items = [r["items"] for r in reports]
    for axes, (kind, title) in zip((single, batch), KINDS.items(), strict=True):
        for method, colour in METHODS.items():
            median = [r[kind][method]["median_ms"] for r in reports]
            worst = [max(0.0, r[kind][method]["p99_ms"] - m) for r, m in zip(reports, median, strict=True)]
            axes.errorbar(items, median, [[0] * len(items), worst], color=colour, marker="o", capsize=3, label=method)
        _label(axes, title, "ms, median and 99th percentile")
    survivors = [r["examined_share"] * r["items"] for r in reports]
    scored.plot(items, survivors, color=METHODS["certified"], marker="o")
    _label(scored, "items scored exactly for a proof", "items a query")
    scored.set(yscale="linear", ylim=(0, 1.5 * max(survivors)))
    single.legend(frameon=False)
    figure.savefig(path, dpi=110)


def markdown_table(reports: list[dict[str, Any]]) -> str:
    """Return medians, percentiles, recall and how many times exhaustive scoring takes."""
    head = ["items", "queries", "method", "median (ms)", "p99 (ms)", "recall", "exhaustive takes", "build (s)"]
    rows = []
    for report in reports:
        for kind, title in KINDS.items():
            for method in METHODS:
                row, floor = report[kind][method], report[kind]["exhaustive"]["median_ms"]
                rows.append(
                    [
                        f"{report['items']:,}",
                        title,
                        method,
                        f"{row['median_ms']:.1f}",
                        f"{row['p99_ms']:.1f}",
                        f"{row['recall']:.3f}",
                        f"{floor / row['median_ms']:.1f} times",
                        f"{report['build_s'][method]:.0f}",
                    ]
                )
    return table(head, rows)


def _label(axes: Axes, title: str, unit: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel="items", ylabel=unit, title=title)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
