"""E-mail, through the server of `smtp.*`: text and HTML in one mail."""

import smtplib
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, getaddresses, parseaddr
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.template.loader import render_to_string

from alerts.channels.base import ChannelError, ChannelInvalid, Field, Sent
from alerts.channels.texts import one_line
from alerts.messages import Facts, details_of, link_of
from bloop_site.lib.clock import from_ms
from bloop_site.lib.outbound import SECONDS, shown_text, trusted, within

FIELDS = (Field("to", "Address", "team@example.com"),)
MAX_ADDRESSES = 512
MAX_SUBJECT = 200
ENCODED = "=?"  # begins an encoded word (RFC 2047), which the mail's headers would decode, line breaks and all


def parse(raw: Mapping[Any, Any]) -> dict[str, Any]:
    """An address, or several with commas between (contract 6.2: it only has to contain @ and be 3 long)."""
    to = raw.get("to")
    if not isinstance(to, str) or not to.isprintable():
        raise ChannelInvalid("invalid email address")
    to = to.strip()
    if "@" not in to or ENCODED in to or not 3 <= len(to) <= MAX_ADDRESSES:
        raise ChannelInvalid("invalid email address")
    return {"to": to}


def send(facts: Facts, config: Mapping[str, Any], secret: str) -> Sent:
    """A mail tried again has the same Message-ID, by which most mailboxes keep one."""
    if not settings.BLOOP.smtp.enabled:
        raise ChannelError("this server sends no e-mail: smtp.enabled is off", permanent=True)
    recipients = recipients_of(config["to"])
    attempt = Attempt(mail_of(facts, recipients=recipients, link=link_of(facts)), recipients)
    try:
        return within(SECONDS, attempt.run, call_off=attempt.call_off)
    except TimeoutError:
        raise ChannelError(f"the mail server was not done within {SECONDS:g} s", permanent=False) from None
    except smtplib.SMTPRecipientsRefused as error:
        raise refusal(*next(iter(error.recipients.values()))) from None
    except smtplib.SMTPResponseException as error:
        raise refusal(error.smtp_code, error.smtp_error) from None
    except smtplib.SMTPNotSupportedError as error:
        raise ChannelError(f"the mail server cannot do what is asked: {error}", permanent=True) from None
    except ssl.SSLCertVerificationError as error:
        why = f"the mail server's certificate is not trusted: {error.verify_message}"
        raise ChannelError(why, permanent=False) from None
    except (smtplib.SMTPException, OSError):
        raise ChannelError("the mail server cannot be reached, or hung up", permanent=False) from None


def shown(config: Mapping[str, Any]) -> str:
    return str(config["to"])


def host_of(config: Mapping[str, Any]) -> str:
    return str(settings.BLOOP.smtp.host)


def refusal(code: int, words: bytes | str) -> ChannelError:
    """By its code: 5xx stays (RFC 5321, 4.2.1), everything else may pass."""
    text = shown_text(words if isinstance(words, bytes) else words.encode())
    return ChannelError(
        f"the mail server answered {code}", permanent=500 <= code < 600, status=max(code, 0) or None, text=text
    )


class Attempt:
    """One attempt at handing a mail over, which another thread can call off."""

    def __init__(self, mail: EmailMessage, recipients: list[str]) -> None:
        self.mail = mail
        self.recipients = recipients
        self.server: smtplib.SMTP | None = None
        self.is_over = False

    def run(self) -> Sent:
        """Raises what smtplib raises."""
        smtp = settings.BLOOP.smtp
        with connected() as server:
            self.server = server
            if self.is_over:
                raise TimeoutError
            if smtp.starttls and not smtp.plaintext:
                server.starttls(context=trusted())
            if smtp.username:
                server.login(smtp.username, smtp.password)
            refused = server.send_message(self.mail, parseaddr(smtp.sender)[1] or smtp.sender, self.recipients)
        others = f", but not for {', '.join(refused)}" if refused else ""
        return Sent(250, f"taken by {smtp.host}{others}")

    def call_off(self) -> None:
        """Hang up, so that nothing is sent any more. smtplib's own time limit is for each read."""
        self.is_over = True
        if self.server is not None and self.server.sock is not None:
            with suppress(OSError):
                self.server.sock.shutdown(socket.SHUT_RDWR)


def connected() -> smtplib.SMTP:
    """To the configured server. It is the operator's, so it may have a private address."""
    smtp, name = settings.BLOOP.smtp, own_name()
    if smtp.starttls or smtp.plaintext:
        return smtplib.SMTP(smtp.host, smtp.port, local_hostname=name, timeout=SECONDS)
    return smtplib.SMTP_SSL(smtp.host, smtp.port, local_hostname=name, timeout=SECONDS, context=trusted())


def own_name() -> str:
    """What this server calls itself."""
    return urlsplit(settings.BLOOP.auth.rp_origin).hostname or "localhost"


def recipients_of(to: str) -> list[str]:
    """The addresses in a channel's `to`; itself, when nothing in it looks like one."""
    return [address for _, address in getaddresses([to]) if "@" in address] or [to]


def mail_of(facts: Facts, *, recipients: list[str], link: str) -> EmailMessage:
    """The mail. Raises ChannelError when an address fits into no header."""
    mail = EmailMessage(policy=SMTP)
    subject = one_line(f"[bloop alert] {facts.rule_name}")  # the documented one
    mail["Subject"] = subject.replace(ENCODED, "= ?")[:MAX_SUBJECT]
    mail["From"] = settings.BLOOP.smtp.sender
    mail["Date"] = format_datetime(from_ms(facts.sent_ms or facts.fired_ms))
    mail["Message-ID"] = f"<{facts.delivery_id or f'fired-{facts.fired_ms}'}.alerts@{own_name()}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in return
    try:
        mail["To"] = ", ".join(recipients)
    except (ValueError, LookupError):
        raise ChannelError("the e-mail address cannot be written to", permanent=True) from None
    details = details_of(facts)
    lines = [facts.message, "", *(f"{one_line(label)}: {one_line(value)}" for label, value in details), "", link, ""]
    mail.set_content(clean("\n".join(lines)))
    html = render_to_string("emails/alert.html", {"facts": facts, "details": details, "link": link})
    mail.add_alternative(clean(html), subtype="html")
    return mail


def clean(text: str) -> str:
    """As UTF-8 can write it."""
    return text.encode("utf-8", "replace").decode()
