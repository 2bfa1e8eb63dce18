"""Mail to the operator through a real SMTP server: encrypted, trusted, tried again, and never twice."""

from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult
from db_samples import new_sqlite
from servers.machine import find_free_ports
from servers.tls import make_certificates

from config.settings import Settings, SettingsError
from db import mails
from db.mails import RETRY_DELAYS_S, NewMail
from scheduler.app import make_app
from scheduler.mail import MailNotSent, read_route, send
from scheduler.watch import Watch

MAIL = NewMail(headline="[Tonalog] trouble: worker", body="jobs wait\n")


class Inbox:
    """What an SMTP server took; `refusals` are answered first."""

    def __init__(self):
        self.taken = []
        self.refusals = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802, ARG002 - as aiosmtpd calls it
        if self.refusals:
            return self.refusals.pop(0)
        self.taken.append(
            (
                envelope,
                message_from_bytes(envelope.content, policy=default),
                bool(server.transport.get_extra_info("sslcontext")),
            )
        )
        return "250 taken"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("mail"))


@contextmanager
def receiving(*, tls=None, at_once=False):
    """A server on a port of its own that wants tonalog's password where it speaks TLS."""

    def check(server, session, envelope, mechanism, data):
        return AuthResult(success=(data.login, data.password) == (b"tonalog", b"p@ss"))

    inbox, (port,) = Inbox(), find_free_ports(1)
    asks = {"auth_required": True, "authenticator": check, "auth_require_tls": not at_once} if tls else {}
    starttls = {"tls_context": tls, "require_starttls": True} if tls and not at_once else {}

    class Server(Controller):
        def factory(self):
            return SMTP(self.handler, **asks, **starttls)

    server = Server(inbox, hostname="127.0.0.1", port=port, ssl_context=tls if at_once else None)
    server.start()
    try:
        yield inbox, port
    finally:
        server.stop()


def settings_of(tmp_path, url, **others):
    place = f"sqlite:///{tmp_path / 'tonalog.db'}"
    return Settings(
        home=tmp_path, database_url=place, smtp_url=url, alert_to="night@ops.example,b@ops.example", **others
    )


@pytest.fixture
def engine(tmp_path):
    engine = new_sqlite(tmp_path)
    with engine.begin() as connection:
        mails.add(connection, MAIL)
    return engine


@pytest.mark.parametrize(("scheme", "at_once"), [("smtp", False), ("smtps", True)])
def test_mail_goes_encrypted_and_logged_in_to_everybody_who_is_named(engine, tmp_path, certificates, scheme, at_once):
    with receiving(tls=certificates.server_context(), at_once=at_once) as (inbox, port):
        url = f"{scheme}://tonalog:p%40ss@127.0.0.1:{port}"
        settings = settings_of(tmp_path, url, smtp_ca_file=certificates.ca, alert_from="tonalog@ops.example")
        watch = Watch(settings, make_app(settings))
        watch.send_mail()
        watch.send_mail()

    ((envelope, message, is_encrypted),) = inbox.taken
    assert is_encrypted
    assert envelope.mail_from == "tonalog@ops.example"
    assert envelope.rcpt_tos == ["night@ops.example", "b@ops.example"]
    assert (message["Subject"], message.get_content().replace("\r", "")) == (MAIL.headline, MAIL.body)
    assert message["Auto-Submitted"] == "auto-generated"


def test_a_certificate_that_nobody_vouches_for_gets_no_mail(engine, tmp_path, certificates):
    with receiving(tls=certificates.server_context()) as (inbox, port):
        route = read_route(settings_of(tmp_path, f"smtp://tonalog:p%40ss@127.0.0.1:{port}"))
        with pytest.raises(MailNotSent, match="TONALOG_SMTP_CA_FILE"):
            send(route, mails.take(engine, lease_s=60.0))

    assert inbox.taken == []


def test_a_server_without_tls_gets_mail_only_where_that_was_asked_for(engine, tmp_path):
    mail = mails.take(engine, lease_s=60.0)
    with receiving() as (inbox, port):
        with pytest.raises(MailNotSent, match="SMTPNotSupportedError"):
            send(read_route(settings_of(tmp_path, f"smtp://127.0.0.1:{port}")), mail)
        assert inbox.taken == []
        send(read_route(settings_of(tmp_path, f"smtp+plain://127.0.0.1:{port}")), mail)

    assert len(inbox.taken) == 1


def test_a_mail_that_is_refused_is_tried_again_with_the_same_id_and_at_last_given_up(engine, tmp_path):
    with receiving() as (inbox, port):
        settings = settings_of(tmp_path, f"smtp+plain://127.0.0.1:{port}")
        watch = Watch(settings, make_app(settings))
        inbox.refusals = ["451 later, night@ops.example", "451 later"]
        watch.send_mail()
        watch.send_mail()  # its time has not come
        assert (len(inbox.refusals), inbox.taken) == (1, [])
        with engine.begin() as connection:
            (error,) = connection.exec_driver_sql("SELECT error FROM mails").one()
        assert error == "SMTPDataError: the server answered 451"

        for _ in range(2):
            pass_time(engine)
            watch.send_mail()
        assert len(inbox.taken) == 1

    for _ in RETRY_DELAYS_S:
        with engine.begin() as connection:
            mails.add(connection, MAIL)
    n_tries = 0
    while (mail := mails.take(engine, lease_s=60.0)) is not None:
        n_tries += 1
        mails.end(engine, mail, error="x")
        pass_time(engine)
    assert n_tries == len(RETRY_DELAYS_S) * (len(RETRY_DELAYS_S) + 1)


def pass_time(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE mails SET next_at_s = next_at_s - 100000")


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("TONALOG_SMTP_URL", "http://canary:canary@mail.example", "smtp://USER"),
        ("TONALOG_SMTP_URL", "smtp+plain://canary:canary@mail.example", "plain text"),
        ("TONALOG_ALERT_TO", "night@ops.example, nobody", "'nobody' is no address"),
        ("TONALOG_ALERT_TO", "", "name who gets the mail"),
        ("TONALOG_ALERT_FROM", "a@b\n.c", "is no address"),
        ("TONALOG_ALERT_FROM", "a@b.c, d@b.c", "is no address"),
    ],
)
def test_a_mail_setting_that_is_not_allowed_is_refused_without_its_secret(monkeypatch, variable, value, said):
    for name, good in (("TONALOG_SMTP_URL", "smtp://mail.example"), ("TONALOG_ALERT_TO", "night@ops.example")):
        monkeypatch.setenv(name, good)
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=said) as caught:
        Settings.read()
    assert variable in str(caught.value)
    assert "canary" not in str(caught.value)


def test_empty_variables_are_as_good_as_none(monkeypatch):
    default = Settings.read()
    for name in ("SMTP_URL", "SMTP_CA_FILE", "ALERT_TO", "ALERT_FROM", "ALERT_TENANT"):
        monkeypatch.setenv(f"TONALOG_{name}", "")

    assert Settings.read() == default


def test_recipients_without_a_mail_server_are_refused_by_the_one_who_sends():
    settings = Settings.read(alert_to="night@ops.example")  # a worker, which is given no secret of a mail server

    with pytest.raises(SettingsError, match=r"TONALOG_ALERT_TO=.*needs TONALOG_SMTP_URL"):
        read_route(settings)


def test_the_password_of_the_mail_server_is_in_no_printed_route(tmp_path):
    route = read_route(settings_of(tmp_path, "smtp://tonalog:canary@mail.example"))

    assert "canary" not in repr(route)
    assert route.server.password == "canary"
