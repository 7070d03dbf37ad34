"""Dates that a person gives: a day or a moment, in UTC unless it names its own zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator


def checked_date(text: str) -> str:
    """Return an ISO date or time as it is. Raises ValueError for anything else."""
    unix_s(text)
    return text


def unix_s(text: str) -> float:
    """Return the Unix time of an ISO date, at midnight, or of an ISO time. Raises ValueError."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} given, a date such as 2026-05-31 or a time such as 2026-05-31T18:00:00+02:00 expected"
        ) from error


def iso(unix_time_s: float) -> str:
    """Write a Unix time as an ISO time in UTC; the inverse of `unix_s`."""
    return datetime.fromtimestamp(unix_time_s, UTC).isoformat()


DateText = Annotated[str, AfterValidator(checked_date)]
