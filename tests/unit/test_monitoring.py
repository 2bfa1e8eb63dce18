"""Alert rules, their runbook and the dashboard: each names what there is, and the rules fire when they must."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from command import ROOT

from tests.unit.test_metrics import declared

FOLDER = ROOT / "deploy" / "monitoring"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
METRIC = re.compile(r"\b(?:tonalog|process)_[a-z_]+\b")
OF_EVERY_PROCESS = {"process_resident_memory_bytes"}
UNITS = {"short", "s", "bytes", "percentunit", "reqps"}


def known():
    histograms = {name for name, (kind, *_) in declared().items() if kind == "histogram"}
    series = {f"{name}_{suffix}" for name in histograms for suffix in ("bucket", "sum", "count")}
    return set(declared()) - histograms | series | OF_EVERY_PROCESS


def queries():
    yield from ((name, rule["expr"]) for name, rule in ALERTS.items())
    yield from ((panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"])
    yield from re.findall(
        r"^\| ([^|]+) \| `([^`]*(?:rate|max)\([^`]*)` \|$", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE
    )


@pytest.mark.parametrize(("where", "query"), list(queries()))
def test_every_metric_that_a_query_names_is_told(where, query):
    named = set(METRIC.findall(query))

    assert named <= known(), where
    assert named or "up{" in query or "ALERTS{" in query


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_says_what_is_wrong_and_names_its_entry_in_the_runbook(name):
    rule = ALERTS[name]

    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
    assert f"\n## {name}\n" in RUNBOOK


def test_the_runbook_has_no_entry_of_an_alert_that_is_gone():
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == list(ALERTS)


def test_every_alert_is_seen_to_fire_by_the_tests_of_the_rules():
    tested = set(re.findall(r'alertname="(\w+)"', (FOLDER / "alerts-test.yml").read_text()))

    assert tested == set(ALERTS)


@pytest.mark.parametrize("words", [("check", "config", "prometheus.yml"), ("test", "rules", "alerts-test.yml")])
def test_prometheus_takes_the_configuration_and_the_rules_fire_when_they_must(words):
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; Debian has it in the package prometheus")
    done = subprocess.run([promtool, *words], cwd=FOLDER, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_has_a_title_a_unit_a_description_and_a_place_of_its_own():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    taken = set()
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["title"]
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["description"].endswith(".")
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
