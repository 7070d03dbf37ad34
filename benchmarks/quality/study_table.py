"""The study's figures: per video, per variant with intervals, and as a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from app.commands.markdown import table
from benchmarks.quality.variants import known
from model.judging.evaluation import Figures, Values, interval

DEFAULT_NAME = "default"
COLUMNS = ("A-A", "A-V", "V-A", "V-V", "mAP A-V", "mAP V-A", "A2V", "V2A")
PERCENT = ("A2V", "V2A")

Made = dict[str, Any]  # what a fit gave for one variant: facts, and `videos`, the columns by video


def columns(figures: Figures) -> dict[str, Values]:
    """Return the figures per video by column; NaN where a video has none."""
    retrieval, rolled = figures.retrieval, figures.localization["rolled"]
    found = [retrieval[d]["mrr"] for d in ("AA", "AV", "VA", "VV")] + [retrieval[d]["map"] for d in ("AV", "VA")]
    return dict(zip(COLUMNS, [*found, *(rolled[crossing]["exact"] for crossing in PERCENT)], strict=True))


def row(name: str, made: dict[str, Made], control: dict[str, Made], control_name: str = DEFAULT_NAME) -> dict[str, Any]:
    """Return a variant's figures with intervals, over its seeds, and less the control's, over the seeds of both."""
    whole = {seed: one for seed, one in sorted(made.items()) if "videos" in one}
    paired = [seed for seed in whole if "videos" in control.get(seed, {})]
    facts: dict[str, Any] = {
        "about": known()[name],
        "seeds": [int(seed) for seed in whole],
        "errors": sorted({one["error"] for one in made.values() if "error" in one}),
        "fit_s": [round(one["fit_s"], 1) for one in whole.values()],
    }
    if not whole:
        return facts
    for key in ("generated_share", "kept_epoch"):
        facts[key] = [one[key] for one in whole.values() if key in one]
    facts["posterior"] = _posterior([one["posterior"] for one in whole.values() if "posterior" in one])
    facts["figures"] = {c: asdict(interval(over_seeds(whole, list(whole), c))) for c in COLUMNS}
    if paired and name != control_name:
        facts[f"minus_{control_name}"] = {
            c: asdict(interval(over_seeds(whole, paired, c) - over_seeds(control, paired, c))) for c in COLUMNS
        }
    return facts


def over_seeds(made: dict[str, Made], seeds: list[str], column: str) -> Values:
    """Return each video's mean over some seeds, NaN where it has no figure."""
    return np.asarray(np.mean([np.array(made[seed]["videos"][column], np.float64) for seed in seeds], axis=0))


def markdown(summary: dict[str, Any], split: str, control_name: str = DEFAULT_NAME) -> str:
    """Return the figures, the differences from the control with intervals, and what each variant is."""
    less, minus = f"less {'the default' if control_name == DEFAULT_NAME else control_name}", f"minus_{control_name}"
    rows = {name: facts for name, facts in summary.items() if "figures" in facts}
    differences = [
        [name, *(_difference(facts[minus][c], c in PERCENT) for c in COLUMNS)]
        for name, facts in rows.items()
        if minus in facts
    ]
    head = [
        f"variant ({split})",
        *_titles(),
        "active A, V",
        "KL A, V (nats)",
        "share",
        "seeds",
        "fit (s)",
    ]
    tables = [
        table(head, [[name, *_figures(facts)] for name, facts in rows.items()]),
        table([less, *_titles()], differences) if differences else "",
        "".join(f"- {name}: {facts['about']}\n" for name, facts in summary.items()),
        "".join(f"- {name} failed: {error}\n" for name, facts in summary.items() for error in facts["errors"]),
    ]
    return "\n".join(part for part in tables if part)


def _titles() -> list[str]:
    return [f"rolled {c} (%)" if c in PERCENT else c for c in COLUMNS]


def _figures(facts: dict[str, Any]) -> list[str]:
    figures = [_number(facts["figures"][c]["mean"], c in PERCENT) for c in COLUMNS]
    posterior, share = facts["posterior"], facts["generated_share"]
    return [
        *figures,
        ", ".join(f"{p['active_units']:.0f}" for p in posterior.values()) or "-",
        ", ".join(f"{p['kl_nats']:.1f}" for p in posterior.values()) or "-",
        ", ".join(f"{s:g}" for s in share) or "-",
        str(len(facts["seeds"])),
        f"{np.mean(facts['fit_s']):.0f}",
    ]


def _posterior(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the mean over seeds, by modality."""
    return {m: {k: float(np.mean([f[m][k] for f in found])) for k in found[0][m]} for m in found[0]} if found else {}


def _number(value: float | None, percent: bool) -> str:
    if value is None:
        return "-"
    return f"{100 * value:.1f}" if percent else f"{value:.3f}".removeprefix("0")


def _difference(found: dict[str, float | None], percent: bool) -> str:
    """Return a mean and its interval, marked where zero lies outside."""
    values = [found[key] for key in ("mean", "low", "high")]
    known = [v for v in values if v is not None]
    if len(known) < len(values):
        return "-"
    mean, low, high = (f"{100 * v:+.1f}" if percent else f"{v:+.3f}".replace("0.", ".") for v in known)
    return f"{mean} [{low}, {high}]" + (" *" if known[1] * known[2] > 0 else "")
