"""Metrics for Prometheus; every series exists from the start, at zero."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

log = logging.getLogger("echolens")

STAGES = ("wait", "decode", "features", "encode", "search", "rerank", "generate")
# Why a request was refused or given up; gone: the client hung up.
REFUSALS = ("busy", "key_limit", "wrong_keys", "queue_full", "map_busy", "measure_busy", "deadline", "gone")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER_METHOD = "other"  # all that clients make up
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
NO_ANSWER = "none"  # the client hung up before an answer began
NO_ROUTE = "none"
STAGE_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
REQUEST_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
BATCH_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Count, time and watch one application; any thread may call."""

    def __init__(self) -> None:
        """Start at zero, with a registry of its own."""
        self.registry = registry = CollectorRegistry()
        self._watched = _Watched()
        registry.register(self._watched)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self._stages = Histogram(
            "echolens_stage_seconds", "Time by stage of a query", ["stage"], buckets=STAGE_BOUNDS_S, registry=registry
        )
        self._batches = Histogram(
            "echolens_encode_batch_items", "Items encoded together", buckets=BATCH_BOUNDS, registry=registry
        )
        self._searches = Counter(
            "echolens_searches", "Searches, by whether the answer was proved exact", ["certified"], registry=registry
        )
        self._problems = Counter("echolens_problems", "Errors answered, by code", ["code"], registry=registry)
        self._refused = Counter("echolens_refused", "Requests not taken on, by reason", ["reason"], registry=registry)
        self._requests = Counter(
            "echolens_requests",
            "Requests, by route template, method and class of status",
            ["route", "method", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "echolens_request_seconds",
            "Time from receipt to the last byte of the answer",
            ["route", "method"],
            buckets=REQUEST_BOUNDS_S,
            registry=registry,
        )
        self._in_flight = Gauge("echolens_requests_in_flight", "Requests at work just now", registry=registry)
        # Keep the series of labels: looking one up costs more than counting.
        self._stage = cache(self._stages.labels)
        self._request = cache(self._requests.labels)
        self._duration = cache(self._durations.labels)
        for stage in STAGES:
            self._stages.labels(stage)
        for certified in ("true", "false"):
            self._searches.labels(certified)
        for reason in REFUSALS:
            self._refused.labels(reason)
        self.expect_route(NO_ROUTE, (*METHODS, OTHER_METHOD))

    def expect_problems(self, codes: Iterable[str]) -> None:
        """Give every code its series at zero."""
        for code in codes:
            self._problems.labels(code)

    def expect_route(self, route: str, methods: Iterable[str]) -> None:
        """Give a route template, with each of its methods, its series at zero."""
        for method in methods:
            self._durations.labels(route, method)
            for status in (*STATUS_CLASSES[1:], NO_ANSWER):
                self._requests.labels(route, method, status)

    def observe_stages(self, timings_ms: Mapping[str, float]) -> None:
        """Record how long the stages of one request took, in milliseconds; `total` is ignored."""
        for stage, spent_ms in timings_ms.items():
            if stage != "total":
                self._stage(stage).observe(spent_ms / 1000)

    def observe_batch(self, size: int) -> None:
        """Record how many items were encoded together."""
        self._batches.observe(size)

    def observe_search(self, certified: bool) -> None:
        """Record a search and whether its answer was proved."""
        self._searches.labels("true" if certified else "false").inc()

    def observe_request(self, route: str | None, method: str, status: int | None, duration_s: float) -> None:
        """Record a request; `route`: the template, None if none fits; `status`: None if no answer began."""
        route = NO_ROUTE if route is None else route
        method = method if method in METHODS else OTHER_METHOD
        answered = NO_ANSWER if status is None else STATUS_CLASSES[status // 100 - 1]
        self._request(route, method, answered).inc()
        self._duration(route, method).observe(duration_s)

    def in_flight(self) -> AbstractContextManager[None]:
        """Count a request as in flight while the context lasts."""
        return self._in_flight.track_inprogress()

    def count_problem(self, code: str) -> None:
        """Count an error that was answered."""
        self._problems.labels(code).inc()

    def count_refused(self, reason: str) -> None:
        """Count a request that was refused or given up, by one of REFUSALS."""
        self._refused.labels(reason).inc()

    def watch(self, name: str, help: str, read: Callable[[], float]) -> None:
        """Read a gauge at every scrape; NaN (unknown) where `read` raises."""
        self._watched.add(name, help, lambda: {(): float(read())})

    def watch_each(self, name: str, help: str, label: str, read: Callable[[], Mapping[str, float]]) -> None:
        """Watch a gauge for each value of a label; `read` returns them all, zeros included."""
        self.watch_series(name, help, lambda: {((label, value),): number for value, number in read().items()})

    def watch_series(self, name: str, help: str, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Watch the series of a gauge, which may come and go; `read` returns each by its labels."""
        self._watched.add(name, help, read)

    def watch_info(self, name: str, help: str, read: Callable[[], Mapping[str, str]]) -> None:
        """Show facts that may change as the labels of a gauge that is 1."""
        self._watched.add(name, help, lambda: {tuple(read().items()): 1.0})

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Return all series and their content type: OpenMetrics where `accept` asks for it, else plain text."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type


class _Watched(Collector):
    """Read gauges at a scrape; if one fails, the others are still read."""

    def __init__(self) -> None:
        self._gauges: dict[str, tuple[str, Callable[[], Mapping[Labels, float]]]] = {}

    def add(self, name: str, help: str, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Add a gauge."""
        self._gauges[name] = help, read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, (help_text, read) in self._gauges.items():
            values = self._read(name, read)
            label_names = [label for label, _ in next(iter(values), ())]
            family = GaugeMetricFamily(name, help_text, labels=label_names)
            for labels, value in values.items():
                family.add_metric([text for _, text in labels], value)
            yield family

    def _read(self, name: str, read: Callable[[], Mapping[Labels, float]]) -> Mapping[Labels, float]:
        try:
            return read()
        except Exception:
            log.exception("the gauge %s cannot be read", name)
            return {(): float("nan")}
