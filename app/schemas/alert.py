"""What /alerts answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from app.schemas.answering import Answering

if TYPE_CHECKING:
    from index.records import Alert


class AlertAnswer(Answering):
    """A saved question, and where its webhook goes."""

    alert_id: str
    title: str | None
    text: str | None
    file_name: str | None = Field(description="of the file that is asked by; null for a text")
    question: dict[str, Any] = Field(description="what else is asked, by the names of the fields of POST /alerts")
    url: str
    created_at: str
    waiting: int = Field(description="messages that are still to be sent")
    delivered: int = Field(description="messages that were taken with a status 2xx")
    given_up: int = Field(description="messages that were not taken within three days")
    problem: str | None = Field(
        description="why it could not be asked last, or else why a message was not delivered; null if nothing is wrong"
    )

    @staticmethod
    def of(alert: Alert) -> AlertAnswer:
        """Write an alert out, without its secret."""
        return AlertAnswer(**{name: getattr(alert, name) for name in AlertAnswer.model_fields})


class NewAlertAnswer(AlertAnswer):
    """A saved question that was just made, with the secret that its webhooks are signed with."""

    secret: str = Field(description="told now, and never again")

    @staticmethod
    def of_new(alert: Alert) -> NewAlertAnswer:
        """Write a new alert out."""
        return NewAlertAnswer(**{name: getattr(alert, name) for name in NewAlertAnswer.model_fields})


class AlertsAnswer(Answering):
    """The answer of GET /alerts."""

    alerts: list[AlertAnswer]
