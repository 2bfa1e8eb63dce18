"""Who watches over the system does so by the rights of its own role on a real PostgreSQL."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from db_samples import a_result
from roles import add_work, ask, claim, new_roles

from db import alerts, ledger, mails, nights, outbox, pulses, slots, webhooks
from db.alerts import NewAlert
from db.errors import RightMissing
from db.health import read_health
from db.mails import NewMail
from db.pulses import BundleLook, NewPulse
from db.reasons import EventKind, Lane, Reason, TroubleKind

MAIL = NewMail(headline="s", body="b")


@pytest.fixture
def roles(postgres_server):
    with new_roles(postgres_server, n_pooled=None) as roles:
        yield roles


def a_pulse(pid=7):
    return NewPulse(
        host="east",
        pid=pid,
        lanes=[Lane.NIGHTLY],
        n_processes=1,
        version="1",
        revision="0001",
        bundle=BundleLook(model="m-1", sha256="x"),
        started_at=datetime.now(UTC),
        host_at_s=time.time(),
    )


def test_a_worker_tells_of_itself_and_the_scheduler_reads_and_forgets_it(roles):
    for _ in range(2):
        pulses.beat(roles.worker, a_pulse())
    pulses.beat(roles.worker, a_pulse(8))
    pulses.leave(roles.worker, host="east", pid=8)

    (worker,) = pulses.list_workers(roles.scheduler)
    assert (worker.lanes, worker.bundle.sha256, worker.last_job_id) == ((Lane.NIGHTLY,), "x", None)
    assert abs(worker.skew_s) < 60
    assert pulses.forget_dead(roles.scheduler) == 0
    with roles.admin.begin() as connection:
        connection.exec_driver_sql("UPDATE worker_pulses SET seen_at_s = seen_at_s - 90000")
    assert pulses.forget_dead(roles.scheduler) == 1


def test_the_scheduler_sees_how_the_whole_stands_and_a_worker_does_not(roles):
    dead, _ = add_work(roles, 2)
    ledger.fail_dead(roles.worker, claim(roles, dead), Reason.NOT_AUDIO, detail="x")
    night = {"slot": datetime(2026, 3, 2, 2, tzinfo=UTC)}
    slots.claim_slot(roles.scheduler, "nightly", lease_s=60, **night)
    for _ in range(2):
        slots.fail_slot(roles.scheduler, "nightly", error="StorageUnavailable: x", **night)
    with roles.admin.begin() as connection:
        connection.exec_driver_sql("UPDATE jobs SET created_at = now() - interval '3 days'")

    health = read_health(roles.scheduler)

    assert [(failed.name, failed.n_failures) for failed in health.failed_slots] == [("nightly", 2)]
    assert [(deaths.reason, deaths.n_last_day, deaths.n_worst_day) for deaths in health.deaths] == [("NOT_AUDIO", 1, 0)]
    assert {wait.lane for wait in health.lanes if wait.due_s is not None} == {Lane.NIGHTLY}
    assert health.n_marked == 1
    assert slots.forget_failures(roles.scheduler, keep=timedelta(seconds=-1)) == 1
    with pytest.raises(RightMissing):
        read_health(roles.worker)


def test_alerts_and_nights_are_told_by_the_schedulers_role(roles):
    of_system = [EventKind.NIGHT_FINISHED, EventKind.ALERT_OPENED, EventKind.ALERT_CLOSED]
    webhooks.create(roles.admin, "default", url="https://app.example/", description="", events=of_system)
    slot = datetime(2026, 3, 2, 2, tzinfo=UTC)
    nights.begin(roles.scheduler, slot)
    (job_id,) = add_work(roles)
    ledger.finish(roles.worker, claim(roles, job_id), a_result())
    nights.end_scan(roles.scheduler, slot)
    trouble = NewAlert(kind=TroubleKind.SLOT, about="nightly", text="x")

    for found in ([trouble, trouble], [trouble], []):
        alerts.change(roles.scheduler, found, tenant="default", compose=lambda _: MAIL)
    (night,) = nights.list_over(roles.scheduler)
    (counted,) = nights.read_outcome(roles.scheduler, night).counts
    for is_first in (True, False):
        told = nights.report(roles.scheduler, night, {"n": counted.n}, of_tenant=lambda _: {"n": 1}, mail=MAIL)
        assert told is is_first

    assert nights.last_summary(roles.scheduler) == {"n": 1}
    kinds = {row[0] for row in ask(roles.admin, "SELECT kind FROM webhook_events")}
    assert {kind.value for kind in of_system} <= kinds
    outbox.fan_out(roles.webhooks)
    told = ask(roles.admin, "SELECT kind FROM webhook_deliveries ORDER BY id")
    assert [row[0] for row in told] == ["alert.opened", "alert.closed", "night.finished"]
    sent = []
    while (mail := mails.take(roles.scheduler, lease_s=60.0)) is not None:
        sent.append(mails.end(roles.scheduler, mail, error=None if sent else "x"))
    assert sent == [True, False, False]
    keep = timedelta(seconds=-1)
    gone = [part.expire(roles.scheduler, keep=keep) for part in (alerts, mails, nights)]
    assert gone == [1, 3, 1]
