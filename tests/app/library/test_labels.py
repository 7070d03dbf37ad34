"""Labels from a CSV: what is read, and what every mistake in one is told."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from app.library.labels import checked_annotation, of_files, read_labels
from app.library.listing import list_files
from model.data.corpus import Annotation
from model.errors import QueryError


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_paths_are_relative_to_the_csv(tmp_path: Path) -> None:
    """file is found beside the CSV, below it, above it, or where an absolute path says."""
    (tmp_path / "sub").mkdir()
    csv = write(tmp_path / "sub" / "l.csv", "file,label\na.mp4,dog\nx/b.mp4,cat\n../c.mp4,owl\n/d/e.mp4,fox\n")
    assert {str(path): a.label for path, a in read_labels(csv).items()} == {
        str(tmp_path / "sub" / "a.mp4"): "dog",
        str(tmp_path / "sub" / "x" / "b.mp4"): "cat",
        str(tmp_path / "c.mp4"): "owl",
        "/d/e.mp4": "fox",
    }


def test_events_are_read_and_other_columns_passed_over(tmp_path: Path) -> None:
    """An event may be left out by row; column order, further columns and a byte order mark do not matter."""
    csv = write(
        tmp_path / "l.csv",
        "\ufefflabel,note,event_end_s,file,event_start_s\ndog,x,4.5,a.mp4,1\ncat,,,b.mp4,\n,,,c.mp4,\n",
    )
    found = read_labels(csv)
    assert found[tmp_path / "a.mp4"] == Annotation("a.mp4", "dog", 1.0, 4.5)
    assert found[tmp_path / "b.mp4"] == Annotation("b.mp4", "cat")
    assert found[tmp_path / "c.mp4"] == Annotation("c.mp4")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no column file"),
        ("file\na.mp4\n", "no column label"),
        ("label,event_start_s\ndog,1\n", "no column file"),
        ("file;label\na.mp4;dog\n", "no column file"),
        ("file,label,event_start_s,event_end_s\na.mp4,dog,one,2\n", "line 2"),
        ("file,label,event_start_s,event_end_s\na.mp4,dog,1,2\nb.mp4,dog,2,1\n", "line 3"),
        ("file,label,event_start_s,event_end_s\na.mp4,dog,1,1\n", "start < end"),
        ("file,label,event_start_s,event_end_s\na.mp4,dog,-1,1\n", "start < end"),
        ("file,label,event_start_s,event_end_s\na.mp4,dog,nan,2\n", "start < end"),
        ("file,label,event_start_s,event_end_s\na.mp4,dog,1,inf\n", "start < end"),
        ("file,label,event_start_s,event_end_s\na.mp4,dog,1,\n", "both event_start_s and event_end_s"),
        ("file,label,event_start_s,event_end_s\na.mp4,,1,2\n", "without a label"),
        ("label,file\ndog\n", "line 2"),
        ("file,label\n,dog\n", "line 2"),
        (b"file,label\n\xe9.mp4,dog\n", "UTF-8"),
        ("file,label\na.mp4,dog\na.mp4,cat\n", "line 3"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, content: str | bytes, words: str) -> None:
    """QueryError names the CSV and what is wrong in it."""
    csv = write(tmp_path / "labels.csv", content)
    with pytest.raises(QueryError, match=words) as raised:
        read_labels(csv)
    assert "labels.csv" in str(raised.value)


def test_a_csv_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Neither a missing file nor a directory is a CSV."""
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(QueryError, match="cannot be read"):
            read_labels(path)


def test_no_label_is_none(tmp_path: Path) -> None:
    """An empty text is no label; one that is no text is refused."""
    assert checked_annotation("v", "", None, None, "here").label is None
    with pytest.raises(QueryError, match="here: the label"):
        checked_annotation("v", "\udc80", None, None, "here")


@pytest.mark.parametrize(("labelled", "on_disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_may_be_written_in_two_ways(tmp_path: Path, labelled: str, on_disk: str) -> None:
    """One sign or two in the CSV, the other on the disk, in a folder's name too."""
    name = "Übung/Käuzchen.mp4"
    there = tmp_path / unicodedata.normalize(on_disk, name)  # type: ignore[arg-type]
    there.parent.mkdir()
    there.touch()
    (tmp_path / "labels.csv").write_text(f"file,label\n{unicodedata.normalize(labelled, name)},owl\n")  # type: ignore[arg-type]
    found, unused = of_files(read_labels(tmp_path / "labels.csv"), list_files([tmp_path / there.parent]).files)
    assert ({path: a.label for path, a in found.items()}, unused) == ({there: "owl"}, [])


def test_of_two_files_that_differ_in_that_alone_each_has_its_own(tmp_path: Path) -> None:
    """A label for one of them is not taken by the other."""
    one, two = (tmp_path / unicodedata.normalize(form, "ä.mp4") for form in ("NFC", "NFD"))  # type: ignore[arg-type]
    one.touch()
    two.touch()
    (tmp_path / "labels.csv").write_text(f"file,label\n{one.name},owl\n")
    found, unused = of_files(read_labels(tmp_path / "labels.csv"), list_files([one, two]).files)
    assert (set(found), unused) == ({one}, [])


def test_a_label_may_name_a_link_or_what_it_leads_to(tmp_path: Path) -> None:
    """The file is taken once, and has its label; labels of no file are told."""
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.mp4").touch()
    (tmp_path / "link").symlink_to("films")
    (tmp_path / "labels.csv").write_text("file,label\nlink/a.mp4,owl\nfilms/b.mp4,bell\n")
    found, unused = of_files(read_labels(tmp_path / "labels.csv"), list_files([tmp_path / "films"]).files)
    assert {path.name: a.label for path, a in found.items()} == {"a.mp4": "owl"}
    assert unused == [tmp_path / "films" / "b.mp4"]
