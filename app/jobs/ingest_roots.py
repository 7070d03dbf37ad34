"""The server's directories that may be ingested; a request may name a path below them, and nothing else is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from app.library.listing import Listing, list_files
from model.errors import NotAllowed, QueryError


@dataclass(frozen=True)
class IngestRoots:
    """Hold the directories of ECHOLENS_INGEST_ROOTS, and the library's own, which is never ingested."""

    roots: tuple[Path, ...]
    library: Path

    def real_path(self, given: str) -> Path:
        """Return the real path, with links followed.

        Raises:
            NotAllowed: not below one of the roots. QueryError: not absolute, nothing there, or no path at all.
        """
        if not self.roots:
            raise NotAllowed(
                "a path of the server given, and none may be ingested: the setting ECHOLENS_INGEST_ROOTS names the "
                "directories that may; or upload the file to POST /videos"
            )
        if not Path(given).is_absolute():
            raise QueryError(f"the path {given} given, an absolute one expected")
        try:
            path = Path(given).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a circle of links, a NUL
            raise QueryError(f"the path {given!r} cannot be followed ({error}): check it") from error
        if not self._holds(path):
            raise NotAllowed(
                f"{given} given, a path below one of the directories that the setting ECHOLENS_INGEST_ROOTS names "
                "expected, and no link out of them: add its directory there, or upload the file to POST /videos"
            )
        try:
            there = path.exists()
        except PermissionError as error:
            raise QueryError(
                f"{given} given, which cannot be looked at ({error.strerror}): give the user that runs Echolens the "
                "right to enter the directories above it"
            ) from error
        except OSError:  # such as a name that is too long
            there = False
        if not there:
            raise QueryError(f"{given} given, a file or directory expected: there is none")
        return path

    def list(self, path: Path) -> Listing:
        """Return the files at or below a path that `real_path` returned; links are followed within the roots."""
        listing = list_files([path], self._holds)
        outside = tuple(link for link in listing.outside if not link.resolve().is_relative_to(self.library))
        return replace(listing, outside=outside)

    def _holds(self, path: Path) -> bool:
        inside = any(path.is_relative_to(root.resolve()) for root in self.roots)
        return inside and not path.is_relative_to(self.library)
