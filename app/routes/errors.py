"""GET /errors: where the `type` of a problem leads."""

from __future__ import annotations

import re
from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.http.error_codes import ROWS
from app.http.route_table import needs

router = APIRouter(include_in_schema=False)


@router.get("/errors", response_class=HTMLResponse)
@needs("read")
def get_errors() -> HTMLResponse:
    """Say what each code means and what to do; the same as docs/errors.md."""
    rows = "\n".join(
        f"<tr id={row.code}><td><code>{row.code}</code><td>{row.shown_statuses}"
        f"<td>{_html(row.meaning)}<td>{_html(row.remedy)}"
        for row in ROWS
    )
    return HTMLResponse(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Errors of Echolens</title><h1>Errors</h1>\n"
        f"<table>\n<tr><th>code<th>status<th>what it means<th>what to do\n{rows}\n</table></html>\n"
    )


def _html(text: str) -> str:
    return re.sub(r"`(.+?)`", r"<code>\1</code>", escape(text))
