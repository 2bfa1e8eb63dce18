"""A real Prometheus scrapes scheduler, worker and API at work, with the configuration and rules that we ship."""

import contextlib
import json
import re
import shutil
import subprocess
import urllib.parse
import urllib.request

import pytest
import yaml
from api_samples import Client
from command import NOTES, ROOT, Cli, kill_tree, wait_until
from servers.machine import find_free_ports

MONITORING = ROOT / "deploy" / "monitoring"
NOTES_USED = ("2026-03-02T12-30-00Z.m4a", "2026-03-04T07-10-45Z.m4a", "2026-03-05T23-59-00Z.m4a")
N_NOTES = 3


class Watched:
    """A stack on the embedded default with a Prometheus beside it."""

    def __init__(self, folder):
        self.cli = Cli(folder, {"TONALOG_STORAGE_URL": str(folder / "notes"), "TONALOG_SWEEP_S": "1"})
        self.folder = folder
        self.ports = dict(zip(("scheduler", "worker", "api"), find_free_ports(3), strict=True))
        self.api_port, self.prometheus_port = find_free_ports(2)
        self.processes = []

    def start(self):
        (self.folder / "notes" / "luca").mkdir(parents=True)
        for note in NOTES_USED:
            shutil.copy(NOTES / "luca" / note, self.folder / "notes" / "luca")
        self.cli("db", "upgrade")
        more = {"worker": ("--concurrency", "2"), "api": ("--port", self.api_port)}
        for name, port in self.ports.items():
            self.cli.variables["TONALOG_METRICS_PORT"] = str(port)
            self.processes.append(self.cli.start(name, *more.get(name, ()), log=f"{name}.log"))
        del self.cli.variables["TONALOG_METRICS_PORT"]
        self.processes.append(self.start_prometheus())

    def start_prometheus(self):
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), "1s")
        config["rule_files"] = [str(MONITORING / "alerts.yml")]
        for job in config["scrape_configs"]:
            port = self.ports.get(job["job_name"].removeprefix("tonalog-"))
            job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"] if port else []}]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        return subprocess.Popen(
            [
                "prometheus",
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
            ],
            stdout=(self.folder / "prometheus.log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url) as answer:
            return json.load(answer)["data"]

    def ask(self, query):
        """Labels and value of each series that a query has now."""
        return [(found["metric"], float(found["value"][1])) for found in self.get("query", query=query)["result"]]

    def value(self, query):
        try:
            return sum(value for _, value in self.ask(query))
        except OSError:
            return 0.0

    def stop(self):
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):  # the killed worker's pool processes have ended by themselves
                kill_tree(process)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed; Debian has a package of this name")
    stack = Watched(tmp_path_factory.mktemp("watched"))
    try:
        stack.start()
        assert wait_until(lambda: stack.value("sum(up)") == 3, timeout_s=120), stack.cli.worker_log()
        assert f"{N_NOTES} new" in stack.cli("scan")
        Client(stack.api_port).get("/healthz")
        done = 'sum(tonalog_attempts_total{outcome="DONE"})'
        assert wait_until(lambda: stack.value(done) == N_NOTES, timeout_s=120), stack.cli.worker_log()
        yield stack
    finally:
        stack.stop()


def test_every_process_is_scraped_as_openmetrics(watched):
    targets = watched.get("targets")["activeTargets"]

    assert {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets} == {
        f"tonalog-{name}": ("up", "") for name in watched.ports
    }
    assert {labels["process"] for labels, _ in watched.ask("tonalog_build_info")} == set(watched.ports)


def test_what_pool_processes_did_is_counted(watched):
    assert watched.value("tonalog_pool_processes") == 2
    assert watched.value("sum(tonalog_audio_seconds_total)") > 10
    assert watched.value("tonalog_samples_refused_total") == 0
    stages = {labels["stage"]: value for labels, value in watched.ask("tonalog_stage_seconds_count")}
    assert {stages[stage] for stage in ("fetch", "decode", "vad", "finish")} == {N_NOTES}


def test_figures_of_the_database_come_from_the_scheduler(watched):
    unfinished = 'sum(tonalog_jobs{state=~"PENDING|QUEUED|RUNNING"}) + sum(tonalog_queue_jobs)'
    assert wait_until(lambda: watched.value("tonalog_scan_timestamp_seconds") > 1_700_000_000, timeout_s=90)
    assert wait_until(lambda: watched.ask(unfinished) and watched.value(unfinished) == 0, timeout_s=90)
    assert watched.ask('tonalog_model_info{state="active"}')
    assert {labels["job"] for labels, _ in watched.ask("tonalog_queue_jobs")} == {"tonalog-scheduler"}


def test_the_api_counts_its_answers(watched):
    assert watched.value('tonalog_http_requests_total{route="/healthz", status="200"}') >= 1


def test_a_port_of_the_api_tells_no_metrics(watched):
    assert Client(watched.api_port).get("/metrics").status == 404


def test_no_label_holds_a_name_or_key(watched):
    told = json.dumps(watched.get("series", **{"match[]": '{job=~"tonalog.*"}'}))

    assert "luca" not in told
    assert str(watched.folder / "notes") not in told
    assert not re.search(r"2026-\d\d", told)


def test_rules_are_loaded_and_evaluated_without_an_error(watched):
    (group,) = watched.get("rules")["groups"]

    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    assert wait_until(lambda: not [rule for rule in firing(watched) if rule != "TonalogNightMissed"], timeout_s=10)


def test_every_query_of_the_dashboard_is_one_that_prometheus_takes(watched):
    panels = json.loads((MONITORING / "grafana-dashboard.json").read_text())["panels"]
    for panel in panels:
        for target in panel.get("targets", ()):
            watched.ask(target["expr"])


def firing(watched):
    return [
        rule["name"] for group in watched.get("rules")["groups"] for rule in group["rules"] if rule["state"] == "firing"
    ]


def test_a_worker_that_is_killed_leaves_no_port_and_no_old_values(watched):
    """Last of the file: its pool processes are left without a worker."""
    index = list(watched.ports).index("worker")
    killed = watched.processes[index]
    killed.kill()
    killed.wait()

    assert wait_until(lambda: watched.value('up{job="tonalog-worker"}') == 0, timeout_s=30)
    watched.cli.variables["TONALOG_METRICS_PORT"] = str(watched.ports["worker"])
    again = watched.cli.start("worker", "--concurrency", "1", log="again.log")
    try:
        assert wait_until(lambda: watched.value("tonalog_pool_processes") == 1, timeout_s=60), watched.cli.worker_log()
        assert watched.value("sum(tonalog_attempts_total)") == 0
    finally:
        kill_tree(again)
