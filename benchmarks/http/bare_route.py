"""A floor for the service: a route that reads an upload and returns its length, started as `echolens serve` starts.

python -m benchmarks.http.bare_route serve --library DIR --port PORT
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, File, UploadFile

from app import server
from app.cli import main
from app.settings import Settings


def bare_app(_: Settings) -> FastAPI:
    """Return an application of two routes, without access checks, queue or model."""
    app = FastAPI(openapi_url=None)

    @app.post("/read")
    async def read(
        file: Annotated[UploadFile | None, File()] = None, video: Annotated[UploadFile | None, File()] = None
    ) -> dict[str, int]:
        return {"bytes": sum([len(await upload.read()) for upload in (file, video) if upload is not None])}

    @app.get("/health/live")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    return app


if __name__ == "__main__":
    vars(server)["create_app"] = bare_app  # so that loop, parser and log are those of the service
    main()
