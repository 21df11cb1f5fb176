"""Mails through a real SMTP server: what is in them, how the server is spoken to, and how its refusals are taken."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import LazySettings
from hypothesis import example, given
from hypothesis import strategies as st

from alerts.channels import email
from alerts.channels.base import ChannelError, ChannelInvalid, Sent
from tests.alerts.conftest import Authority, configure
from tests.alerts.factories import facts
from tests.alerts.mailbox import Mailbox, receiving

Start = Callable[..., Mailbox]


@pytest.fixture
def mailbox(settings: LazySettings) -> Iterator[Start]:
    """Starts a mail server and configures it."""
    with ExitStack() as stack:

        def start(
            *,
            refusing: str = "",
            refused: tuple[str, ...] = (),
            starttls: Any = None,
            implicit: Any = None,
            **smtp: Any,
        ) -> Mailbox:
            made = Mailbox(refusing=refusing, refused=refused)
            stack.enter_context(receiving(made, starttls=starttls, implicit=implicit))
            is_plain = starttls is None and implicit is None
            given = {"enabled": True, "host": "127.0.0.1", "port": made.port, "starttls": starttls is not None}
            configure(settings, "smtp", **{**given, "plaintext": is_plain, **smtp})
            return made

        yield start


def send(to: str = "team@example.com", **changes: Any) -> Sent:
    return email.send(facts(**changes), {"type": "email", "to": to}, "")


def failure(to: str = "team@example.com", **changes: Any) -> ChannelError:
    with pytest.raises(ChannelError) as caught:
        send(to, **changes)
    return caught.value


def test_a_mail_arrives_with_the_documented_subject_and_the_message_first(mailbox: Start, settings: LazySettings):
    configure(settings, "auth", rp_origin="https://bloop.example.com")
    box = mailbox(sender="Bloop <errors@example.com>")

    assert send() == Sent(250, "taken by 127.0.0.1")

    (mail,) = box.mails
    assert mail["Subject"] == "[bloop alert] Checkout fails"
    assert (mail["From"], mail["To"]) == ("Bloop <errors@example.com>", "team@example.com")
    assert (box.envelopes[0].mail_from, box.envelopes[0].rcpt_tos) == ("errors@example.com", ["team@example.com"])
    assert mail["Message-ID"] == "<5-1780000000000.alerts@bloop.example.com>"
    assert mail["Date"] == "Thu, 28 May 2026 20:26:41 +0000"
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert text == (
        "New error in 1.4.0 (production): [TypeError] no such key - abc123\n\n"
        "Project: Shop\nEnvironment: production\nRelease: 1.4.0\nEvents: 12\n\n"
        "https://bloop.example.com/issues/17\n"
    )
    assert "New error in 1.4.0 (production): [TypeError] no such key - abc123" in html
    assert '<a href="https://bloop.example.com/issues/17"' in html
    assert box.logins == []


def test_the_same_delivery_has_the_same_message_id_at_each_attempt(mailbox: Start):
    box = mailbox()

    send(sent_ms=1)
    send(sent_ms=2)
    send(delivery_id="6-1")

    first, second, other = (mail["Message-ID"] for mail in box.mails)
    assert first == second != other


def test_hostile_texts_make_no_header_and_no_markup(mailbox: Start):
    box = mailbox()

    send(
        rule_name="Evil\r\nBcc: victim@example.com\n\nbody ",
        message="</td><script>x</script>\n.\r\nQUIT\r\n😀 \ud800",
        lines=(("<b>", "&amp;\r\nX"),),
    )

    (mail,) = box.mails
    assert mail["Subject"] == "[bloop alert] Evil Bcc: victim@example.com body"
    assert mail["Bcc"] is None
    assert box.envelopes[0].rcpt_tos == ["team@example.com"]
    text, html = (part.get_content().replace("\r\n", "\n") for part in mail.iter_parts())
    assert text.startswith("</td><script>x</script>\n.\nQUIT\n😀 ?\n")
    assert "<script>" not in html
    assert "&lt;script&gt;x&lt;/script&gt;" in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("written", ["q?a=0D=0ABcc:_x@y.z?=", "b?YQ0KQmNjOiB4QHkueg0KDQpib2R5?="])
def test_a_rule_named_like_an_encoded_word_makes_no_header(mailbox: Start, written: str):
    box = mailbox()

    send(rule_name=f"=?utf-8?{written}")

    (mail,) = box.mails
    assert mail["Subject"] == f"[bloop alert] = ?utf-8?{written}"
    assert mail["Bcc"] is None
    assert mail["To"] == "team@example.com"


def test_several_people_get_one_mail_and_a_wrong_one_of_them_hinders_nobody(mailbox: Start):
    box = mailbox(refused=("gone@example.com",))

    sent = send("a@example.com, Gone <gone@example.com>,b@example.com")

    assert sent == Sent(250, "taken by 127.0.0.1, but not for gone@example.com")
    assert box.envelopes[0].rcpt_tos == ["a@example.com", "b@example.com"]


# --- How the server is spoken to ----------------------------------------------------------------------------------


def test_starttls_comes_before_the_credentials_and_the_mail(mailbox: Start, authority: Authority):
    box = mailbox(starttls=authority.context("127.0.0.1"), username="bloop", password="right")

    send()

    assert box.were_secure == [True]
    assert box.logins == [("bloop", "right")]


def test_tls_from_the_first_byte(mailbox: Start, authority: Authority):
    box = mailbox(implicit=authority.context("127.0.0.1"))

    send()

    assert len(box.mails) == 1


def test_a_server_that_offers_no_starttls_gets_nothing(mailbox: Start, settings: LazySettings):
    box = mailbox(username="bloop", password="right", starttls=None, plaintext=False)
    configure(settings, "smtp", starttls=True)

    error = failure()

    assert (error.permanent, box.mails, box.logins) == (True, [], [])
    assert error.words == "the mail server cannot do what is asked: STARTTLS extension not supported by server."


def test_a_certificate_for_another_name_is_refused(mailbox: Start, authority: Authority):
    box = mailbox(starttls=authority.context("mail.example.com"))

    error = failure()

    assert error.words.startswith("the mail server's certificate is not trusted: IP address mismatch")
    assert (error.permanent, box.mails) == (False, [])


# --- Refusals -----------------------------------------------------------------------------------------------------


def test_without_smtp_a_mail_fails_at_once_in_plain_words():
    error = failure()

    assert (error.permanent, error.words) == (True, "this server sends no e-mail: smtp.enabled is off")


@pytest.mark.parametrize(
    ("answer", "is_permanent", "status"),
    [("550 5.7.1 spam", True, 550), ("451 4.7.1 greylisted, come back", False, 451), ("552 too big", True, 552)],
)
def test_a_refused_mail_may_pass_or_not_by_its_code(answer: str, *, is_permanent: bool, status: int, mailbox: Start):
    mailbox(refusing=answer)

    error = failure()

    assert (error.permanent, error.status) == (is_permanent, status)
    assert error.whole == f"the mail server answered {status}: {answer[4:]}"


def test_an_unknown_recipient_stays_unknown(mailbox: Start):
    mailbox(refused=("gone@example.com",))

    error = failure("gone@example.com")

    assert (error.permanent, error.status, error.text) == (True, 550, "5.1.1 no such mailbox")


def test_wrong_credentials_stay_wrong(mailbox: Start):
    box = mailbox(username="bloop", password="wrong")

    error = failure()

    assert (error.permanent, error.status) == (True, 535)
    assert "wrong" not in error.whole
    assert box.mails == []


def test_a_server_that_is_away_may_come_back(mailbox: Start, settings: LazySettings):
    mailbox()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        configure(settings, "smtp", port=taken.getsockname()[1])

        error = failure()

    assert (error.permanent, error.words) == (False, "the mail server cannot be reached, or hung up")


@pytest.mark.parametrize("greeting", [b"", b"220-", b"220 hello\r\n"])
def test_a_server_that_hangs_or_drips_is_left_in_time(
    greeting: bytes, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(email, "SECONDS", 1.0)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        configure(settings, "smtp", enabled=True, host="127.0.0.1", port=server.getsockname()[1], plaintext=True)

        def drip() -> None:
            peer, _ = server.accept()
            with peer:
                peer.sendall(greeting)
                try:
                    while not ended.wait(0.05):
                        peer.sendall(b"a")
                except OSError:
                    pass

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        begun = time.monotonic()
        error = failure()
        ended.set()
        thread.join(timeout=5)

    assert 0.9 < time.monotonic() - begun < 6
    assert (error.permanent, error.words) == (False, "the mail server was not done within 1 s")


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
@example("0000 0000000000000¡¡¡¡¡¡¡¡¡૦நந")
def test_any_address_that_is_taken_can_be_written_to_or_is_refused_as_such(text: str):
    try:
        config = email.parse({"to": f"{text}@b"})
    except ChannelInvalid:
        return
    recipients = email.recipients_of(config["to"])
    try:
        mail = email.mail_of(facts(), recipients=recipients, link="https://x/")
    except ChannelError:
        return
    head = bytes(mail).partition(b"\r\n\r\n")[0]
    assert head.count(b"\r\nTo:") == 1  # a long one stands on the next line, folded
    assert b"\r\nBcc:" not in head
