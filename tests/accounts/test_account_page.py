"""The account page: passkeys, recovery codes, sessions; each act, each refusal, secrets shown once."""

import json
import re
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import unquote

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Passkey, Session, User
from accounts.queries import unused_recovery_codes
from accounts.secret import hashed
from accounts.services.recovery import use_recovery_code
from bloop_site.lib.browsers import browser_words
from tests.factories import make_user, verified_client

ACCOUNT = "/settings/account"
VERIFY = "/auth/verify?next=%2Fsettings%2Faccount"
CODE = re.compile(r"\b[a-z2-9]{4}-[a-z2-9]{4}-[a-z2-9]{4}\b")
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def mia(db: None) -> User:
    return make_user(username="mia")


@pytest.fixture
def client(mia: User) -> Client:
    """Mia's browser, signed in by a link."""
    client = Client(headers={"User-Agent": CHROME})
    client.force_login(mia)
    return client


@pytest.fixture
def proven(mia: User) -> Client:
    """Mia's browser, signed in with her only passkey."""
    return verified_client(mia)


def html_of(client: Client) -> str:
    answer = client.get(ACCOUNT)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def send(client: Client, path: str, **form: Any) -> Any:
    return client.post(f"{ACCOUNT}/{path}", form)


def said(client: Client, answer: Any) -> str:
    """What the page that a form led back to says."""
    assert (answer.status_code, answer.headers["Location"]) == (302, ACCOUNT)
    return html_of(client)


def give_passkey(user: User, name: str = "Phone", **fields: Any) -> Passkey:
    values = {"credential_id": f"id of {name}", "public_key": b"", "created_at": timezone.now(), **fields}
    passkey: Passkey = Passkey.objects.create(user=user, name=name, **values)
    return passkey


def age_session(user: User) -> None:
    """The person signed in a while ago."""
    Session.objects.filter(user=user).update(created_at=timezone.now() - timedelta(minutes=11))


# --- The page ---------------------------------------------------------------------------------------------------------


def test_nobody_is_led_to_sign_in(db: None):
    assert Client().get(ACCOUNT).headers["Location"] == "/auth/login?next=%2Fsettings%2Faccount"


def test_who_has_no_passkey_is_told_what_that_means_and_can_add_one(client: Client):
    html = html_of(client)

    assert "You have no passkey yet" in html
    form = re.search(r'<form[^>]*data-passkey="add"[^>]*>.*?</form>', html, re.DOTALL)
    assert form is not None
    assert 'data-start="/auth/passkeys/start"' in form.group()
    assert 'data-finish="/auth/passkeys/finish"' in form.group()
    assert re.search(r'<input[^>]*name="name"', form.group())
    assert re.search(r'<p[^>]*role="alert"[^>]*data-passkey-error', form.group())
    assert "js/passkey.js" in html


def test_passkeys_are_listed_with_where_they_are_kept(proven: Client, mia: User):
    give_passkey(mia, "Cloud", is_synced=True, last_used_at=timezone.now())
    html = html_of(proven)

    rows = {row.name: row for row in proven.get(ACCOUNT).context["passkeys"]}

    assert (rows["Laptop"].is_synced, rows["Cloud"].is_synced) == (False, True)
    assert rows["Laptop"].last_used_ms is None
    assert rows["Cloud"].last_used_ms is not None
    assert ">synced<" in html
    assert ">this device<" in html
    assert "You have no passkey yet" not in html


def test_another_persons_passkeys_are_not_shown(client: Client):
    give_passkey(make_user(), "Somebody else's")

    assert "Somebody else's" not in html_of(client)


@pytest.mark.parametrize("name", ["x" * 64, "مفتاح", "🔑 🔑", "<b>bold</b>"])
def test_awkward_names_are_shown_as_text(name: str, client: Client, mia: User):
    give_passkey(mia, name)

    assert "<b>bold" not in client.get(ACCOUNT).content.decode()
    assert name in html_of(client)


def test_the_page_is_never_kept_by_a_browser(client: Client):
    assert "no-store" in client.get(ACCOUNT).headers["Cache-Control"]


# --- Passkeys ---------------------------------------------------------------------------------------------------------


def test_a_passkey_is_renamed(proven: Client, mia: User):
    passkey = Passkey.objects.get(user=mia)

    assert "Renamed." in said(proven, send(proven, f"passkeys/{passkey.pk}/name", name=" Work  laptop "))
    assert Passkey.objects.get(user=mia).name == "Work laptop"


@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "a\x00b", "a\u202eb"])
def test_a_bad_name_is_refused_beside_its_field_with_the_form_open(name: str, proven: Client, mia: User):
    passkey = Passkey.objects.get(user=mia)

    answer = send(proven, f"passkeys/{passkey.pk}/name", name=name)

    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()
    assert re.search(r"<details[^>]*data-menu open>", answer.content.decode())
    assert Passkey.objects.get(user=mia).name == "Laptop"


def test_a_passkey_is_removed(proven: Client, mia: User):
    phone = give_passkey(mia)

    assert "Removed: that passkey signs nobody in any more." in said(
        proven, send(proven, f"passkeys/{phone.pk}/remove")
    )
    assert [str(each) for each in Passkey.objects.filter(user=mia)] == ["Laptop"]


def test_the_last_way_in_stays_and_the_page_says_what_to_do(proven: Client, mia: User):
    passkey = Passkey.objects.get(user=mia)

    html = said(proven, send(proven, f"passkeys/{passkey.pk}/remove"))

    assert "This is your only way in. Add another passkey or make recovery codes first." in html
    assert Passkey.objects.filter(user=mia).exists()


def test_with_recovery_codes_the_last_passkey_may_go_and_this_browser_stays(proven: Client, mia: User):
    send(proven, "recovery-codes")
    passkey = Passkey.objects.get(user=mia)

    assert "Removed" in said(proven, send(proven, f"passkeys/{passkey.pk}/remove"))
    assert not Passkey.objects.filter(user=mia).exists()


@pytest.mark.parametrize("act", ["name", "remove"])
def test_somebody_elses_passkey_does_not_exist(act: str, proven: Client):
    theirs = give_passkey(make_user())

    assert send(proven, f"passkeys/{theirs.pk}/{act}", name="Mine now").status_code == 404
    assert Passkey.objects.get(pk=theirs.pk).name == "Phone"


def test_nobody_touches_a_passkey(mia: User):
    passkey = give_passkey(mia)
    paths = (f"passkeys/{passkey.pk}/name", f"passkeys/{passkey.pk}/remove", "recovery-codes", "sessions/end")

    assert [send(Client(), path, name="x").status_code for path in paths] == [303, 303, 303, 303]
    assert Passkey.objects.get(pk=passkey.pk).name == "Phone"


# --- A session has to be verified -------------------------------------------------------------------------------------


def test_who_has_a_passkey_confirms_by_it_before_the_ways_in_change(client: Client, mia: User):
    passkey = give_passkey(mia)

    for path in (f"passkeys/{passkey.pk}/remove", "recovery-codes"):
        answer = send(client, path)
        assert (answer.status_code, answer.headers["Location"]) == (302, VERIFY), path

    assert Passkey.objects.filter(user=mia).exists()
    assert unused_recovery_codes(mia) == 0


def test_an_old_session_is_led_to_confirm_before_it_adds_a_passkey(client: Client, mia: User):
    give_passkey(mia)
    age_session(mia)

    html = html_of(client)

    assert f'href="{VERIFY}"' in html
    assert 'data-passkey="add"' not in html


def test_who_lost_their_passkeys_and_came_by_a_link_may_add_one(client: Client, mia: User):
    give_passkey(mia)

    assert 'data-passkey="add"' in html_of(client)


def test_a_verified_session_adds_a_passkey_however_old_it_is(proven: Client, mia: User):
    age_session(mia)

    assert 'data-passkey="add"' in html_of(proven)


def test_renaming_and_signing_out_need_no_confirmation(client: Client, mia: User):
    passkey = give_passkey(mia)

    assert "Renamed." in said(client, send(client, f"passkeys/{passkey.pk}/name", name="Tablet"))
    assert "Signed out 0 other browsers." in said(client, send(client, "sessions/end-others"))


# --- Recovery codes ---------------------------------------------------------------------------------------------------


def test_recovery_codes_are_shown_once_and_work(client: Client, mia: User):
    assert ">none<" in html_of(client)

    answer = send(client, "recovery-codes")
    shown = client.get(ACCOUNT)

    codes = CODE.findall(re.findall(r'<pre class="codes".*?</pre>', shown.content.decode(), re.DOTALL)[0])
    assert len(set(codes)) == 10
    seen = f"{answer.headers['Location']} {answer.cookies.output()} {shown.cookies.output()}"
    assert not CODE.search(seen)
    assert "no-store" in shown.headers["Cache-Control"]
    again = html_of(client)
    assert not CODE.search(again)
    assert "10 left" in again
    assert not CODE.search(json.dumps(list(AuditEntry.objects.values_list("target", "detail"))))
    used = use_recovery_code(username="mia", code=codes[0], now=timezone.now(), address="")
    assert used is not None
    assert "9 left" in html_of(client)


def test_codes_are_kept_for_their_page_in_the_session_row_alone_and_only_until_then(client: Client, mia: User):
    send(client, "recovery-codes")
    html_of(client)

    assert "shown_once" not in client.session


def test_the_codes_can_be_taken_along_as_a_text_file(client: Client):
    send(client, "recovery-codes")
    html = html_of(client)

    link = re.search(r'<a[^>]*href="(data:text/plain;charset=utf-8,[^"]*)" download="([^"]*)"', html)

    assert link is not None
    assert link.group(2) == "bloop-recovery-codes.txt"
    text = unquote(link.group(1).partition(",")[2])
    codes = CODE.findall(re.findall(r'<pre class="codes".*?</pre>', html, re.DOTALL)[0])
    assert text.splitlines()[0] == "Recovery codes for mia at http://localhost:5332"
    assert text.splitlines()[3:] == codes


def test_new_codes_end_the_old_ones_and_the_page_warns_before(client: Client):
    send(client, "recovery-codes")
    (old, *_) = CODE.findall(html_of(client))

    assert re.search(r"The 10 codes you have left stop\s+working\.", html_of(client))
    send(client, "recovery-codes")

    assert use_recovery_code(username="mia", code=old, now=timezone.now(), address="") is None
    assert "10 left" in html_of(client)


# --- Sessions ---------------------------------------------------------------------------------------------------------


def other_session(user: User, **fields: Any) -> Session:
    now = timezone.now()
    values = {"created_at": now, "expires_at": now + timedelta(days=1), "last_seen_at": now, **fields}
    return Session.objects.create(key_hash=hashed(str(fields)), user=user, **values)


def test_sessions_are_told_apart_by_browser_address_and_time(client: Client, mia: User):
    other_session(mia, address="203.0.113.9", user_agent=IPHONE)
    other_session(mia, user_agent="", last_seen_at=None)

    this, *others = client.get(ACCOUNT).context["sessions"]

    assert this.is_this
    assert {(row.browser, row.address) for row in others} == {
        ("Safari on iPhone", "203.0.113.9"),
        ("Unknown browser", ""),
    }
    assert html_of(client).count(">this one<") == 1


def test_another_browser_is_signed_out_and_this_one_stays(client: Client, mia: User):
    phone, tablet = other_session(mia, address="a"), other_session(mia, address="b")

    assert "Signed out there." in said(client, send(client, "sessions/end", session=phone.pk))

    assert not Session.objects.filter(pk=phone.pk).exists()
    assert Session.objects.filter(pk=tablet.pk).exists()
    assert "That session had ended already." in said(client, send(client, "sessions/end", session=phone.pk))


@pytest.mark.parametrize("named", ["", "x", "a\x00b", "f" * 64])
def test_a_session_that_is_none_has_ended(named: str, client: Client):
    assert "That session had ended already." in said(client, send(client, "sessions/end", session=named))


def test_somebody_elses_session_is_out_of_reach(client: Client):
    theirs = other_session(make_user())

    send(client, "sessions/end", session=theirs.pk)
    send(client, "sessions/end-others")

    assert Session.objects.filter(pk=theirs.pk).exists()


@pytest.mark.parametrize(("count", "words"), [(1, "1 other browser."), (3, "3 other browsers.")])
def test_all_others_are_signed_out_at_once(count: int, words: str, client: Client, mia: User):
    for number in range(count):
        other_session(mia, address=str(number))

    assert f"Signed out {words}" in said(client, send(client, "sessions/end-others"))
    assert Session.objects.filter(user=mia).count() == 1


def test_who_is_signed_in_once_is_not_offered_to_sign_others_out(client: Client):
    assert "Sign out all others" not in html_of(client)


def test_this_browser_signs_out_as_everywhere(client: Client):
    row = re.search(r'this one.*?action="([^"]*)"', html_of(client), re.DOTALL)

    assert row is not None
    assert row.group(1) == "/auth/sign-out"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (CHROME, "Chrome on Linux"),
        (IPHONE, "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Windows"),
        (CHROME.replace("X11; Linux x86_64", "Windows NT 10.0") + " Edg/131.0.0.0", "Edge on Windows"),
        (CHROME.replace("X11; Linux x86_64", "Linux; Android 14; Pixel 8"), "Chrome on Android"),
        ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) CriOS/131.0 Mobile Safari/604.1", "Chrome on iPad"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Version/17.5 Safari/605.1.15", "Safari on Mac"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 (X11; CrOS x86_64 14541.0.0)", "A browser on ChromeOS"),
        ("", "Unknown browser"),
        ("<script>", "Unknown browser"),
    ],
)
def test_a_user_agent_becomes_words_people_know(user_agent: str, words: str):
    assert browser_words(user_agent) == words
