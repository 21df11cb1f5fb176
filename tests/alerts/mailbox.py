"""A real SMTP server on this machine, which keeps what it is sent."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.journeys.server import free_port


@dataclass
class Mailbox:
    """refusing: what it answers to DATA instead of keeping the mail. refused: recipients it does not take."""

    port: int = 0
    refusing: str = ""
    refused: tuple[str, ...] = ()
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[tuple[str, str]] = field(default_factory=list)
    were_secure: list[bool] = field(default_factory=list)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:  # noqa: N802  aiosmtpd's name
        if address in self.refused:
            return "550 5.1.1 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        if self.refusing:
            return self.refusing
        assert isinstance(envelope.content, bytes)
        mail = BytesParser(policy=default).parsebytes(envelope.content)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.envelopes.append(envelope)
        self.were_secure.append(session.ssl is not None)
        return "250 OK queued"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)


@contextmanager
def receiving(
    mailbox: Mailbox, *, starttls: ssl.SSLContext | None = None, implicit: ssl.SSLContext | None = None
) -> Iterator[Mailbox]:
    """Serve the mailbox, in plain text or with one of the two kinds of TLS."""
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=starttls,
        require_starttls=starttls is not None,
        ssl_context=implicit,
        authenticator=mailbox.authenticate,
        auth_require_tls=False,
        ready_timeout=20,
    )
    mailbox.port = controller.port = free_port()  # it connects to it once itself, so it must know
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()
