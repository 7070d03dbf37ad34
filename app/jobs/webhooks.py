"""Webhooks: messages that are sent, signed, to the addresses of alerts, until they are taken or time is up.

Their form is that of Standard Webhooks 1.0 (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import random
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import httpx2

from index.alerts import Alerts
from index.records import Delivery
from model.errors import EcholensError, QueryError

log = logging.getLogger("echolens")
PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
MOST_URL = 2048
MOST_SENDING_S = 15.0
POLL_S = 2.0
MOST_NOTE_WAIT_S = 60.0
# Waits after a message was refused, of up to a fifth longer: over three days in all.
RETRY_AFTER_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
GIVEN_UP_AFTER_S = 3 * 86_400.0  # since it was made; it is tried once at least


def checked_url(url: str, hosts: Sequence[str]) -> str:
    """Return an address that a webhook may go to; `hosts`: the names that are allowed, none for any. QueryError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise QueryError(f"url={url[:80]} given, an address expected ({error})") from error
    if parts.scheme not in ("http", "https") or not host or len(url) > MOST_URL or not url.isprintable() or " " in url:
        raise QueryError(f"url={url[:80]} given, an http or https address of at most {MOST_URL} characters expected")
    if parts.username is not None or parts.password is not None:
        raise QueryError(
            "url given with a user name or password, one without expected: the signature proves the sender"
        )
    if hosts and host not in hosts:
        raise QueryError(
            f"url of the host {host} given, one of {', '.join(hosts)} expected: add it to ECHOLENS_WEBHOOK_HOSTS"
        )
    return url


def new_secret() -> str:
    """Return a secret to sign with."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def checked_secret(secret: str) -> str:
    """Return a secret that a client chose. QueryError."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in KEY_BYTES:
        raise QueryError(f"a secret given that is not {PREFIX} and 24 to 64 bytes in base64: leave it out, one is made")
    return secret


def signature(secret: str, delivery_id: str, timestamp: int, body: str) -> str:
    """Return what proves that a message is ours and was sent then."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{delivery_id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


@dataclass(frozen=True)
class Refusal:
    """Say why a message was not taken; `is_answered`: by a status of the receiver."""

    problem: str
    is_answered: bool = False


class Webhooks:
    """Send what waits in the catalogue, of each alert one message at a time; used from one event loop."""

    def __init__(self, alerts: Alerts, hosts: Sequence[str]) -> None:
        self._alerts, self._hosts = alerts, hosts
        self._busy: set[str] = set()  # alerts with a message that is on its way, or whose outcome is not noted yet
        self._ended = asyncio.Event()

    async def live(self) -> None:
        """Send until cancelled; what is on its way then is sent again at the next start."""
        async with (
            httpx2.AsyncClient(timeout=MOST_SENDING_S, follow_redirects=False, trust_env=False) as client,
            asyncio.TaskGroup() as tasks,
        ):
            while True:
                try:
                    due = await asyncio.to_thread(self._alerts.due, time.time(), tuple(self._busy))
                except EcholensError as error:
                    log.warning("webhooks wait: %s", error)
                    due = []
                except Exception:
                    log.exception("webhooks failed in a way that was not foreseen; it is tried again")
                    due = []
                for delivery in due:
                    self._busy.add(delivery.alert_id)
                    tasks.create_task(self._deliver(client, delivery))
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):  # `asyncio.wait_for` can lose a cancellation
                        await self._ended.wait()
                self._ended.clear()

    async def _deliver(self, client: httpx2.AsyncClient, delivery: Delivery) -> None:
        """Send a message once, and note what came of it. Raises nothing."""
        try:
            refusal = await self._refusal(client, delivery)
        except Exception as error:
            log.exception("a webhook failed in a way that was not foreseen; it is tried again")
            refusal = Refusal(f"it cannot be sent ({type(error).__name__})")
        if refusal is None:
            await self._note(partial(self._alerts.put_delivered, delivery))
        else:
            log.warning(
                "the webhook %s of alert %s was not delivered: %s",
                delivery.delivery_id,
                delivery.alert_id,
                refusal.problem,
            )
            now_s, due_s = time.time(), None
            if now_s < delivery.made_s + GIVEN_UP_AFTER_S:
                wait_s = RETRY_AFTER_S[min(delivery.attempts, len(RETRY_AFTER_S) - 1)]
                due_s = now_s + wait_s * random.uniform(1.0, 1.2)
            put = partial(self._alerts.put_refused, delivery, refusal.problem, due_s, is_answered=refusal.is_answered)
            await self._note(put)
        self._busy.discard(delivery.alert_id)
        self._ended.set()

    async def _note(self, put: Callable[[], None]) -> None:
        """Write an outcome down, and try until that succeeds, so that a full disk sends no message twice."""
        wait_s = POLL_S
        while True:
            try:
                await asyncio.to_thread(put)
                return
            except EcholensError as error:
                log.warning("what came of a webhook cannot be noted yet: %s", error)
            except Exception:
                log.exception("what came of a webhook cannot be noted yet")
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, MOST_NOTE_WAIT_S)

    async def _refusal(self, client: httpx2.AsyncClient, delivery: Delivery) -> Refusal | None:
        """Send a message; return why it was not taken, None where it was. Of the answer only the status is read."""
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "Echolens",
            "webhook-id": delivery.delivery_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(delivery.secret, delivery.delivery_id, timestamp, delivery.body),
        }
        try:
            url = checked_url(delivery.url, self._hosts)  # again: the setting may have changed
            async with asyncio.timeout(MOST_SENDING_S):
                async with client.stream("POST", url, content=delivery.body.encode(), headers=headers) as answer:
                    status = answer.status_code
        except QueryError as error:
            return Refusal(str(error))
        except TimeoutError:
            return Refusal(f"no answer within {MOST_SENDING_S:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return Refusal(f"it cannot be reached ({type(error).__name__})")
        return None if 200 <= status < 300 else Refusal(f"status {status} given, 2xx expected", is_answered=True)
