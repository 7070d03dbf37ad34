"""echolens dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from app.commands.options import LIBRARY_DEFAULT, DeviceOption, JsonOption, LibraryOption, front_end_name
from app.commands.terminal import MEDIUM, PARTLY, err, opened, print_json, progress, say
from app.datasets.names import DatasetName
from model.frontends.names import OF_REAL_FOOTAGE
from model.network.device import DeviceName

if TYPE_CHECKING:
    from app.datasets.feature_archive import Rows
    from app.datasets.item import Entry, Item
    from app.datasets.survey import Survey
    from app.library.source import Outcome


def dataset_command(
    name: Annotated[DatasetName, typer.Argument(help="which layout")],
    directory: Annotated[Path, typer.Argument(exists=True, help="where its lists and media lie; or a .jsonl")],
    library: LibraryOption = LIBRARY_DEFAULT,
    archive: Annotated[
        Path | None, typer.Option(help="npz to write the features into; no library is made then")
    ] = None,
    frontend: Annotated[
        str | None,
        typer.Option(callback=front_end_name, help="front-end of a new library, or of the archive; else pretrained"),
    ] = None,
    split: Annotated[Literal["train", "val", "test"] | None, typer.Option(help="take this split alone")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="take only so many items, for a try")] = None,
    seconds: Annotated[int, typer.Option(min=1, help="how much of an item an archive takes")] = 10,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Make a library or a feature archive of a published data set. Labels serve evaluation; a bad item is skipped."""
    from app.datasets.item import Item
    from app.datasets.registry import DATASETS
    from app.datasets.survey import Survey, each_once, of_split, up_to, with_drawn_split

    dataset, survey = DATASETS[name], Survey()

    def entries() -> Iterator[Entry]:
        key = _row_of if archive else _file_of
        return up_to(each_once(of_split(dataset.entries(directory), split), key), limit)

    for entry in entries():  # once for what is there, and again to take it: no list is held
        survey.add(entry)
    draws = archive is not None and set(survey.splits) == {""}
    if draws:
        survey.remarks.append("the lists give no split: 80 % train, 10 % val, 10 % test are drawn by the items' names")
    _tell(survey)
    if not survey.items:
        raise dataset.refusal(f"{directory} has nothing that can be read")
    items = (with_drawn_split(e) if draws else e for e in entries() if isinstance(e, Item))
    with progress(survey.items, name) as step:
        taken = _Taken(step)
        if archive:
            rows = _write(archive, frontend or OF_REAL_FOOTAGE, library, items, survey.items, seconds, taken)
            survey.splits = Counter(item.split for item in rows.items)
        else:
            _ingest(library, device, frontend, items, taken)
    if archive and not taken.count:
        raise dataset.refusal(f"no medium of {directory} can be read, so {archive} was not written")
    if as_json:
        print_json({"dataset": name, "archive": archive, **taken.as_json(), **survey.as_json()})
    else:
        counts = taken.counts
        say(f"Items added: {counts['added']:,}, already in: {counts['known']:,}, failed: {counts['failed']:,}.")
        say(f"Next: echolens train {f'--archive {archive}' if archive else f'--library {library}'}")
    if survey.missing or survey.faults or taken.failed:
        raise typer.Exit(PARTLY if taken.count else MEDIUM)


@dataclass
class _Taken:
    """Count what became of the items, hold those that failed, and tell each that did."""

    step: Callable[[str], None]
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.step(outcome.path.name)
        self.counts[outcome.state] += 1
        if outcome.state == "failed":
            self.failed.append(outcome)
        if told := f"{outcome.code}: {outcome.detail}" if outcome.code else outcome.note:
            say(f"{outcome.path.name}: {told}", err)

    @property
    def count(self) -> int:
        return self.counts["added"] + self.counts["known"] + self.counts["changing"]

    def as_json(self) -> dict[str, Any]:
        counts = {state: self.counts[state] for state in ("added", "known", "changing", "passed")}
        return counts | {"failed": [asdict(outcome) for outcome in self.failed]}


def _tell(survey: Survey) -> None:
    """Say what was found of the lists; each fault on a line, but all that is missing on one."""
    for fault in survey.faults:
        say(f"{fault.code}: {fault.detail}", err)
    for remark in survey.remarks:
        say(remark, err)
    say(str(survey), err)


def _file_of(item: Item) -> object:
    """Return what a library holds once."""
    return item.path


def _row_of(item: Item) -> object:
    """Return what an archive holds once: it may have a file with one event, and again with another."""
    return item.path, item.labels[:1], item.start_s, item.end_s


def _ingest(library: Path, device: DeviceName, front_end: str | None, items: Iterator[Item], taken: _Taken) -> None:
    from app.library.ingest import Source, ingest
    from model.media.medium import FOOTAGE

    sources = (Source(i.path, i.path.name, i.annotation, listed=i.listed) for i in items)
    with opened(library, device, front_end, create=True, fetch=True) as session:
        ingest(session, sources, FOOTAGE, taken.add)


def _write(
    path: Path, name: str, library: Path, items: Iterator[Item], count: int, seconds: int, taken: _Taken
) -> Rows:
    from app.datasets.feature_archive import archive_bytes, write_archive
    from model.frontends.registry import make_front_end, pull_absent_weights

    pull_absent_weights(name, library / "frontends", partial(say, console=err))
    front_end = make_front_end(name, library / "frontends", keep=False)
    size_mb = archive_bytes(front_end, count, seconds) / 1e6
    say(f"Features of {count:,} items: {size_mb:,.1f} MB, twice on the disk until done, in memory to train.", err)
    return write_archive(path, front_end, items, seconds, taken.add)
