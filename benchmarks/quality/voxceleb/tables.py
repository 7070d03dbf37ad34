"""The figures of the study as tables in Markdown."""

from __future__ import annotations

from typing import Any

from app.commands.markdown import table

TITLES = {"AA": "A-A", "AV": "A-V", "VA": "V-A", "VV": "V-V"}
SUPERVISED = "msvae_published"


def markdown(report: dict[str, Any]) -> str:
    """Return the sizes, and for each protocol the MRR, the differences and the clusters."""
    lines = [
        f"{report['source']}: {report['identities']} identities, {report['videos']} videos, {report['seconds']} "
        f"seconds; {report['seeds']} seeds, {report['galleries']} galleries; intervals: 95 %, over identities\n"
    ]
    for name, found in report["protocols"].items():
        sizes = {part: f"{of['videos']} videos of {of['identities']}" for part, of in found["sizes"].items()}
        lines += [
            f"`{name}`: trained on {sizes['train']} identities, {sizes['held_out']} held out, {sizes['test']} judged\n",
            _rows(f"MRR by identity, {name}", found["mrr"], "", found["fit_s"]),
            _rows("msvae_w minus", found["msvae_w_minus"], "+"),
            table(
                ["clusters", "points", "identities", "clusters", "noise (%)", "NMI", "adjusted MI", "adjusted Rand"],
                [[of, *_agreement(facts)] for of, facts in found["clusters"].items()],
            ),
        ]
    return "\n".join([*lines, "† sees identities: their order is that of its steps.\n"])


def _rows(title: str, rows: dict[str, Any], sign: str, fit_s: dict[str, float] | None = None) -> str:
    head = [title, *TITLES.values(), *(["fit (s)"] if fit_s else [])]
    lines = [
        [f"{name} †" if name == SUPERVISED else name, *(_figure(of[direction], sign) for direction in TITLES)]
        + ([f"{fit_s[name]:.0f}"] if fit_s else [])
        for name, of in rows.items()
    ]
    return table(head, lines)


def _figure(found: dict[str, Any], sign: str) -> str:
    if found["low"] is None:
        return _number(found["mean"], sign)
    return f"{_number(found['mean'], sign)} [{_number(found['low'], sign)}, {_number(found['high'], sign)}]"


def _agreement(found: dict[str, Any]) -> list[str]:
    counts = [str(found[key]) for key in ("points", "identities", "clusters")]
    return [
        *counts,
        f"{100 * found['noise']:.0f}",
        *(_number(found[k]) for k in ("nmi", "adjusted_mi", "adjusted_rand")),
    ]


def _number(value: float, sign: str = "") -> str:
    """Return three digits, without a leading zero."""
    return f"{value:{sign}.3f}".replace("0.", ".", 1)
