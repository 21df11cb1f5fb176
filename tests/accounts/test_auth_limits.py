"""How often one may try: from an address, at an account. And what an answer gives away: neither words nor time."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts import attempts
from accounts.audit import Actor
from accounts.models import Passkey, RateBucket, User
from accounts.secret import hashed
from accounts.services.recovery import make_recovery_codes
from accounts.throttle import Limit, Throttle
from tests.accounts.ceremony import answer_of, finish, give_passkey, post, sign_in, start
from tests.authenticator import ES256, Authenticator, decode, make_private_key
from tests.factories import make_user

OK = (200, {"status": "ok"})
NOT_PROVEN = (401, {"error": "authentication failed"})
PATHS = (
    "register/start",
    "register/finish",
    "login/start",
    "login/finish",
    "invite/register/start",
    "invite/register/finish",
    "passkeys/start",
    "passkeys/finish",
    "verify/start",
    "verify/finish",
    "recover",
    "logout",
)


def throttle(name: str, *, burst: int, rate: float = 0.5) -> Throttle:
    """A limit with a clock that stands still."""
    return Throttle(Limit(name, rate=rate, burst=burst), clock=lambda: 1_000)


# --- By address -----------------------------------------------------------------------------------------------------


def test_the_limits_are_the_configured_and_the_documented_ones(settings: LazySettings):
    auth = settings.BLOOP.rate_limit
    assert attempts.by_address.limit == Limit("auth", auth.auth_per_second, auth.auth_burst_size)
    assert attempts.by_account.limit == Limit("account", 1 / 6, 10)


@pytest.mark.parametrize("path", PATHS)
def test_who_tries_too_often_from_one_address_is_told_how_long_to_wait(
    path: str, client: Client, admin: User, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(attempts, "by_address", throttle("auth", burst=2))
    client.force_login(admin)

    answers = [post(client, path) for _ in range(3)]

    assert [answer.status_code == 429 for answer in answers] == [False, False, True]
    assert answer_of(answers[2]) == (429, {"error": "too many requests, wait for 2s"})
    assert answers[2].headers["Retry-After"] == "2"
    assert path != "logout" or answers[0].status_code == 200


def test_status_counts_as_well_and_junk_does(client: Client, db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attempts, "by_address", throttle("auth", burst=2))

    client.get("/auth/status")
    client.post("/auth/login/start", data=b"{", content_type="application/json")

    assert client.get("/auth/status").status_code == 429


def test_a_refused_attempt_leaves_the_ceremony_for_later(
    client: Client, admin: User, device: Authenticator, monkeypatch: pytest.MonkeyPatch
):
    give_passkey(admin, device)
    challenge_id, options = start(client, "login")
    credential = device.get(options)
    monkeypatch.setattr(attempts, "by_address", throttle("none", burst=1))
    client.get("/auth/status")
    assert finish(client, "login", challenge_id, credential).status_code == 429

    monkeypatch.setattr(attempts, "by_address", throttle("more", burst=9))
    assert answer_of(finish(client, "login", challenge_id, credential)) == OK


def test_pages_and_endpoints_share_one_bucket(client: Client, db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attempts, "by_address", throttle("auth", burst=2))

    assert client.get("/auth/login").status_code == 200
    assert client.get("/auth/status").status_code == 200
    assert client.get("/auth/login").status_code == 429


def test_each_address_has_its_own_and_headers_do_not_count(client: Client, db: None, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attempts, "by_address", throttle("auth", burst=1))

    def status(address: str, **headers: str) -> int:
        return client.get("/auth/status", REMOTE_ADDR=address, headers=headers).status_code

    assert [status("198.51.100.1"), status("198.51.100.1"), status("198.51.100.2")] == [200, 429, 200]
    assert status("198.51.100.1", **{"X-Forwarded-For": "203.0.113.9"}) == 429


# --- By account -----------------------------------------------------------------------------------------------------


@pytest.fixture
def few(unhurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three attempts at an account, and no limit on addresses."""
    monkeypatch.setattr(attempts, "by_account", throttle("account", burst=3))


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("username", ["ann", "nobody"])
def test_codes_are_limited_for_each_name_known_or_not(username: str, admin: User):
    make_recovery_codes(user=admin, actor=Actor(admin), now=timezone.now())
    answers = [
        post(Client(REMOTE_ADDR=f"198.51.100.{number}"), "recover", {"username": username, "code": "x"})
        for number in range(4)
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert answers[3].headers["Retry-After"] == "2"


@pytest.mark.usefixtures("few")
def test_the_right_code_waits_its_turn_too_or_guessing_would_pay(admin: User, client: Client):
    codes = make_recovery_codes(user=admin, actor=Actor(admin), now=timezone.now())
    for _ in range(3):
        post(client, "recover", {"username": "ann", "code": "x"})

    assert post(client, "recover", {"username": "ann", "code": codes[0]}).status_code == 429


@pytest.mark.usefixtures("few")
def test_the_page_of_recovery_codes_has_the_same_limit(admin: User, client: Client):
    answers = [client.post("/auth/recover", {"username": "ann", "code": "x"}) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [422, 422, 422, 429]


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("username", [None, "ann"])
def test_failures_with_somebodys_passkey_are_limited(username: str | None, admin: User, device: Authenticator):
    give_passkey(admin, device)

    answers = [sign_in(Client(), device, username=username, origin="http://evil.example") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    assert answers[3].headers["Retry-After"] == "2"


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("username", [None, "nobody"])
def test_failures_with_an_unknown_passkey_are_limited_alike(username: str | None, admin: User, device: Authenticator):
    give_passkey(admin, Authenticator())
    give_passkey(admin, device)
    Passkey.objects.order_by("-pk")[0].delete()

    statuses = []
    for _ in range(4):
        client = Client()
        challenge_id, options = start(client, "login", **({"username": username} if username else {}))
        credential = device.get({**options, "allowCredentials": []})
        statuses.append(finish(client, "login", challenge_id, credential).status_code)

    assert statuses == [401, 401, 401, 429]


@pytest.mark.usefixtures("few")
def test_nobody_is_kept_from_their_own_passkey_by_others_guesses(admin: User, device: Authenticator):
    give_passkey(admin, device)
    make_recovery_codes(user=admin, actor=Actor(admin), now=timezone.now())
    for _ in range(4):
        sign_in(Client(), device, username="ann", origin="http://evil.example")
        post(Client(), "recover", {"username": "ann", "code": "x"})

    assert answer_of(sign_in(Client(), device, username="ann")) == OK
    assert answer_of(sign_in(Client(), device)) == OK


@pytest.mark.usefixtures("few")
def test_a_verification_is_limited_as_a_sign_in_is(admin: User, device: Authenticator, client: Client):
    give_passkey(admin, device)
    client.force_login(admin)

    def attempt() -> int:
        challenge_id, options = start(client, "verify")
        return int(finish(client, "verify", challenge_id, device.get(options, rp_id="evil.example")).status_code)

    assert [attempt() for _ in range(4)] == [401, 401, 401, 429]


@pytest.mark.usefixtures("few", "db")
def test_buckets_keep_no_names(client: Client):
    post(client, "recover", {"username": "ann", "code": "x"})

    keys = [bucket.key for bucket in RateBucket.objects.filter(key__startswith="account")]
    assert keys == [f"account:recovery:{hashed('ann')}"]


# --- What an answer gives away --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("unhurried")
def test_a_start_by_name_tells_nothing_of_who_exists(admin: User, device: Authenticator, client: Client):
    give_passkey(admin, device)
    make_user(username="no-passkeys")
    gone = make_user(username="gone")
    give_passkey(gone, Authenticator())
    User.objects.filter(pk=gone.pk).update(is_active=False)

    for name in ("ann", "nobody", "no-passkeys", "gone", "é", "x" * 200):
        begun = [start(client, "login", username=name)[1] for _ in range(2)]
        assert begun[0]["allowCredentials"] == begun[1]["allowCredentials"], "the same every time"
        assert {**begun[0], "challenge": "", "allowCredentials": ""} == {
            "challenge": "",
            "timeout": 300_000,
            "rpId": "localhost",
            "allowCredentials": "",
            "userVerification": "required",
        }
        for each in begun[0]["allowCredentials"]:
            assert (sorted(each), each["type"]) == (["id", "type"], "public-key")
            assert len(decode(each["id"])) in (16, 20, 32, 48, 64)
        assert 1 <= len(begun[0]["allowCredentials"]) <= 2


@pytest.mark.usefixtures("unhurried")
def test_made_up_passkeys_differ_by_name_and_by_server(
    admin: User, device: Authenticator, client: Client, settings: LazySettings
):
    give_passkey(admin, device)

    def allowed(name: str) -> str:
        return str(start(client, "login", username=name)[1]["allowCredentials"])

    names = {allowed(f"nobody{number}") for number in range(20)}
    before = allowed("nobody")
    client = Client()
    settings.SECRET_KEY = "another server's"

    assert len(names) == 20
    assert allowed("nobody") != before


def attempts_at_sign_in(device: Authenticator, stranger: Authenticator, gone: Authenticator) -> dict[str, Callable]:
    """The four ways not to get in that must look alike."""
    other_key = make_private_key(ES256)

    def attempt(who: Authenticator, username: str | None = None, **lies: Any) -> Callable[[Client], Any]:
        def begin(client: Client) -> tuple[str, Any]:
            challenge_id, options = start(client, "login", **({"username": username} if username else {}))
            return challenge_id, who.get({**options, "allowCredentials": []}, **lies)

        return begin

    return {
        "unknown passkey": attempt(stranger),
        "unknown person": attempt(stranger, username="nobody"),
        "wrong signature": attempt(device, private_key=other_key),
        "switched off": attempt(gone),
    }


@pytest.fixture
def ways(admin: User, device: Authenticator, unhurried: None) -> dict[str, Callable]:
    give_passkey(admin, device)
    stranger, of_gone = Authenticator(), Authenticator()
    give_passkey(admin, stranger)
    Passkey.objects.order_by("-pk")[0].delete()
    gone = make_user(username="gone")
    give_passkey(gone, of_gone)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    return attempts_at_sign_in(device, stranger, of_gone)


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    answer = act()
    return time.perf_counter() - begun, answer


def quickest(ways: dict[str, Callable[[], tuple[float, Any]]], *, rounds: int = 15) -> dict[str, float]:
    """The shortest time of each way, which a busy machine changes least; taken in turns, so that it slows them all."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(way()[0])
    return {name: min(each) for name, each in times.items()}


def assert_alike(found: dict[str, float]) -> None:
    assert max(found.values()) < 1.6 * min(found.values()) + 0.002, found


def test_an_unknown_person_a_wrong_passkey_and_one_switched_off_get_the_same_words(ways: dict[str, Callable]):
    answers = []
    for begin in ways.values():
        client = Client()
        answer = finish(client, "login", *begin(client))
        answers.append((answer.status_code, answer.content, sorted(answer.headers), sorted(answer.cookies)))

    assert answers[0][:2] == (401, b'{"error":"authentication failed"}')
    assert all(answer == answers[0] for answer in answers)


def test_an_unknown_person_a_wrong_passkey_and_one_switched_off_take_the_same_time(ways: dict[str, Callable]):
    def once(begin: Callable) -> tuple[float, Any]:
        client = Client()
        begun = begin(client)
        return timed(lambda: finish(client, "login", *begun))

    assert_alike(quickest({name: partial(once, begin) for name, begin in ways.items()}))


@pytest.mark.usefixtures("unhurried")
def test_a_wrong_code_is_answered_alike_for_everybody(admin: User, monkeypatch: pytest.MonkeyPatch):
    make_recovery_codes(user=admin, actor=Actor(admin), now=timezone.now())
    make_user(username="no-codes")
    monkeypatch.setattr("accounts.services.recovery.StaticDevice.verify_is_allowed", lambda self: (True, None))
    names = ("ann", "nobody", "no-codes")

    def once(name: str) -> tuple[float, Any]:
        return timed(lambda: post(Client(), "recover", {"username": name, "code": "abcd-efgh-jkmn"}))

    assert {answer_of(once(name)[1])[0] for name in names} == {401}
    assert len({once(name)[1].content for name in names}) == 1
    assert_alike(quickest({name: partial(once, name) for name in names}))
