"""echolens openapi."""

from __future__ import annotations

import json


def openapi() -> None:
    """Print the service's OpenAPI description, the same as /openapi.json."""
    from app.server import create_app
    from app.settings import LOOPBACK, Settings

    print(json.dumps(create_app(Settings(host=LOOPBACK[0])).openapi(), indent=1))
