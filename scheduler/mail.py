"""Send mail to the operator through the standard library, over TLS unless the operator said otherwise."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from config.mail_servers import MailServer, MailTls, read_url
from config.settings import Settings, SettingsError
from db.mails import Mail

_TIMEOUT_S = 15.0


class MailNotSent(Exception):
    """The mail server did not take a mail; the message holds no address."""


@dataclass(frozen=True, kw_only=True)
class MailRoute:
    """From whom to whom mail goes, and through which server."""

    server: MailServer
    sender: str
    recipients: tuple[str, ...]
    ca_file: Path | None


def read_route(settings: Settings) -> MailRoute | None:
    """Return how mail is sent; None where nobody is to get any.

    Raises:
        SettingsError: there are recipients and no server. It is asked here, since the server's URL is a secret that no
            other process than the scheduler is given.
    """
    if settings.alert_to is None:
        return None
    if settings.smtp_url is None:
        raise SettingsError(
            f"TONALOG_ALERT_TO={settings.alert_to!r}: needs TONALOG_SMTP_URL, the server that mail goes through."
        )
    recipients = tuple(settings.alert_to.split(", "))
    return MailRoute(
        server=read_url(settings.smtp_url.get_secret_value()),
        sender=settings.alert_from or recipients[0],
        recipients=recipients,
        ca_file=settings.smtp_ca_file,
    )


def send(route: MailRoute, mail: Mail) -> None:
    """Hand a mail in.

    Raises:
        MailNotSent: the server cannot be reached, is not trusted, or refuses.
    """
    message = EmailMessage()
    message["Subject"] = mail.headline
    message["From"] = route.sender
    message["To"] = ", ".join(route.recipients)
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<{mail.token}@tonalog.invalid>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.body)
    try:
        with _connected(route) as client:
            client.send_message(message, from_addr=route.sender, to_addrs=route.recipients)
    except smtplib.SMTPResponseException as error:
        raise MailNotSent(f"{type(error).__name__}: the server answered {error.smtp_code}") from error
    except ssl.SSLCertVerificationError as error:
        raise MailNotSent(
            f"its certificate is not trusted ({error.verify_message}): set TONALOG_SMTP_CA_FILE"
        ) from error
    except (smtplib.SMTPException, OSError) as error:
        raise MailNotSent(type(error).__name__) from error


@contextmanager
def _connected(route: MailRoute) -> Iterator[smtplib.SMTP]:
    server = route.server
    context = ssl.create_default_context()
    if route.ca_file is not None:
        context.load_verify_locations(route.ca_file)
    if server.tls is MailTls.AT_ONCE:
        client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=_TIMEOUT_S, context=context)
    else:
        client = smtplib.SMTP(server.host, server.port, timeout=_TIMEOUT_S)
    with client:
        if server.tls is MailTls.STARTTLS:
            client.starttls(context=context)
        if server.user is not None:
            client.login(server.user, server.password or "")
        yield client
