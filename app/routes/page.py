"""The page at /."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

from app.http.headers import POLICY, page_policy
from app.http.route_table import needs

router = APIRouter(include_in_schema=False)
PAGE = Path(__file__).parent.parent / "page" / "index.html"


@router.get("/", response_class=FileResponse)
@needs("read")
def get_page() -> FileResponse:
    """Send the page; it holds all its style and script."""
    return FileResponse(PAGE, media_type="text/html", headers={POLICY: _policy()})


@cache
def _policy() -> str:
    return page_policy(PAGE.read_text(encoding="utf-8"))
