"""A directory that cannot be written to is refused in one line that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from rights_samples import as_nobody

from index.library import Library
from index.rights import demand_rights
from model.errors import LibraryError

TO_DO = r"65534:\d+ may write to expected; it belongs to 0:0 \(rights 755\): .*chown -R 65534:\d+.*ECHOLENS_UID"


def test_a_directory_of_another_user_is_refused_with_the_command_that_mends_it(open_path: Path) -> None:
    """Whether it is empty, is still to be made, or holds a library; its owner passes."""
    made = open_path / "made"
    Library.open(made).close()
    for directory in (open_path, open_path / "absent" / "deep", made):
        demand_rights(directory)
        with as_nobody(), pytest.raises(LibraryError, match=TO_DO) as refused:
            demand_rights(directory)
        assert "\n" not in str(refused.value)
    assert not (open_path / "absent").exists()


@pytest.mark.parametrize("part", ["catalogue.sqlite", "previews"])
def test_a_library_of_which_a_part_is_another_users_is_refused(open_path: Path, part: str) -> None:
    """The directory alone was given away: what lies in it is named."""
    Library.open(open_path).close()
    for path in (open_path, *open_path.iterdir()):
        path.chmod(0o777 if path.name != part else 0o755)
    with as_nobody(), pytest.raises(LibraryError, match=f"{part} given, .*chown -R .* {open_path}"):
        demand_rights(open_path)
    (open_path / part).chmod(0o777)
    with as_nobody():
        demand_rights(open_path)


def test_a_file_is_left_to_others_to_refuse(tmp_path: Path) -> None:
    """`Library.open` says what is wrong with it."""
    (tmp_path / "file").touch()
    demand_rights(tmp_path / "file")
