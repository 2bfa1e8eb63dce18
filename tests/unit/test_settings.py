"""Settings: read once, refused with the mend, secrets never shown, passed on whole to child processes."""

import pytest

from config.queues import LANES, celery_settings, lane_queue
from config.settings import Settings, SettingsError, describe


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TONALOG_LEASE_S", "0", "LEASE_S"),
        ("TONALOG_WORKER_CONCURRENCY", "many", "WORKER_CONCURRENCY"),
        ("TONALOG_NIGHTLY_CRONTAB", "daily", "five fields"),
        ("TONALOG_TIME_ZONE", "Berlin", "Europe/Berlin"),
        ("TONALOG_LOG_LEVEL", "chatty", "LOG_LEVEL"),
        ("TONALOG_TIME_LIMIT_S", "10", "soft_time_limit_s"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=said) as caught:
        Settings.read()
    assert variable in str(caught.value)


def test_secrets_are_in_no_printed_form_of_the_settings(monkeypatch):
    for name in ("DATABASE_URL", "BROKER_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(f"TONALOG_{name}", f"canary-{name}")
    settings = Settings.read()

    shown = repr(settings) + str(settings) + "".join(line.value for line in describe(settings))

    assert "canary" not in shown


def test_a_child_process_reads_the_very_same_settings(monkeypatch, tmp_path):
    settings = Settings.read(home=tmp_path, broker_url="redis://:secret@127.0.0.1/0", lease_s=7.5)

    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)

    assert Settings.read() == settings


def test_queue_names_sort_in_the_order_of_service():
    queues = [lane_queue(lane) for lane in LANES]

    assert queues == sorted(queues)


def test_messages_are_json_and_nothing_else(tmp_path):
    settings = celery_settings(Settings.read(home=tmp_path))

    assert settings["accept_content"] == ["json"]
    assert settings["task_serializer"] == "json"
    assert settings["result_backend"] is None


def test_a_poison_message_is_never_put_back_by_celery(tmp_path):
    assert celery_settings(Settings.read(home=tmp_path))["task_reject_on_worker_lost"] is False
