"""docs/monitoring: the dashboard asks only for what a scrape has, and the files name each other rightly."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from gpu_samples import Card, Nvml
from metric_samples import Scrape, samples_of, scrape
from starlette.testclient import TestClient

from app.telemetry.gpu import Gpus
from app.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "docs" / "monitoring"
NAME = re.compile(r"\b(?:echolens|process|python)_\w+")
LABELS = re.compile(r"\b((?:echolens|process)_\w+)\{([^}]*)\}")
GROUPED = re.compile(r"sum by \(([^)]*)\)")
OWN_LABELS = {"job", "instance", "le"}  # Prometheus's own


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    return read


def of_gpus() -> str:
    """Return what a machine with a GPU scrapes beside the rest."""
    metrics = Metrics()
    Gpus(Nvml([Card(1, 2, 50)])).watch(metrics)
    text = metrics.exposition("")[0].decode()
    return "".join(line for line in text.splitlines(keepends=True) if "echolens_gpu_" in line)


@pytest.fixture(scope="module")
def scraped(client: TestClient) -> Scrape:
    """Scrape a service as a machine with a GPU has it."""
    return scrape(client) | samples_of(of_gpus())


def drawn(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that draw something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in drawn(dashboard) for target in panel["targets"]]


def labels_in(target: dict[str, Any]) -> set[str]:
    """Return the labels that a query chooses, groups and shows by."""
    lists = [inside for _, inside in LABELS.findall(target["expr"])] + GROUPED.findall(target["expr"])
    named = {part.partition("=")[0].strip() for inside in lists for part in inside.split(",")}
    return named | set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))


def test_every_metric_that_is_asked_for_exists(dashboard: dict[str, Any], scraped: Scrape) -> None:
    """Names, and the labels that queries choose, group and show by."""
    labels: dict[str, set[str]] = {}
    for name, pairs in scraped:
        labels.setdefault(name, set()).update(label for label, _ in pairs)
    for panel in drawn(dashboard):
        for target in panel["targets"]:
            names = set(NAME.findall(target["expr"]))
            assert names or "up{" in target["expr"], target["expr"]
            assert names <= set(labels), f"{panel['title']}: {names - set(labels)}"
            chosen = {
                pair.partition("=")[0] for _, inside in LABELS.findall(target["expr"]) for pair in inside.split(",")
            }
            grouped = {label.strip() for inside in GROUPED.findall(target["expr"]) for label in inside.split(",")}
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            known = OWN_LABELS.union(*(labels[name] for name in names))
            assert chosen | grouped | shown <= known, f"{panel['title']}: {(chosen | grouped | shown) - known}"


def test_every_metric_of_the_service_is_drawn(dashboard: dict[str, Any], scraped: Scrape) -> None:
    """What is measured and never looked at is left out, or drawn."""
    asked = set(NAME.findall(" ".join(queries(dashboard))))
    suffix = re.compile(r"_(bucket|count|sum|created)$")
    drawn_families = {suffix.sub("", name) for name in asked}
    served = {suffix.sub("", name) for name, _ in scraped if name.startswith("echolens_")}
    served -= {name.removesuffix("_total") for name in served if name.endswith("_total")}  # of `_created`
    assert served - drawn_families == set()


def test_panels_have_their_own_places(dashboard: dict[str, Any]) -> None:
    """Distinct ids, inside the grid's 24 columns, none over another."""
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] <= 24 - place["w"]
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells, panel["title"]
        cells |= mine


def test_every_query_goes_to_the_chosen_source(dashboard: dict[str, Any]) -> None:
    """The dashboard's variable, whose first value is the source that is provisioned."""
    for panel in drawn(dashboard):
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    (variable,) = dashboard["templating"]["list"]
    source = (MONITORING / "grafana-provisioning" / "datasources" / "prometheus.yml").read_text()
    assert f"uid: {variable['current']['value']}\n" in source
    assert dashboard["id"] is None, "an id belongs to one Grafana"


def test_files_name_each_other_rightly() -> None:
    """What docker-compose.yml mounts is there; the key's file and the dashboards' folder are those of the settings."""
    compose = (ROOT / "docker-compose.yml").read_text()
    mounts = re.findall(r"- \./(docs/monitoring[^:]*):([^:\s]+)", compose)
    assert len(mounts) == 3
    assert all((ROOT / source).exists() for source, _ in mounts)
    scraping = (MONITORING / "prometheus.yml").read_text()
    (key_file,) = re.findall(r"credentials_file: (\S+)", scraping)
    assert f"> {key_file}\n" in compose
    provider = (MONITORING / "grafana-provisioning" / "dashboards" / "echolens.yml").read_text()
    (folder,) = re.findall(r"path: (\S+)", provider)
    assert any(target.startswith(f"{folder}/") and target.endswith(".json") for _, target in mounts)


def test_the_documentation_names_every_series(client: TestClient) -> None:
    """The table of docs/api.md has what a scrape has of ours, and nothing else; `library_*` stands for many."""
    table = (ROOT / "docs" / "api.md").read_text().partition("| series (`echolens_...`)")[2].partition("\n\n")[0]
    documented = {
        f"echolens_{name}" for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    text = client.get("/metrics").text + of_gpus()
    scraped = set(re.findall(r"^# TYPE (echolens_\w+) (?:counter|gauge|histogram)$", text, re.MULTILINE))
    ours = {name for name in scraped if not name.endswith("_created") and not name.startswith("echolens_library_")}
    assert "`library_*`" in table
    assert documented == ours
