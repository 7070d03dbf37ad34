"""What lives as long as the service: the session, the jobs, the measurement; and how routes reach them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.jobs import Jobs
from app.measurement import Measure
from app.session import Session
from app.settings import Settings
from model.media import Limits


@dataclass(frozen=True, eq=False)
class Service:
    """Bundle what routes share."""

    settings: Settings
    session: Session
    jobs: Jobs
    measure: Measure

    @property
    def query_limits(self) -> Limits:
        """Return what one query file may cost."""
        s = self.settings
        return Limits(bytes=s.most_upload_bytes, decoded_s=s.most_query_s, wall_s=s.most_decode_s)


def current(request: Request) -> Service:
    """Return the service of the running application."""
    service: Service = request.app.state.service
    return service


Current = Annotated[Service, Depends(current)]
