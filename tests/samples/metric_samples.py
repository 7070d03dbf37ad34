"""What a scrape of the service says."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

Scrape = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(client: TestClient) -> Scrape:
    """GET /metrics; every sample by its name and labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return samples_of(answer.text)


def samples_of(text: str) -> Scrape:
    """Parse the text exposition."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(scraped: Scrape, name: str, **labels: str) -> float:
    """Return one sample; a KeyError if it is not there."""
    return scraped[name, frozenset(labels.items())]
