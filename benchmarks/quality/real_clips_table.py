"""The figures of real clips as tables in Markdown."""

from __future__ import annotations

from typing import Any

from app.commands.markdown import table

COLUMNS = [("nine", "AV"), ("nine", "VA"), ("all", "AV"), ("all", "VA")]
TITLES = ["A-V of nine", "V-A of nine", "A-V of all", "V-A of all"]


def markdown(report: dict[str, Any]) -> str:
    """Return what a report has: own video, paired differences, calibration, sigma, kinds."""
    parts = [
        f"{report['videos']} videos, {report['paired_videos']} with sound and picture "
        f"({report['distinct_videos']} distinct, {report['paired_seconds']} seconds)\n"
    ]
    if "own_video" in report:
        parts += [
            f"Own video, five folds, {report['seeds']} seeds; 'nine' has {report['gallery_of_nine']:.1f} videos, "
            f"'all' {report['paired_videos']}\n",
            table(["MRR", *TITLES], [[n, *_own(of, "")] for n, of in report["own_video"].items()]),
            table(["paired", *TITLES], [[n, *_own(of, "+")] for n, of in report["paired"].items()]),
            _calibration(report["calibration_error"]),
            table(
                ["sigma and reciprocal rank (Spearman)", "A-V", "V-A"],
                [[n, *(figure(of[d], "+") for d in ("AV", "VA"))] for n, of in report["sigma_against_rank"].items()],
            ),
        ]
    if "kinds" in report:
        parts += _kinds(report["kinds"])
    return "\n".join(parts)


def figure(found: dict[str, Any] | None, sign: str = "") -> str:
    """Return a figure with its interval, as far as there are any."""
    if found is None:
        return "-"
    value = found["value"] if "value" in found else found["mean"]
    if value is None:
        return "-"
    if found["low"] is None:
        return _number(value, sign)
    return f"{_number(value, sign)} [{_number(found['low'], sign)}, {_number(found['high'], sign)}]"


def _own(found: dict[str, Any], sign: str) -> list[str]:
    return [figure(found[size][direction], sign) for size, direction in COLUMNS]


def _calibration(found: dict[str, Any]) -> str:
    directions = list(next(iter(found.values())))
    return table(
        ["calibration error of match", *directions],
        [[name, *(figure(of[d]) for d in directions)] for name, of in found.items()],
    )


def _kinds(found: dict[str, Any]) -> list[str]:
    models, chance = found["models"], found["chance"]
    first = next(iter(models.values()))
    rows = [
        ["right first", _number(chance["right_first"]), *(_both(m["right_first"]) for m in models.values())],
        [
            "right among three",
            _number(chance["right_among_three"]),
            *(_both(m["right_among_three"]) for m in models.values()),
        ],
        ["AUC of the best match", ".500", *(_both(m["auc_of_match"]) for m in models.values())],
        ["AUC of the distance", ".500", *(_both(m["auc_of_distance"]) for m in models.values())],
        ["said: nothing here matches", "", *(str(m["nothing"]["said"]) for m in models.values())],
        [
            "of these, of absent kinds",
            "",
            *(_number(m["nothing"]["of_absent_kinds"]) for m in models.values()),
        ],
        ["absent kinds noticed", "", *(_both(m["nothing"]["absent_noticed"]) for m in models.values())],
        ["present kinds lost", "", *(_both(m["nothing"]["present_lost"]) for m in models.values())],
    ]
    count = first["recordings"]
    by_kind = [
        [kind, str(facts["clips"])]
        + [
            " / ".join(
                _number(m["kinds"][kind][k]) for k in ("right_first", "right_among_three", "mean_match", "nothing")
            )
            for m in models.values()
        ]
        for kind, facts in first["kinds"].items()
    ]
    return [
        f"A kind's sound against {found['videos']} videos with a picture; recordings: {count['present']} of present "
        f"kinds, {count['absent']} of absent kinds. Intervals: over recordings; over kinds\n",
        table(["", "chance", *models], rows),
        table(["kind: first / among three / mean match / nothing", "clips", *models], by_kind),
    ]


def _both(found: dict[str, Any] | None) -> str:
    """Return a figure with the interval over recordings and that over kinds."""
    if found is None or found["by_kind"]["low"] is None:
        return figure(found)
    return f"{figure(found)}; [{_number(found['by_kind']['low'])}, {_number(found['by_kind']['high'])}]"


def _number(value: float | None, sign: str = "") -> str:
    """Return three digits, without a leading zero."""
    return "-" if value is None else f"{value:{sign}.3f}".replace("0.", ".", 1)
