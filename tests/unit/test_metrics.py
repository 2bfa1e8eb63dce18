"""Metrics: told whole and by the right process, documented, and with labels that nobody can make up."""

import json
import os
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from command import wait_until
from db_samples import MONDAY, a_model, a_result, add_active_model, add_jobs, new_sqlite, set_job, take
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from config.settings import Settings
from db import batch_plan, ledger, models, pump, slots
from db.drift import DriftMeasure, NewDriftNight, read_drift, write_drift
from db.errors import DatabaseUnavailable
from db.figures import read_queue, read_totals
from db.reasons import DriftState, JobState, Lane, Outcome, Reason, ResultStatus
from scheduler.figures import FiguresLoop, of_batches, of_drift, of_queue, of_totals
from telemetry import metrics
from telemetry.database import DatabaseCollector, Declared
from telemetry.sample_pipe import MAX_LINE_BYTES, BadSample, SamplePipe, Words, decode, encode
from telemetry.samples import AttemptSample
from telemetry.server import AddressTaken, MetricsServer
from tonalog.errors import TonalogError
from tonalog.watching import serve_metrics

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
ROW = re.compile(
    r"^\| `(?P<name>tonalog_\w+)` \| (?P<kind>\w+) \|(?P<labels>[^|]*)\| (?P<by>[^|]+) \| (?P<help>[^|]+) \|$",
    re.MULTILINE,
)
WORDS = Words(
    lanes=set(Lane),
    outcomes=set(Outcome),
    reasons=set(Reason),
    statuses=set(ResultStatus),
)
SAMPLE = AttemptSample(
    lane="nightly",
    outcome="DONE",
    model="tiny-0.0.1",
    wall_s=1.5,
    status="SCORED",
    audio_s=12.0,
    stages={"decode": 0.5},
)


def declared():
    """Name to (kind, labels, processes, help) of every metric in the registries."""
    found = {}
    for process, registry in metrics.REGISTRIES.items():
        for collector in list(registry._collector_to_names):
            if isinstance(collector, DatabaseCollector):
                told = [(item.name, "gauge", item.labels, item.help) for item in collector._declared.values()]
            elif getattr(collector, "_name", "").startswith("tonalog_"):
                told = [(collector._name, collector._type, collector._labelnames, collector._documentation)]
            else:
                continue
            for name, kind, labels, text in told:
                by = found[name][2] if name in found else ()
                full = f"{name}_total" if kind == "counter" else name
                found[name] = (kind, tuple(labels), (*by, process), text, full)
    return {full: (kind, labels, by, text) for kind, labels, by, text, full in found.values()}


def test_the_page_lists_every_metric_with_kind_labels_and_processes_and_no_other():
    listed = {
        row["name"]: (
            row["kind"],
            tuple(re.findall(r"`(\w+)`", row["labels"])),
            tuple(word.strip() for word in row["by"].split(",")),
            row["help"],
        )
        for row in ROW.finditer(PAGE.read_text())
    }

    assert listed == declared()


def test_no_label_is_one_that_could_hold_a_name_a_key_or_a_tenant():
    labels = {label for _, labels, _, _ in declared().values() for label in labels}

    assert not labels & {"key", "subject", "tenant", "recording", "job", "path", "user", "bucket", "label"}


def test_what_pool_processes_send_is_counted_in_the_first_process_and_leaves_nothing_behind(tmp_path):
    pipe = SamplePipe(WORDS)
    before = value(metrics.WORKER, "tonalog_audio_seconds_total", lane="nightly", status="SCORED")
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            pipe.send(SAMPLE)
            os._exit(0)
        os.waitpid(pid, 0)
    pipe.start()

    name, labels = "tonalog_audio_seconds_total", {"lane": "nightly", "status": "SCORED"}
    assert wait_until(lambda: value(metrics.WORKER, name, **labels) == before + 36, timeout_s=10, every_s=0.02)


def test_a_sample_that_finds_the_pipe_full_is_left_out_and_nobody_waits():
    pipe = SamplePipe(WORDS)

    assert any(not pipe.send(SAMPLE) for _ in range(10_000))


def test_a_sample_reads_as_it_was_written_and_fits_one_write():
    longest = dict.fromkeys(metrics.STAGES, 1234567.123456789)
    sample = AttemptSample(**{**vars(SAMPLE), "stages": longest, "reason": max(Reason, key=len).value})

    assert decode(encode(sample), WORDS) == sample
    assert len(encode(sample)) < MAX_LINE_BYTES


@pytest.mark.parametrize(
    "forged",
    [
        b"no json\n",
        b"[" * 100_000,
        b'"text"\n',
        *(
            json.dumps({**json.loads(encode(SAMPLE)), **change}).encode()
            for change in (
                {"lane": "anna"},
                {"reason": "x"},
                {"status": ["SCORED"]},
                {"outcome": None},
                {"model": "a\nb"},
                {"model": "x" * 101},
                {"stages": {"anna": 1.0}},
                {"stages": {"decode": -1.0}},
                {"wall_s": float("nan")},
                {"wall_s": 1e300},
                {"audio_s": True},
                {"more": 1},
            )
        ),
    ],
)
def test_a_line_that_no_worker_writes_is_refused(forged):
    with pytest.raises(BadSample):
        decode(forged, WORDS)


def test_a_process_that_makes_models_up_fills_no_memory():
    pipe = SamplePipe(WORDS)
    for n in range(100):
        pipe.take(encode(AttemptSample(**{**vars(SAMPLE), "model": f"made-up-{n}"})))

    told = [sample for family in metrics.LOADED_MODEL.collect() for sample in family.samples]
    assert len(told) <= 25  # of all tests of this process


def test_metrics_are_told_in_openmetrics_at_their_path_and_nowhere_else():
    registry = CollectorRegistry()
    Counter("things", "Things.", registry=registry).inc(2)
    server = MetricsServer(registry, host="127.0.0.1", port=0)
    server.start()
    try:
        asked = urllib.request.Request(f"http://127.0.0.1:{server.port}/metrics")
        asked.add_header("Accept", "application/openmetrics-text; version=1.0.0")
        with urllib.request.urlopen(asked) as answer:
            families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
        assert families["things"].samples[0].value == 2.0
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://127.0.0.1:{server.port}/")
        with pytest.raises(AddressTaken, match=f"127.0.0.1:{server.port} .*already in use"):
            MetricsServer(registry, host="127.0.0.1", port=server.port)
    finally:
        server.stop()


def test_figures_say_what_waits_how_long_and_what_there_is(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    first, second, third = add_jobs(engine, 3)
    set_job(engine, first, state=JobState.DEAD, reason=Reason.NOT_AUDIO, finished_at=MONDAY)
    set_job(engine, second, next_run_at_s=4_000_000_000.0)  # waits for its time, and so not in the queue
    set_job(engine, third, next_run_at_s=1_000.0)
    slots.pulse(engine, "scan")

    queue = of_queue(read_queue(engine, scan_pulse="scan", nightly="nightly"))
    totals = of_totals(read_totals(engine))

    assert dict(queue["tonalog_queue_jobs"]) == {("interactive",): 0, ("nightly",): 1, ("bulk",): 0, ("quarantine",): 0}
    assert dict(queue["tonalog_queue_age_seconds"])["nightly",] > 1_000_000_000
    assert dict(queue["tonalog_jobs"])["nightly", "PENDING"] == 2
    assert queue["tonalog_scan_timestamp_seconds"][0][1] > 1_700_000_000
    assert "tonalog_nightly_done_timestamp_seconds" not in queue
    assert totals["tonalog_jobs"] == [(("nightly", "DEAD"), 1)]
    assert totals["tonalog_dead_jobs"] == [(("NOT_AUDIO",), 1)]
    assert totals["tonalog_recordings"] == [(("LIVE",), 3)]
    assert [labels[1] for labels, _ in totals["tonalog_model_info"]] == ["active"]
    metrics.DATABASE.replace("a test", {**queue, **totals})  # every name and label is declared
    metrics.DATABASE.forget("a test")


def test_figures_tell_the_progress_of_batches_and_the_drift_of_the_last_night(tmp_path):
    engine = new_sqlite(tmp_path)
    model = add_active_model(engine)
    newer = models.add_model(engine, a_model("2.0"))
    ids = add_jobs(engine, 2)
    pump.due_jobs(engine, cap_outstanding=10, limit=10)
    for job_id in ids:
        ledger.finish(engine, take(engine, job_id), a_result())
    batch = batch_plan.begin(engine, batch_plan.Choice(model_id=newer.id))
    batch_plan.plan_all(engine, batch)
    day = MONDAY.date()
    moved = DriftMeasure(name="labels", divergence=0.2, limit=0.1, low=0.1, high=0.3)
    night = NewDriftNight(
        night=day,
        model_id=model.id,
        recent_since=day,
        recent_until=day,
        reference_since=day,
        reference_until=day,
        n_recent=1,
        n_reference=1,
        n_persons=1,
        state=DriftState.MOVED,
        measures=(moved,),
    )
    write_drift(engine, night)

    batches, drift = of_batches(engine), of_drift(read_drift(engine, n_nights=1))

    assert dict(batches["tonalog_batch_recordings"])[str(batch), "PENDING"] == 2
    assert dict(batches["tonalog_batch_audio_seconds"])[str(batch), "done"] == 0
    assert drift["tonalog_drift"][0][1] > drift["tonalog_drift_limit"][0][1]
    metrics.DATABASE.replace("a test", {**batches, **drift})  # every name and label is declared
    metrics.DATABASE.forget("a test")


def test_figures_that_cannot_be_read_are_not_told_and_slow_ones_are_read_less_often():
    now_s, n_read, is_down = [100.0], [0], [False]

    def read():
        if is_down[0]:
            raise DatabaseUnavailable("away")
        n_read[0] += 1
        now_s[0] += 3.0
        return {"waiting": [((), 7.0)]}

    collector = DatabaseCollector(
        Declared("waiting", "Jobs."), Declared("tonalog_figures_read_timestamp_seconds", "When.", ("part",))
    )
    loop = FiguresLoop({"queue": read}, every_s=15.0, collector=collector, clock=lambda: now_s[0])
    for _ in range(5):
        loop.step()
        now_s[0] += 15.0
    assert n_read == [2]  # reading took 3 s, so that it rests for 60
    assert {family.name for family in collector.collect()} == {"waiting", "tonalog_figures_read_timestamp_seconds"}

    is_down[0] = True
    now_s[0] += 100.0
    loop.step()
    assert list(collector.collect()) == []


def test_a_gauge_that_is_not_declared_is_refused():
    with pytest.raises(LookupError, match=r"tonalog_more .*telemetry/metrics.py"):
        metrics.DATABASE.replace("a test", {"tonalog_more": [((), 1.0)]})
    with pytest.raises(ValueError, match="tonalog_jobs has 2 labels"):
        metrics.DATABASE.replace("a test", {"tonalog_jobs": [(("bulk",), 1.0)]})


def value(registry, name, **labels):
    return registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def port_taken():
    server = MetricsServer(CollectorRegistry(), host="127.0.0.1", port=0)
    yield server.port
    server.stop_listening()


def test_two_processes_that_are_given_one_port_are_told_so(port_taken):
    with pytest.raises(TonalogError, match=rf"TONALOG_METRICS_PORT: 127.0.0.1:{port_taken} .*a port of its own"):
        serve_metrics(Settings.read(metrics_port=port_taken), "worker")


def test_nothing_listens_unless_a_port_is_set():
    assert serve_metrics(Settings.read(), "worker") is None


@pytest.mark.parametrize(("given", "is_unset"), [("", True), (" ", True), ("9101", False)])
def test_a_variable_that_compose_passes_on_empty_sets_no_port(monkeypatch, given, is_unset):
    monkeypatch.setenv("TONALOG_METRICS_PORT", given)

    assert (Settings.read().metrics_port is None) is is_unset
