"""echolens benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from app.commands.markdown import table
from app.commands.terminal import DeviceOption, out, progress
from model.baselines.comparison import PROTOCOLS, Contest, Protocol, compare, comparison_json
from model.baselines.published_protocol import BUGS, Bug
from model.baselines.registry import systems_named
from model.data.archive import load_archive
from model.network.device import choose_device

RETRIEVAL = ("AA", "AV", "VA", "VV")
PLACES = (("plain", "A2V"), ("plain", "V2A"), ("rolled", "A2V"), ("rolled", "V2A"))


def benchmark_command(
    archive: Annotated[Path, typer.Option(help="feature archive with labels and the splits train, val and test")],
    save: Annotated[Path, typer.Option("--json", help="where the figures go")],
    systems: Annotated[str, typer.Option(help="names with commas between; else all")] = "",
    seeds: Annotated[int, typer.Option(min=1)] = 5,
    galleries: Annotated[int, typer.Option(min=1, help="draws of one second per video")] = 20,
    split: Annotated[str, typer.Option(help="the split to judge on")] = "test",
    protocol: Annotated[str, typer.Option(help="corrected or published")] = "corrected",
    bugs: Annotated[
        str, typer.Option(help="of the published ranking, those to keep, with commas between, or none")
    ] = ",".join(sorted(BUGS)),
    markdown: Annotated[Path | None, typer.Option(help="write a table here too")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="fits at the same time, each on one thread if more than 1")] = 1,
    device: DeviceOption = "auto",
) -> None:
    """Train every system on an archive's train split, choose on val, and compare them on another split."""
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
    named = {"protocol": {"name": kept.name, "bugs": sorted(kept.bugs) if kept.name == "published" else []}}
    report = facts | comparison_json(outcomes) | named
    save.write_text(json.dumps(report, indent=1) + "\n")
    text = markdown_table(report)
    if markdown:
        markdown.write_text(text)
    out.print(text, markup=False, soft_wrap=True)


def markdown_table(report: dict[str, Any]) -> str:
    """Return the systems as tables: MRR and mAP, exact match and overlap, each mean with its 95 % interval."""
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
        "† uses labels or event marks.\n",
    ]
    return "\n".join(tables)


def _protocol(name: str, bugs: str) -> Protocol:
    if name not in PROTOCOLS:
        raise typer.BadParameter(f"{name!r} given, {' or '.join(PROTOCOLS)} expected", param_hint="--protocol")
    wanted = {bug.strip() for bug in bugs.split(",")} - {"", "none"}
    if unknown := wanted - BUGS:
        raise typer.BadParameter(
            f"{', '.join(sorted(unknown))} given, some of {', '.join(sorted(BUGS))} expected", param_hint="--bugs"
        )
    return Protocol(name, frozenset(cast(Bug, bug) for bug in wanted))


def _text(figure: dict[str, float | None], scale: int = 1) -> str:
    """Return a mean and its interval, `.64 [.61, .67]`, or `33.1 [25.0, 41.2]` in percent."""
    mean, low, high = (figure[key] for key in ("mean", "low", "high"))
    if mean is None or low is None or high is None:
        return "-"
    if scale == 1:
        return "{} [{}, {}]".format(*(f"{v:.3f}".removeprefix("0") for v in (mean, low, high)))
    return f"{scale * mean:.1f} [{scale * low:.1f}, {scale * high:.1f}]"
