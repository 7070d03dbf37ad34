"""echolens openapi."""

from __future__ import annotations

import json

from app.settings import LOOPBACK, Settings


def openapi() -> None:
    """Print the service's OpenAPI description, as /openapi.json gives it; docs/openapi.json holds it."""
    from app.server import create_app  # not every command pays for the service's imports

    print(json.dumps(create_app(Settings(host=LOOPBACK[0])).openapi(), indent=1))
