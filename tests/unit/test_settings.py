"""Settings: read once, refused with the remedy, secrets never shown, passed on whole to child processes."""

import ssl

import pytest

from config.queues import LANES, celery_settings, lane_queue
from config.setting_lines import describe
from config.settings import Settings, SettingsError


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TONALOG_LEASE_S", "0", "LEASE_S"),
        ("TONALOG_WORKER_CONCURRENCY", "many", "WORKER_CONCURRENCY"),
        ("TONALOG_NIGHTLY_CRONTAB", "daily", "five fields"),
        ("TONALOG_TIME_ZONE", "Berlin", "Europe/Berlin"),
        ("TONALOG_DRIFT_REFERENCE", "May", "2026-03-01/2026-04-30"),
        ("TONALOG_DRIFT_REFERENCE", "2026-04-30/2026-03-01", "ends before it begins"),
        ("TONALOG_TENANT", "a\tb", "control character"),
        ("TONALOG_LOG_LEVEL", "chatty", "LOG_LEVEL"),
        ("TONALOG_TIME_LIMIT_S", "10", "soft_time_limit_s"),
    ],
)
def test_a_value_that_is_not_allowed_is_named_with_what_is(monkeypatch, variable, value, said):
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=said) as caught:
        Settings.read()
    assert variable in str(caught.value)


def test_an_empty_variable_says_nothing_about_who_spoke_and_when(monkeypatch):
    default = Settings.read()
    for name in ("KEY_PATTERN", "MANIFEST", "TENANT", "TIME_ZONE"):
        monkeypatch.setenv(f"TONALOG_{name}", "")

    assert Settings.read() == default


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [
        ("TONALOG_SUBJECT_KEYS", "TONALOG_SUBJECT_KEY"),
        ("TONALOG_RETENTION_DAY", "TONALOG_RETENTION_DAYS"),
        ("tonalog_max_size", "TONALOG_MAX_SIZE_MB"),
    ],
)
def test_a_misspelt_variable_is_refused_with_the_name_that_was_meant(monkeypatch, misspelt, meant):
    monkeypatch.setenv(misspelt, "canary")

    with pytest.raises(SettingsError, match=f"{misspelt}: .*{meant}") as caught:
        Settings.read()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["PORT", "SERVICE_HOST", "DATABASE_PORT", "BROKER_SERVICE_HOST", "STORAGE_PORT_8333_TCP_ADDR", "IMAGE"]
)
def test_variables_that_kubernetes_or_a_user_adds_disturb_nothing(monkeypatch, name):
    settings = Settings.read()
    monkeypatch.setenv(f"TONALOG_{name}", "tcp://10.0.0.1:5432")

    assert Settings.read() == settings


def test_secrets_are_in_no_printed_form_of_the_settings(monkeypatch):
    for name in ("DATABASE_URL", "BROKER_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"):
        monkeypatch.setenv(f"TONALOG_{name}", f"redis://canary-{name}")
    settings = Settings.read()

    shown = repr(settings) + str(settings) + "".join(line.value for line in describe(settings))

    assert "canary" not in shown


def test_a_setting_is_read_under_its_former_name_too_and_the_new_one_wins(monkeypatch):
    monkeypatch.setenv("TONALOG_RERING_S", "30")
    assert Settings.read().redeliver_s == 30.0

    monkeypatch.setenv("TONALOG_REDELIVER_S", "45")
    assert Settings.read().redeliver_s == 45.0
    assert Settings.read(redeliver_s=5.0).redeliver_s == 5.0


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


@pytest.fixture
def ca_file(tmp_path):
    file = tmp_path / "ca.pem"
    file.write_text("a certificate")
    return file


def test_a_tls_broker_is_always_asked_for_a_certificate_of_its_own_name(ca_file):
    with_ca = celery_settings(Settings.read(broker_url="rediss://broker/0", broker_ca_file=ca_file))["broker_use_ssl"]
    without = celery_settings(Settings.read(broker_url="rediss://broker/0"))["broker_use_ssl"]

    assert with_ca == {**without, "ssl_ca_certs": str(ca_file)}
    assert without == {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}
    assert celery_settings(Settings.read(broker_url="redis://broker/0"))["broker_use_ssl"] is None


@pytest.mark.parametrize(
    ("given", "variable", "said"),
    [
        (
            {"broker_url": "rediss://:canary@broker/0?ssl_cert_reqs=none"},
            "TONALOG_BROKER_URL",
            "cannot stand in the URL",
        ),
        ({"broker_url": "redis://:canary@broker/0", "broker_ca_file": "CA"}, "TONALOG_BROKER_CA_FILE", "rediss://"),
        ({"broker_ca_file": "CA"}, "TONALOG_BROKER_CA_FILE", "rediss://"),
        ({"broker_url": "rediss://:canary@broker/0", "broker_ca_file": "no.pem"}, "CA_FILE", "no file 'no.pem'"),
        ({"broker_url": "rediss://:canary@broker/0", "broker_key_file": "CA"}, "KEY_FILE", "TONALOG_BROKER_CERT_FILE"),
    ],
)
def test_tls_that_would_not_be_what_it_seems_is_refused(ca_file, given, variable, said):
    with pytest.raises(SettingsError, match=said) as caught:
        Settings.read(**{name: ca_file if value == "CA" else value for name, value in given.items()})

    assert variable in str(caught.value)
    assert "canary" not in str(caught.value)
