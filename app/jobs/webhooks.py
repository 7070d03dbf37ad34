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
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx2

from index.alerts import Alerts
from index.records import Delivery
from model.errors import EcholensError, QueryError

log = logging.getLogger("echolens")
PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
MOST_URL = 2048
MOST_AT_A_TIME = 4
MOST_SENDING_S = 15.0
POLL_S = 2.0
# Waits after a message was refused, of up to a fifth longer: over three days in all, then it is given up.
RETRY_AFTER_S = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)


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


class Webhooks:
    """Send what waits in the catalogue, a few at a time; used from one event loop."""

    def __init__(self, alerts: Alerts, hosts: Sequence[str]) -> None:
        self._alerts, self._hosts = alerts, hosts

    async def live(self) -> None:
        """Send until cancelled; what is on its way then is sent again at the next start."""
        async with httpx2.AsyncClient(timeout=MOST_SENDING_S, follow_redirects=False, trust_env=False) as client:
            while True:
                try:
                    if not await self.send_due(client):
                        await asyncio.sleep(POLL_S)
                except EcholensError as error:  # such as a full disk
                    log.warning("webhooks wait: %s", error)
                    await asyncio.sleep(POLL_S)
                except Exception:
                    log.exception("webhooks failed in a way that was not foreseen; it is tried again")
                    await asyncio.sleep(POLL_S)

    async def send_due(self, client: httpx2.AsyncClient) -> int:
        """Send what is due now, of each alert one message; return how many that were."""
        due = await asyncio.to_thread(self._alerts.due, time.time(), MOST_AT_A_TIME)
        await asyncio.gather(*(self._deliver(client, delivery) for delivery in due))
        return len(due)

    async def _deliver(self, client: httpx2.AsyncClient, delivery: Delivery) -> None:
        problem = await self._refusal(client, delivery)
        if problem is None:
            await asyncio.to_thread(self._alerts.put_delivered, delivery)
            return
        due_s = None
        if delivery.attempts < len(RETRY_AFTER_S):
            due_s = time.time() + RETRY_AFTER_S[delivery.attempts] * random.uniform(1.0, 1.2)
        log.warning(
            "the webhook %s of alert %s was not delivered: %s", delivery.delivery_id, delivery.alert_id, problem
        )
        await asyncio.to_thread(self._alerts.put_refused, delivery, problem, due_s)

    async def _refusal(self, client: httpx2.AsyncClient, delivery: Delivery) -> str | None:
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
            return str(error)
        except TimeoutError:
            return f"no answer within {MOST_SENDING_S:g} s"
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return f"it cannot be reached ({type(error).__name__})"
        return None if 200 <= status < 300 else f"status {status} given, 2xx expected"
