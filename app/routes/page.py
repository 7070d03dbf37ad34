"""The page at /, and the style and scripts that it loads from /page/."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from app.http.etags import PREVIEW, tag, unchanged
from app.http.headers import PAGE_POLICY, POLICY
from app.http.route_table import needs
from model.errors import NotFound

router = APIRouter(include_in_schema=False)
PAGE = Path(__file__).parent.parent / "page"
FILES = {path.name: path for path in PAGE.iterdir() if path.suffix in (".js", ".css", ".svg")}
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@router.get("/", response_class=FileResponse)
@needs("read")
def get_page(request: Request) -> Response:
    """Send the page's frame; its scripts fetch all else."""
    return _sent(request, PAGE / "index.html", "text/html", {POLICY: PAGE_POLICY})


@router.get("/page/{name}", response_class=FileResponse)
@needs("read")
def get_page_file(request: Request, name: str) -> Response:
    """Send a script, the style or the icon of the page."""
    path = FILES.get(name)
    if path is None:
        raise NotFound(f"the page has no file {name!r}")
    return _sent(request, path, TYPES[path.suffix], {})


def _sent(request: Request, path: Path, media_type: str, headers: dict[str, str]) -> Response:
    there = path.stat()
    etag = tag(there.st_mtime_ns, there.st_size)
    headers |= PREVIEW | {"ETag": etag}  # asked for each time: after an upgrade no old script meets a new service
    return unchanged(request, etag, headers) or FileResponse(
        path, media_type=media_type, stat_result=there, headers=headers
    )
