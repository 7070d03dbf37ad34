"""Saved questions are asked about what has come in since; what answers them becomes messages of webhooks."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.media.upload import SmallUpload
from app.queries.pipeline import Pipeline
from app.queries.query import Query
from app.queries.question import Question, QuestionOfNewSeconds
from app.queries.retrieval import Hit, Retrieval
from index.alerts import Alerts
from index.records import Alert
from model.errors import EcholensError, EmptyLibrary, NotFound, UntrainedLibrary

log = logging.getLogger("echolens")
POLL_S = 2.0
REFUSED_RETRY_S = 60.0
ASKED_TOGETHER = 1000  # seconds: each of them can be a hit, so none is left out
MOST_TOLD = 10  # hits of a recording in one message, where the alert does not say
MOST_WAITING = 1000  # messages of one alert; it is asked no further until some are gone


class Alerting:
    """Ask each alert about new seconds, one after the other; used from one event loop."""

    def __init__(self, alerts: Alerts, pipeline: Pipeline, scratch: Path, address: str) -> None:
        """`address`: where links begin."""
        self._alerts, self._pipeline, self._scratch, self._address = alerts, pipeline, scratch, address
        self._goals: dict[str, tuple[int, int]] = {}  # the catalogue's version and second that are to be reached
        self._earliest_s: dict[str, float] = {}

    async def live(self) -> None:
        """Ask until cancelled."""
        while True:
            is_more = False
            try:
                is_more = await self.ask_all()
            except EcholensError as error:
                log.warning("alerts wait: %s", error)
            except Exception:
                log.exception("alerts failed in a way that was not foreseen; it is tried again")
            if not is_more:
                await asyncio.sleep(POLL_S)

    async def ask_all(self) -> bool:
        """Ask every alert once that has not been asked about all seconds; say whether one went on and is not done."""
        alerts = await asyncio.to_thread(self._alerts.alerts)
        known = {alert.alert_id for alert in alerts}
        self._goals = {alert_id: goal for alert_id, goal in self._goals.items() if alert_id in known}
        self._earliest_s = {alert_id: at_s for alert_id, at_s in self._earliest_s.items() if alert_id in known}
        if not alerts:
            return False
        newest, is_more = await asyncio.to_thread(self._alerts.newest), False
        for alert in alerts:
            is_early = time.monotonic() < self._earliest_s.get(alert.alert_id, 0.0)
            if alert.asked_segment_id < newest[1] and alert.waiting < MOST_WAITING and not is_early:
                is_more |= await self._ask_or_put_off(alert, *self._goals.setdefault(alert.alert_id, newest))
        return is_more

    async def check(self, question: Question, query: Query) -> None:
        """Ask a question that is to be saved, to see whether it can be. Raises what `Pipeline.retrieve` raises.

        A library that holds nothing yet answers none, and says nothing against it.
        """
        try:
            await self._pipeline.retrieve(Retrieval(question, query))
        except (EmptyLibrary, UntrainedLibrary):
            return

    async def _ask_or_put_off(self, alert: Alert, version: int, last: int) -> bool:
        """Ask an alert as `_ask` does. Where that fails, this alert alone waits, and the reason is noted."""
        try:
            return await self._ask(alert, version, last)
        except NotFound:  # deleted just now
            return False
        except EcholensError as error:
            log.warning("alert %s waits: %s", alert.alert_id, error)
            problem = f"{error.code}: {error}"
        except Exception:
            log.exception("alert %s failed in a way that was not foreseen; it is tried again", alert.alert_id)
            problem = "internal: not foreseen; the log has it"
        self._earliest_s[alert.alert_id] = time.monotonic() + REFUSED_RETRY_S
        try:
            await asyncio.to_thread(self._alerts.put_problem, alert.alert_id, problem)
        except EcholensError as error:  # such as a full disk
            log.warning("the problem of alert %s cannot be noted: %s", alert.alert_id, error)
        return False

    async def _ask(self, alert: Alert, version: int, last: int) -> bool:
        """Ask about the next seconds, of those up to `last`, which the catalogue had in a version.

        Say whether to go on at once: there are more, and the galleries are as new as that version. NotFound where the
        alert was deleted.
        """
        try:
            end = await asyncio.to_thread(self._alerts.round_end, alert.asked_segment_id, last, ASKED_TOGETHER)
            asked = alert.question | {"k": ASKED_TOGETHER, "merge_adjacent": True}
            question = QuestionOfNewSeconds(**asked, after_segment_id=alert.asked_segment_id, last_segment_id=end)
            query = await asyncio.to_thread(self._query_of, alert, question)
            answer = await self._pipeline.retrieve(Retrieval(question, query))
            if answer.catalogue_version < version:
                return False
            hits = answer.hits
        except EmptyLibrary:  # of what is looked for there is none
            hits, end = (), last
        messages = [(f"msg_{uuid.uuid4().hex}", json.dumps(body)) for body in self._bodies(alert, hits)]
        await asyncio.to_thread(self._alerts.put_asked, alert.alert_id, end, messages, time.time())
        if end < last:
            return True
        del self._goals[alert.alert_id]
        return False

    def _query_of(self, alert: Alert, question: Question) -> Query:
        file = None
        if alert.file_name is not None:
            content = self._alerts.content(alert.alert_id)
            assert content is not None, "a file has a name and bytes"
            file = SmallUpload(self._scratch, alert.file_name, content)
        return query_of(question, file, alert.text)

    def _bodies(self, alert: Alert, hits: tuple[Hit, ...]) -> Iterator[dict[str, Any]]:
        """Yield a message for each recording, with its best hits in the order of time."""
        videos = {hit.video.video_id: hit.video for hit in hits}
        asked = {name: alert.question.get(name) for name in ("target", "min_match")}
        for video_id, video in videos.items():
            best = [hit for hit in hits if hit.video.video_id == video_id][: alert.question.get("k", MOST_TOLD)]
            yield {
                "type": "alert.matched",
                "timestamp": datetime.now(UTC).isoformat(),
                "data": {
                    "alert_id": alert.alert_id,
                    "title": alert.title,
                    "question": {"text": alert.text, "file_name": alert.file_name, **asked},
                    "video_id": video_id,
                    "file_name": video.file_name,
                    "hits": [
                        {
                            "segment_id": hit.segment_id,
                            "start_s": hit.start_s,
                            "end_s": hit.end_s,
                            "match": hit.match,
                            "link": f"{self._address}/videos/{video_id}/original#t={hit.start_s},{hit.end_s}",
                        }
                        for hit in sorted(best, key=lambda hit: hit.start_s)
                    ],
                },
            }


def query_of(question: Question, file: SmallUpload | None, text: str | None) -> Query:
    """Return a saved question's query."""
    stretch = question.at_s, question.length_s
    return Query(file, None, question.query_modality, *stretch, text=text, audio_track=question.audio_track)
