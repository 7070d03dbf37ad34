"""echolens benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from app.commands.markdown import table
from app.commands.options import DeviceOption
from app.commands.terminal import progress, say
from model.network.device import choose_device

if TYPE_CHECKING:
    from model.baselines.comparison import Protocol
    from model.baselines.published_protocol import Bug

RETRIEVAL = ("AA", "AV", "VA", "VV")
PLACES = (("plain", "A2V"), ("plain", "V2A"), ("rolled", "A2V"), ("rolled", "V2A"))


def benchmark_command(
    archive: Annotated[
        Path, typer.Option(exists=True, help="feature archive with labels and the splits train, val and test")
    ],
    save: Annotated[Path, typer.Option("--json", help="file to write the figures to, as JSON")],
    systems: Annotated[str, typer.Option(help="names of systems, separated by commas (default: all)")] = "",
    seeds: Annotated[int, typer.Option(min=1, help="number of training runs of each system")] = 5,
    galleries: Annotated[int, typer.Option(min=1, help="number of draws of one second per video")] = 20,
    split: Annotated[str, typer.Option(help="split to measure on")] = "test",
    protocol: Annotated[str, typer.Option(help="how to measure: corrected or published")] = "corrected",
    bugs: Annotated[
        str | None, typer.Option(help="errors of the published ranking to keep, separated by commas, or none; all else")
    ] = None,
    markdown: Annotated[Path | None, typer.Option(help="file to write the tables to, too")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="fits at the same time; with more than 1, one thread each")] = 1,
    device: DeviceOption = "auto",
) -> None:
    """Compare MS-VAE with other systems: train each on an archive's train split, choose on val, measure on test."""
    from model.baselines.comparison import Contest, compare, comparison_json
    from model.baselines.registry import systems_named
    from model.data.archive import load_archive

    chosen = [name.strip() for name in systems.split(",") if name.strip()]
    wanted = systems_named(chosen)
    for path in (save, markdown):
        if path and not path.parent.is_dir():
            raise typer.BadParameter(f"{path.parent} is no directory: make it first", param_hint="--json, --markdown")
    kept = _protocol(protocol, bugs)
    features = load_archive(archive)
    contest = Contest.on(features, split, galleries, kept, choose_device(device))
    with progress(len(wanted) * seeds, "benchmark") as step:
        outcomes = compare(contest, wanted, seeds, jobs, step)
    facts = {"archive": features.sha256, "split": split, "seeds": seeds, "galleries": galleries}
    facts["own_pair_chance"] = contest.own_pair_chance()
    named = {"protocol": {"name": kept.name, "bugs": sorted(kept.bugs) if kept.name == "published" else []}}
    report = facts | comparison_json(outcomes) | named
    save.write_text(json.dumps(report, indent=1) + "\n")
    text = markdown_table(report)
    if markdown:
        markdown.write_text(text)
    say(text)


def markdown_table(report: dict[str, Any]) -> str:
    """Return the systems as tables: by class, exact match and overlap, own pair, each mean with its 95 % interval."""
    systems: dict[str, Any] = report["systems"]
    marks = {name: name if facts["label_free"] else f"{name} †" for name, facts in systems.items()}
    tables = [
        table(
            ["MRR", "A-A", "A-V", "V-A", "V-V", "mAP A-V", "mAP V-A", "fit (s)", "parameters"],
            [
                [
                    marks[name],
                    *(_text(facts["retrieval"][d]["mrr"]) for d in RETRIEVAL),
                    *(_text(facts["retrieval"][d]["map"]) for d in ("AV", "VA")),
                    f"{facts['train_s']:.0f}",
                    f"{facts['parameters']:,}",
                ]
                for name, facts in systems.items()
                if facts["retrieval"]["AV"]["mrr"]["mean"] is not None
            ],
        ),
        table(
            ["exact match (%)", *(f"{view} {way}" for view, way in PLACES), "rolled tIoU A2V", "rolled tIoU V2A"],
            [
                [
                    marks[name],
                    *(_text(facts["localization"][view][way]["exact"], 100) for view, way in PLACES),
                    *(_text(facts["localization"]["rolled"][way]["tiou"], 100) for way in ("A2V", "V2A")),
                ]
                for name, facts in systems.items()
            ],
        ),
        *([_own_pair_table(report, marks)] if report["own_pair_chance"] else []),
        "† uses labels or event marks.\n",
    ]
    return "\n".join(tables)


def _own_pair_table(report: dict[str, Any], marks: dict[str, str]) -> str:
    """Return how often a second finds its own pair among one second of every video, chance in the first row."""
    chance: dict[str, float] = report["own_pair_chance"]
    figures = [(direction, figure) for direction in ("AV", "VA") for figure in chance]
    titles = [f"{figure.removeprefix('own_').replace('_', ' ')} {d[0]}-{d[1]}" for d, figure in figures]
    rows = [
        [marks[name], *(_text(facts["retrieval"][d][figure]) for d, figure in figures)]
        for name, facts in report["systems"].items()
        if facts["retrieval"]["AV"]["own_mrr"]["mean"] is not None
    ]
    return table(["own pair", *titles], [["chance", *(_share(chance[figure]) for _, figure in figures)], *rows])


def _protocol(name: str, bugs: str | None) -> Protocol:
    from model.baselines.comparison import PROTOCOLS, Protocol
    from model.baselines.published_protocol import BUGS

    if name not in PROTOCOLS:
        raise typer.BadParameter(f"{name!r} given, {' or '.join(PROTOCOLS)} expected", param_hint="--protocol")
    wanted = BUGS if bugs is None else {bug.strip() for bug in bugs.split(",")} - {"", "none"}
    if unknown := wanted - BUGS:
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))} given, some of {', '.join(sorted(BUGS))} expected", param_hint="--bugs"
        )
    return Protocol(name, frozenset(cast("Bug", bug) for bug in wanted))


def _text(figure: dict[str, float | None], scale: int = 1) -> str:
    """Return a mean and its interval, `.64 [.61, .67]`, or `33.1 [25.0, 41.2]` in percent."""
    mean, low, high = (figure[key] for key in ("mean", "low", "high"))
    if mean is None or low is None or high is None:
        return "-"
    if scale == 1:
        return "{} [{}, {}]".format(*map(_share, (mean, low, high)))
    return f"{scale * mean:.1f} [{scale * low:.1f}, {scale * high:.1f}]"


def _share(value: float) -> str:
    return f"{value:.3f}".removeprefix("0")
