"""/alerts: saved questions that are asked about new footage, and tell of what answers them by a webhook."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response, UploadFile
from pydantic import Field

from app.http.answers import written
from app.http.route_table import needs
from app.http.uploads import plain_name
from app.jobs.alerting import query_of
from app.jobs.webhooks import checked_secret, checked_url, new_secret
from app.media.upload import SmallUpload
from app.routes.query_form import MULTIPART, QueryForm
from app.schemas.alert import AlertAnswer, AlertsAnswer, NewAlertAnswer
from app.service import Current
from index.records import Alert
from model.errors import QueryError, TooLarge

router = APIRouter(prefix="/alerts", tags=["search"])
MOST_ALERTS = 100
MOST_FILE_BYTES = 8 * 1024**2
MOST_TOLD = 100  # hits in one message


class AlertForm(QueryForm):
    """A question that is saved: a file or a text is its query; a message tells of `k` hits at most."""

    url: str = Field(description="http or https; messages are sent there by POST")
    min_match: float = Field(
        ge=0, le=1, allow_inf_nan=False, description="hits that belong to it with this probability"
    )
    title: str | None = Field(None, max_length=200)
    file: UploadFile | None = Field(None, description="a sound, picture or video as the query, at most 8 MiB")
    text: str | None = Field(None, description="words as the query", examples=["dog barking, not rain"])
    secret: str | None = Field(None, description="`whsec_` and 24 to 64 bytes in base64; else one is made")


@router.post("", status_code=201, form_limits={"max_files": 1}, response_model=NewAlertAnswer)
@needs("admin", cost="question")
async def post_alert(
    service: Current, request: Request, asked: Annotated[AlertForm, Form(media_type=MULTIPART)]
) -> NewAlertAnswer:
    """Save a question: it is asked about all footage that comes in from now on, and a webhook tells of what fits."""
    question = asked.question(service.settings)
    if question.k > MOST_TOLD:
        raise QueryError(f"k={question.k} given, at most {MOST_TOLD} expected: a message stays small")
    if question.group_by != "segment" or question.merge_adjacent or question.fold_twins:
        raise QueryError(
            "group_by, merge_adjacent or fold_twins given, none of them expected: an alert sends a message for each "
            "recording, and tells of neighbouring seconds as one"
        )
    service.check_folder(request, question.folder)
    url = checked_url(asked.url, service.settings.webhook_hosts)
    secret = new_secret() if asked.secret is None else checked_secret(asked.secret)
    file = None if asked.file is None else await _small(asked.file, service.scratch)
    await service.answer(request, service.alerting.check(question, query_of(question, file, asked.text)))
    alert = Alert(
        alert_id=uuid.uuid4().hex[:16],
        title=asked.title,
        question=question.model_dump(mode="json", exclude_defaults=True),
        text=asked.text,
        file_name=None if file is None else file.name,
        url=url,
        secret=secret,
        created_at=datetime.now(UTC).isoformat(),
        asked_segment_id=0,
    )
    content = None if file is None else file.content
    alerts = service.session.library.catalogue.alerts
    return NewAlertAnswer.of_new(await asyncio.to_thread(alerts.add, alert, content, MOST_ALERTS))


@router.get("", response_model=AlertsAnswer)
@needs("admin")
def get_alerts(service: Current) -> Response:
    """List the saved questions, oldest first; addresses may be secret, so only an admin sees them."""
    alerts = service.session.library.catalogue.alerts.alerts()
    return written(AlertsAnswer(alerts=[AlertAnswer.of(alert) for alert in alerts]))


@router.delete("/{alert_id}", status_code=204)
@needs("admin")
def delete_alert(service: Current, alert_id: str) -> None:
    """Delete a saved question, and what waits to be sent for it."""
    service.session.library.catalogue.alerts.delete(alert_id)


async def _small(upload: UploadFile, scratch: Path) -> SmallUpload:
    if (upload.size or 0) > MOST_FILE_BYTES:
        raise TooLarge(
            f"a file of {upload.size} bytes given, at most {MOST_FILE_BYTES} are kept with an alert: ten seconds of it "
            "are asked by, so cut those out"
        )
    return SmallUpload(scratch, plain_name(upload), await upload.read())
