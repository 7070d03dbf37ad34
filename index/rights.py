"""May this user write to a library? Asked before a service starts, so that it can end with one line."""

from __future__ import annotations

import os
from pathlib import Path

from index.library import CATALOGUE, FOLDERS
from model.errors import LibraryError


def demand_rights(directory: Path) -> None:
    """Raise LibraryError unless this user may write to a library, or may make one there."""
    directory = directory.absolute()
    if not _exists(directory):
        made_in = next(parent for parent in directory.parents if _exists(parent))
        return _demand(made_in, made_in)
    if directory.is_dir():
        _demand(directory, directory)
        for part in (*directory.glob(f"{CATALOGUE}*"), *(directory / name for name in FOLDERS)):
            if part.exists():
                _demand(part, directory)


def _demand(path: Path, directory: Path) -> None:
    rights = os.W_OK | (os.R_OK | os.X_OK if path.is_dir() else os.R_OK)
    if os.access(path, rights, effective_ids=True):
        return
    user, found = f"{os.geteuid()}:{os.getegid()}", path.stat()
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        reason = "it is mounted read-only: mount it with the right to write"
    else:
        reason = (
            f"it belongs to {found.st_uid}:{found.st_gid} (rights {found.st_mode & 0o777:o}): run chown -R {user} "
            f"{directory} (for a container: on what is mounted there), or run Echolens as its owner (ECHOLENS_UID and "
            "ECHOLENS_GID of docker-compose.yml)"
        )
    raise LibraryError(f"{path} given, a path that the user {user} may write to expected; {reason}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # below a directory that this user may not enter: that one is named
        return False
