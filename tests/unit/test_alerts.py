"""Alerts and summaries of nights: told once when they begin and end, by webhook and mail, and naming nobody."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from db_samples import MONDAY, a_recording, a_result, add_active_model, dump, new_sqlite, silence, take

from api.webhooks.messages import compose
from config.settings import Settings
from db import alerts, deliveries, jobs, ledger, mails, models, nights, outbox, pump, recordings, slots, webhooks
from db.reasons import EventKind, Lane, Reason, TroubleKind
from scheduler.app import make_app
from scheduler.drifting import measure_night
from scheduler.nightly import NIGHTLY, NightResult, run_due_night
from scheduler.watch import Watch

OF_SYSTEM = [EventKind.NIGHT_FINISHED, EventKind.ALERT_OPENED, EventKind.ALERT_CLOSED]


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    return engine


@pytest.fixture
def settings(tmp_path):
    return Settings(
        home=tmp_path,
        database_url=f"sqlite:///{tmp_path / 'tonalog.db'}",
        smtp_url="smtp://127.0.0.1:1",
        alert_to="night@ops.example",
    )


@pytest.fixture
def watch(settings):
    return Watch(settings, make_app(settings))


def an_endpoint(engine, tenant="default"):
    return webhooks.create(engine, tenant, url="https://app.example/", description="", events=OF_SYSTEM)[0]


def told(engine, endpoint):
    """Type and data of each message to an endpoint, as it is sent."""
    while outbox.fan_out(engine):
        pass
    messages = []
    for taken in deliveries.take(engine, endpoint.id, limit=100, lease_s=60.0):
        body = json.loads(compose(taken, deliveries.find_recipient(engine, taken)))
        messages.append((body["type"], body["data"]))
    return messages


def take_mails(engine):
    found = []
    while (mail := mails.take(engine, lease_s=60.0)) is not None:
        found.append(mail)
    return found


def miss_scheduler(engine):
    slots.pulse(engine, "sweep")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE pulses SET at_s = at_s - 900")


def test_a_trouble_is_told_when_it_begins_and_when_it_ends_and_not_in_between(engine, watch):
    endpoint, other = an_endpoint(engine), an_endpoint(engine, "clinic")
    assert watch.alert().opened == ()
    miss_scheduler(engine)

    changes = [watch.alert() for _ in range(3)]
    slots.pulse(engine, "sweep")
    changes += [watch.alert() for _ in range(2)]

    assert [(len(change.opened), len(change.closed)) for change in changes] == [(1, 0), (0, 0), (0, 0), (0, 1), (0, 0)]
    (opened, begun), (closed, ended) = told(engine, endpoint)
    assert (opened, closed) == ("alert.opened", "alert.closed")
    assert (begun["kind"], begun["about"], begun["alert_id"]) == ("scheduler", None, ended["alert_id"])
    assert begun["opened_at"] == ended["opened_at"] < ended["closed_at"]
    assert told(engine, other) == []
    first, second = take_mails(engine)
    assert first.headline == "[Tonalog] trouble: scheduler"
    assert "last seen 15 min ago" in first.body
    assert "To do: start `tonalog scheduler`" in first.body
    assert second.headline == "[Tonalog] over: scheduler"
    assert alerts.list_open(engine) == []


def test_two_schedulers_tell_a_trouble_once(engine, settings):
    first, second = (Watch(settings, make_app(settings)) for _ in range(2))
    miss_scheduler(engine)

    assert (len(first.alert().opened), len(second.alert().opened)) == (1, 0)
    found = [alerts.NewAlert(kind=TroubleKind.QUEUE, about="", text="x")]
    late = alerts.change(engine, [*found, *found], tenant="default", compose=lambda _: None)
    assert (len(late.opened), len(late.closed)) == (1, 1)


def test_storage_that_cannot_be_listed_is_alerted_of_without_its_place(engine, tmp_path, settings):
    gone = tmp_path / "canary-notes"
    watch = Watch(settings.model_copy(update={"storage_url": str(gone)}), make_app(settings))

    (alert,) = watch.alert().opened
    assert alert.kind is TroubleKind.STORAGE
    (mail,) = take_mails(engine)
    assert "canary" not in mail.headline + mail.body
    gone.mkdir()
    assert [alert.kind for alert in watch.alert().closed] == [TroubleKind.STORAGE]


def run_night(engine, make, *, at):
    """A night whose scan makes jobs; gives its slot."""
    slots.pulse(engine, "scheduler first start")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE pulses SET at_s = {(at - timedelta(days=1)).timestamp()}")
    ran = run_due_night(engine, make, crontab_line="0 2 * * *", now=at, lease_s=60.0)
    assert ran is not None
    return slots.last_slot(engine, NIGHTLY).slot


def register(engine, tenant, n):
    of_canary = {"tenant": tenant, "subject": "canary", "recorded_at": MONDAY}
    recordings.register(engine, [a_recording(f"canary/{tenant}/{i}.wav", **of_canary) for i in range(n)])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)


def end_jobs(engine, *ends):
    queued = pump.due_jobs(engine, cap_outstanding=100, limit=len(ends))
    for (job_id, _), end in zip(sorted(queued), ends, strict=True):
        claim = take(engine, job_id)
        if isinstance(end, Reason):
            ledger.fail_dead(engine, claim, end, detail="canary")
        else:
            ledger.finish(engine, claim, end)


def test_a_night_is_told_once_when_its_last_job_has_ended(engine, watch):
    endpoint, clinic = an_endpoint(engine), an_endpoint(engine, "clinic")
    register(engine, "default", 1)  # before the night
    end_jobs(engine, a_result())

    def make():
        register(engine, "default", 3)
        register(engine, "clinic", 1)
        measure_night(engine, MONDAY.date() + timedelta(days=3))
        return NightResult(n_listed=4, n_new=4, n_jobs=3)

    slot = run_night(engine, make, at=datetime.now(UTC))
    end_jobs(engine, a_result(), Reason.NOT_AUDIO)
    watch.report_nights()
    assert told(engine, endpoint) == []
    end_jobs(engine, silence())
    watch.report_nights()
    watch.report_nights()

    ((kind, data),) = told(engine, endpoint)
    ((_, of_clinic),) = told(engine, clinic)
    assert kind == "night.finished"
    assert data["slot"] == slot.isoformat().replace("+00:00", "Z")
    assert (data["n_recordings"], data["n_done"], data["n_dead"], data["n_waiting"]) == (2, 1, 1, 0)
    assert data["reasons"] == {"NOT_AUDIO": 1}
    assert (of_clinic["n_recordings"], of_clinic["n_done"]) == (1, 1)
    whole = nights.last_summary(engine)
    assert (whole["n_recordings"], whole["n_done"], whole["n_dead"]) == (3, 2, 1)
    assert whole["audio_hours"] == pytest.approx(12_000 / 3_600_000, abs=0.001)
    (mail,) = take_mails(engine)
    assert "Recordings: 3 (2 done, 1 dead, 0 cancelled, 0 waiting)\n  dead of NOT_AUDIO: 1" in mail.body
    assert "Drift: too few notes or persons to tell in the night of" in mail.body
    assert "drift" not in data  # it is a sum over all tenants
    assert "canary" not in mail.headline + mail.body + json.dumps([data, of_clinic, whole])


def test_a_night_with_a_job_that_waits_is_told_after_twelve_hours_as_it_stands(engine, watch):
    def make():
        register(engine, "default", 1)
        return NightResult(n_listed=1, n_new=1, n_jobs=1)

    run_night(engine, make, at=datetime.now(UTC))
    watch.report_nights()
    assert nights.last_summary(engine) is None

    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE nights SET scanned_at = strftime('%Y-%m-%d %H:%M:%f000', 'now', '-13 hours')"
        )
    watch.report_nights()

    assert nights.last_summary(engine)["n_waiting"] == 1


def test_a_night_without_recordings_is_told_too(engine, watch):
    run_night(engine, lambda: NightResult(n_listed=0, n_new=0, n_jobs=0), at=datetime.now(UTC))

    watch.report_nights()

    assert nights.last_summary(engine)["n_recordings"] == 0


def test_no_mail_is_written_where_nobody_would_get_it(engine, settings):
    silent = Watch(settings.model_copy(update={"alert_to": None, "smtp_url": None}), make_app(settings))
    miss_scheduler(engine)
    silent.alert()

    assert take_mails(engine) == []


def test_what_is_kept_of_the_past_goes(engine, watch):
    miss_scheduler(engine)
    watch.alert()
    slots.pulse(engine, "sweep")
    watch.alert()
    keep = timedelta(seconds=-1)

    assert alerts.expire(engine, keep=timedelta(days=1)) == mails.expire(engine, keep=timedelta(days=1)) == 0
    assert (alerts.expire(engine, keep=keep), mails.expire(engine, keep=keep)) == (1, 2)
    assert "last seen" not in dump(engine)
