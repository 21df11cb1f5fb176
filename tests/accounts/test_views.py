"""The pages on which people get in: who is sent where, what each page offers, how often one may try."""

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.messages import get_messages
from django.test import Client
from django.utils import timezone

from accounts import attempts
from accounts.audit import Actor
from accounts.models import Passkey, RateBucket, Role, Session, User
from accounts.secret import hashed
from accounts.services import invites, links, recovery
from accounts.throttle import Limit, Throttle
from projects.models import InvitedTo
from projects.services.projects import NewProject
from tests.factories import make_issue, make_user

AUTH_PAGES = ("/auth/login", "/auth/link/x", "/auth/invite/x", "/auth/recover")
ELSEWHERE = (
    "//evil.example",
    "///evil.example",
    "https://evil.example/",
    "https:evil.example",
    "https:///evil.example",
    "\\\\evil.example",
    "/\\evil.example",
    "\t//evil.example",
    "/\t/evil.example",
    "javascript:alert(1)",
    "evil",
    "errors:list",
)


def make_passkey(user: User, *, name: str = "Laptop") -> Passkey:
    """A passkey that no device holds: enough for pages that only ask whether there is one."""
    values = {"credential_id": f"credential-of-{user.username}", "public_key": b"x", "created_at": timezone.now()}
    passkey: Passkey = Passkey.objects.create(user=user, name=name, **values)
    return passkey


def make_codes(user: User) -> list[str]:
    return recovery.make_recovery_codes(user=user, actor=Actor(user), now=timezone.now())


def path_of(issued: links.Issued) -> str:
    return issued.url.removeprefix("http://localhost:5332")


def link_for(user: User | None) -> str:
    return path_of(links.issue_login_link(username=user.username if user else None, now=timezone.now()))


def invite_page() -> str:
    invite = invites.issue_invite(role=Role.MEMBER, created_by=None, now=timezone.now())
    return f"/auth/invite/{invite.token}"


def said(answer: Any) -> list[str]:
    """The messages the next page will show."""
    return [str(each) for each in get_messages(answer.wsgi_request)]


def html_of(client: Client, path: str, **query: str) -> str:
    return client.get(path, query).content.decode()


# --- Being led to sign-in -------------------------------------------------------------------------------------------


def test_a_stranger_is_led_to_sign_in_with_the_way_back(admin: User, client: Client):
    answer = client.get("/errors?q=a&project=shop")

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/auth/login?next=%2Ferrors%3Fq%3Da%26project%3Dshop",
    )
    assert "needs you to be signed in" in client.get(answer.headers["Location"]).content.decode()


def test_the_front_door_leads_to_a_plain_sign_in(client: Client, db: None):
    answer = client.get("/")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/auth/login")


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_expired_htmx_request_takes_the_whole_page_to_sign_in(method: str, admin_client: Client, shop: NewProject):
    make_issue(shop.project, fingerprint="fp")
    Session.objects.all().delete()
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/errors?q=a"}
    path = {"get": "/errors/stats", "post": "/errors/shop/fp/status"}[method]

    answer = getattr(admin_client, method)(path, headers=headers)

    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/auth/login?next=%2Ferrors%3Fq%3Da"
    assert answer.content == b""


def test_an_htmx_request_that_names_no_page_is_led_to_sign_in_as_well(client: Client, db: None):
    answer = client.get("/errors", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/auth/login")


@pytest.mark.parametrize(("query", "leads_to"), [("", "/"), ("?next=/errors", "/errors"), ("?next=//evil", "/")])
def test_who_is_signed_in_needs_no_sign_in_page(query: str, leads_to: str, admin_client: Client):
    assert admin_client.get(f"/auth/login{query}").headers["Location"] == leads_to


# --- The sign-in page -----------------------------------------------------------------------------------------------


def test_the_sign_in_page_asks_for_a_passkey_and_names_the_other_ways(admin: User, client: Client):
    assert 'autocomplete="username"' in html_of(client, "/auth/login"), "there is no passkey to offer yet"
    make_passkey(admin)

    html = html_of(client, "/auth/login")

    assert 'autocomplete="username webauthn"' in html
    assert "Sign in with a passkey" in html
    assert 'href="/auth/recover"' in html
    assert "manage.py loginlink NAME" in html
    assert 'data-origin="http://localhost:5332"' in html


@pytest.mark.parametrize(
    ("reason", "words"),
    [("expired", "has expired"), ("signed_out", "You are signed out"), ("<script>", "Bloop has no passwords")],
)
def test_the_sign_in_page_says_why_one_is_here(reason: str, words: str, admin: User, client: Client):
    html = html_of(client, "/auth/login", reason=reason)

    assert words in html
    assert "<script>" not in html


def test_before_anybody_exists_the_sign_in_page_says_where_the_first_link_is(client: Client, db: None):
    html = html_of(client, "/auth/login")

    assert "http://localhost:5332/auth/link/…" in html
    assert "make run" in html
    assert "data-passkey=" not in html


def test_open_setup_lets_the_first_visitor_register(client: Client, settings: LazySettings, db: None):
    auth = settings.BLOOP.auth.model_copy(update={"open_setup": True})
    settings.BLOOP = settings.BLOOP.model_copy(update={"auth": auth})

    assert 'data-passkey="register"' in html_of(client, "/auth/login")
    make_user()
    assert 'data-passkey="sign-in"' in html_of(client, "/auth/login")


def test_a_setup_token_is_asked_for_where_the_settings_name_one(client: Client, settings: LazySettings, db: None):
    auth = settings.BLOOP.auth.model_copy(update={"setup_token": "open sesame"})
    settings.BLOOP = settings.BLOOP.model_copy(update={"auth": auth})

    html = html_of(client, "/auth/login")

    assert 'name="setup_token"' in html
    assert "open sesame" not in html


@pytest.mark.parametrize("host", ["localhost:5332", "127.0.0.1:5332"])
def test_the_sign_in_page_says_when_it_is_open_at_another_address(host: str, admin: User, client: Client):
    html = client.get("/auth/login?next=/errors", headers={"Host": host}).content.decode()
    note = re.search(r'<div class="note note--bad" role="alert" data-passkey-address="([^"]+)"( hidden)?>', html)

    assert note
    assert note.groups() == ("http://localhost:5332", " hidden" if host.startswith("localhost") else None)
    assert ("Passkeys work at http://localhost:5332 only" in html) == (note.group(2) is None)
    assert 'href="http://localhost:5332/auth/login?next=/errors"' in html


def test_the_sign_in_page_says_when_the_settings_contradict_each_other(
    admin: User, client: Client, settings: LazySettings
):
    auth = settings.BLOOP.auth.model_copy(update={"rp_id": "example.com"})
    settings.BLOOP = settings.BLOOP.model_copy(update={"auth": auth})

    assert "Passkeys belong to auth.rp_id, which is example.com" in html_of(client, "/auth/login")


# --- Where one wanted to go -----------------------------------------------------------------------------------------


def test_every_page_carries_next_along(admin: User, client: Client):
    wanted = '/errors?q=a"b'

    for path in (*AUTH_PAGES[:1], link_for(admin), invite_page(), "/auth/recover"):
        html = html_of(client, path, next=wanted)
        assert re.search(r'(data-next|name="next" value)="/errors\?q=a&quot;b"', html), path
    login, recover = html_of(client, "/auth/login", next="/errors"), html_of(client, "/auth/recover", next="/errors")
    assert 'href="/auth/recover?next=%2Ferrors"' in login
    assert 'href="/auth/login?next=%2Ferrors"' in recover


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_page_carries_along_what_is_not_ours(target: str, admin: User, client: Client):
    signed_in = Client()
    signed_in.force_login(admin)
    make_passkey(admin)
    pages = [(client, path) for path in ("/auth/login", link_for(admin), invite_page(), "/auth/recover")]

    for visitor, path in [*pages, (signed_in, "/auth/verify")]:
        html = html_of(visitor, path, next=target)
        assert 'name="next"' not in html, path
        assert set(re.findall(r'data-next="([^"]*)"', html)) <= {"/"}, path
        assert not re.search(r'href="/[^"]*next=', html), path


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_way_in_leads_elsewhere(target: str, admin: User):
    make_passkey(admin)
    code, other_code, *_ = make_codes(admin)
    verifying = Client()
    verifying.force_login(admin)

    led_to = [
        Client().post(link_for(admin), {"next": target}).headers["Location"],
        Client().post(invite_page(), {"next": target, "username": "kim"}).headers["Location"],
        Client().post("/auth/recover", {"next": target, "username": "ann", "code": code}).headers["Location"],
        verifying.post("/auth/verify", {"next": target, "code": other_code}).headers["Location"],
    ]

    assert led_to == ["/", "/", "/settings/account", "/"]


# --- Sign-in links and invites --------------------------------------------------------------------------------------


def test_the_first_admins_link_offers_a_passkey_and_goes_without(client: Client, db: None):
    path = link_for(None)
    html = html_of(client, path)

    assert 'data-passkey="register"' in html
    assert f'name="link_token" value="{path.removeprefix("/auth/link/")}"' in html
    assert 'value="admin"' in html
    assert "Sign in without a passkey for now" in html
    assert client.post(path).headers["Location"] == "/"
    assert User.objects.get().username == "admin"


def test_who_needs_a_link_because_they_have_no_passkey_is_led_to_add_one(admin: User, client: Client):
    answer = client.post(link_for(admin))

    assert answer.headers["Location"] == "/settings/account"
    assert "You have no passkey yet" in html_of(client, "/settings/account")


def test_a_link_leads_who_has_a_passkey_straight_on(admin: User, client: Client):
    make_passkey(admin)

    assert client.post(link_for(admin)).headers["Location"] == "/"


def test_next_comes_before_the_hint(admin: User, client: Client):
    assert client.post(link_for(admin), {"next": "/errors"}).headers["Location"] == "/errors"


def test_a_used_link_says_what_to_do(client: Client, db: None):
    assert "Start Bloop again" in html_of(client, "/auth/link/x")
    make_user()
    assert "manage.py loginlink NAME" in html_of(client, "/auth/link/x")


def test_a_used_invite_says_what_to_do(client: Client, db: None):
    answer = client.get("/auth/invite/x")

    assert answer.status_code == 410
    assert "ask the person who invited you" in answer.content.decode()


def test_an_invite_says_what_it_opens_and_offers_a_passkey(shop: NewProject, client: Client):
    invite = invites.issue_invite(role=Role.MEMBER, created_by=None, now=timezone.now())
    InvitedTo.objects.create(invite_id=hashed(invite.token), project=shop.project)
    html = html_of(client, f"/auth/invite/{invite.token}")

    assert re.search(r"invited as <strong>member</strong> of <bdi>Shop</bdi>", html)
    assert 'data-passkey="invite"' in html
    assert f'name="invite_token" value="{invite.token}"' in html


def test_the_sign_in_address_of_an_invite_leads_to_it_with_next(client: Client, db: None):
    answer = client.get("/auth/login?invite=abc&next=/errors")

    assert answer.headers["Location"] == "/auth/invite/abc?next=%2Ferrors"


# --- Recovery codes -------------------------------------------------------------------------------------------------


def test_a_recovery_code_signs_in_verified_once_and_says_how_many_are_left(admin: User, client: Client):
    code, *_ = make_codes(admin)

    answer = client.post("/auth/recover", {"username": "ann", "code": f" {code.upper()} "})
    again = Client().post("/auth/recover", {"username": "ann", "code": code})

    assert answer.headers["Location"] == "/settings/account"
    assert said(answer) == ["You have 9 recovery codes left. Add a passkey if you have lost yours."]
    assert client.get("/errors").context["user"].is_verified()
    assert (again.status_code, "session" in again.cookies) == (422, False)


def test_the_last_code_is_called_the_last(admin: User):
    *most, last = make_codes(admin)
    for code in most:
        assert recovery.use_recovery_code(username="ann", code=code, now=timezone.now(), address="")
    Throttle.forget_all()
    RateBucket.objects.all().delete()

    answer = Client().post("/auth/recover", {"username": "ann", "code": last})

    assert said(answer) == ["That was your last recovery code. Add a passkey if you have lost yours."]


def test_a_wrong_code_and_an_unknown_name_read_alike(admin: User, client: Client):
    make_codes(admin)

    answers = [client.post("/auth/recover", {"username": name, "code": "aaaa-bbbb-cccc"}) for name in ("ann", "nobody")]

    texts = [re.sub(r'value="\w*"', "", answer.content.decode()) for answer in answers]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert texts[0] == texts[1]
    assert "do not belong together" in texts[0]


@pytest.mark.parametrize(("name", "code"), [("", ""), ("ann", ""), ("", "x"), ("a\x00b", "x"), ("x" * 65, "y" * 65)])
def test_half_an_answer_is_explained(name: str, code: str, client: Client, db: None):
    answer = client.post("/auth/recover", {"username": name, "code": code})

    assert answer.status_code == 422
    assert "errorlist" in answer.content.decode()


# --- Confirming ------------------------------------------------------------------------------------------------------


def test_confirming_needs_somebody_signed_in(client: Client, db: None):
    assert client.get("/auth/verify?next=/admin/").headers["Location"].startswith("/auth/login?next=%2Fauth%2Fverify")


@pytest.mark.parametrize(("passkey", "codes"), [(True, True), (True, False), (False, True), (False, False)])
def test_the_page_offers_what_the_person_has(passkey, codes, admin: User, admin_client: Client):
    if passkey:
        make_passkey(admin)
    if codes:
        make_codes(admin)

    html = html_of(admin_client, "/auth/verify", next="/admin/")

    assert ('data-passkey="verify"' in html) == passkey
    assert ('name="code"' in html) == codes
    assert ("You have none yet" in html) == (not passkey and not codes)
    assert ('href="/settings/account"' in html) == (not passkey and not codes)


def test_a_recovery_code_verifies_the_session_and_goes_on(admin: User, admin_client: Client):
    code, *_ = make_codes(admin)
    assert not admin_client.get("/errors").context["user"].is_verified()

    answer = admin_client.post("/auth/verify", {"code": code, "next": "/errors"})

    assert answer.headers["Location"] == "/errors"
    assert admin_client.get("/errors").context["user"].is_verified()


def test_nobody_confirms_with_somebody_elses_code(admin: User, member: User, admin_client: Client):
    make_codes(admin)
    code, *_ = make_codes(member)

    answer = admin_client.post("/auth/verify", {"code": code, "next": "/errors"})

    assert (answer.status_code, "none of your codes" in answer.content.decode()) == (422, True)
    assert not admin_client.get("/errors").context["user"].is_verified()


# --- How often one may try ------------------------------------------------------------------------------------------


def limit(monkeypatch: pytest.MonkeyPatch, *, rate: float, burst: int) -> None:
    monkeypatch.setattr(attempts, "by_address", Throttle(Limit("auth", rate=rate, burst=burst), clock=lambda: 1_000))


@pytest.mark.parametrize("path", AUTH_PAGES)
def test_sign_in_pages_are_never_cached(path: str, client: Client, db: None):
    assert "no-store" in client.get(path).headers["Cache-Control"]


@pytest.mark.parametrize("path", [*AUTH_PAGES, "/auth/verify"])
def test_who_tries_too_often_is_told_how_long_to_wait(
    path: str, admin: User, client: Client, monkeypatch: pytest.MonkeyPatch
):
    limit(monkeypatch, rate=0.5, burst=3)
    if path == "/auth/verify":
        client.force_login(admin)

    answers = [client.get(path) for _ in range(5)]

    assert [answer.status_code == 429 for answer in answers] == [False, False, False, True, True]
    assert answers[-1].headers["Retry-After"] == "2"
    assert "Wait 2 seconds, then try again." in answers[-1].content.decode()


def test_who_guesses_codes_of_one_account_from_many_addresses_is_told_to_wait(admin: User, client: Client):
    make_codes(admin)

    answers = [
        client.post("/auth/recover", {"username": "ann", "code": "no"}, REMOTE_ADDR=f"198.51.100.{number}")
        for number in range(12)
    ]

    assert [answer.status_code for answer in answers] == [422] * 10 + [429] * 2
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_refused_attempt_does_not_use_a_link_up(admin: User, client: Client, monkeypatch: pytest.MonkeyPatch):
    limit(monkeypatch, rate=0.01, burst=1)
    path = link_for(admin)
    client.get("/auth/login")

    answer = client.post(path)

    assert (answer.status_code, "session" in client.cookies) == (429, False)
    RateBucket.objects.all().delete()
    assert client.post(path).status_code == 302


def test_each_address_has_a_bucket_of_its_own(admin: User, client: Client, monkeypatch: pytest.MonkeyPatch):
    limit(monkeypatch, rate=0.01, burst=1)

    def status(address: str, **headers: str) -> int:
        return client.get("/auth/login", REMOTE_ADDR=address, headers=headers).status_code

    assert [status("198.51.100.1"), status("198.51.100.1"), status("198.51.100.2")] == [200, 429, 200]
    spoofed = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    assert status("198.51.100.1", **spoofed) == 429, "nobody's word counts but a trusted proxy's"


def test_the_limit_is_the_configured_one(settings: LazySettings):
    assert attempts.by_address.limit == Limit(
        "auth", settings.BLOOP.rate_limit.auth_per_second, settings.BLOOP.rate_limit.auth_burst_size
    )
    assert (attempts.by_address.limit.rate, attempts.by_address.limit.burst) == (5, 10)


def test_pages_behind_sign_in_are_not_limited(admin_client: Client):
    admin_client.get("/errors")

    assert not RateBucket.objects.filter(key__startswith="auth").exists()
