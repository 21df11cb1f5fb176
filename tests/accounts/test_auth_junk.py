"""Junk, sent to every sign-in endpoint: refused in JSON, at once, and nothing of it or of secrets is kept."""

import json

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, RateBucket, Role, Session, User
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from tests.accounts.ceremony import answer_of, finish, is_signed_in, post, sign_in, start
from tests.authenticator import Authenticator

pytestmark = pytest.mark.usefixtures("unhurried", "db")

PATHS = (
    "register/start",
    "register/finish",
    "login/start",
    "login/finish",
    "invite/register/start",
    "invite/register/finish",
    "passkeys/finish",
    "verify/finish",
    "recover",
)
JUNK = {
    "no JSON": b"{",
    "text": b"hello",
    "a number": b"5",
    "a list": b"[]",
    "a string": b'"x"',
    "NaN": b'{"username": NaN}',
    "two objects": b"{}{}",
    "not UTF-8": b'{"username": "\xff\xfe"}',
    "UTF-16": '{"username": "ann"}'.encode("utf-16"),
    "a NUL": b'{"username": "a\\u0000b", "challenge_id": "\\u0000", "code": "\\u0000", "invite_token": "\\u0000"}',
    "a lone surrogate": b'{"username": "\\ud800", "challenge_id": "\\ud800", "invite_token": "\\ud800", "code": "x"}',
    "lists for texts": b'{"username": [], "challenge_id": [], "credential": [], "code": {}, "invite_token": []}',
    "objects for texts": b'{"username": {}, "challenge_id": {}, "credential": {}, "code": {}, "invite_token": {}}',
    "numbers for texts": b'{"username": 1e400, "challenge_id": 7, "credential": 7, "code": -0, "link_token": 9}',
    "booleans for texts": b'{"username": true, "challenge_id": true, "credential": true, "code": true}',
    "depth": b"[" * 100_000,
    "a deep credential": b'{"challenge_id": "x", "credential": ' + b"[" * 900 + b"]" * 900 + b"}",
    "a huge number": b'{"username": ' + b"9" * 10_000 + b"}",
    "a long name": b'{"username": "' + b"x" * 100_000 + b'", "code": "' + b"x" * 100_000 + b'"}',
    "many keys": json.dumps({f"k{number}": number for number in range(20_000)}).encode(),
    "2 MB and more": b'{"username": "' + b"x" * 2_200_000 + b'"}',
}


def assert_refused(client: Client, path: str, body: bytes) -> None:
    answer = client.post(f"/auth/{path}", data=body, content_type="application/json")
    is_start = path == "login/start" and answer.status_code == 200  # what it does not know it does not mind
    assert 400 <= answer.status_code < 500 or is_start, (path, answer.content)
    assert is_start or list(answer.json()) == ["error"], (path, answer.content)
    assert len(answer.content) < 5_000


@pytest.mark.parametrize("body", JUNK.values(), ids=JUNK)
def test_junk_is_refused_in_json(body: bytes, client: Client, ann: User):
    client.force_login(ann)
    for path in PATHS:
        assert_refused(client, path, body)
    User.objects.all().delete()
    for path in ("register/start", "register/finish"):
        assert_refused(client, path, body)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "x"])
def test_what_is_no_json_by_its_type_is_refused(content_type: str, client: Client, ann: User):
    client.force_login(ann)
    for path in PATHS[2:-1]:  # registration is closed to anybody, and recovery is a form's, too
        answer = client.post(f"/auth/{path}", data=b'{"username": "ann"}', content_type=content_type)
        assert (answer.status_code, list(answer.json())) == (415, ["error"]), path


@pytest.mark.parametrize("charset", ["utf-16", "zlib", "hex", "nonsense", "idna"])
def test_an_odd_charset_is_passed_over(charset: str, client: Client, ann: User):
    answer = client.generic("POST", "/auth/login/start", b"{}", f"application/json; charset={charset}")

    assert answer.status_code == 200


def test_a_body_that_is_too_large_is_413(client: Client, ann: User):
    answer = client.post("/auth/login/start", data=JUNK["2 MB and more"], content_type="application/json")

    assert answer_of(answer) == (413, {"error": "body exceeds 2097152 bytes"})


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_other_methods_are_refused_in_json(method: str, client: Client, ann: User):
    answer = getattr(client, method)("/auth/login/finish")

    assert (answer.status_code, list(answer.json())) == (405, ["error"])


def test_answers_are_never_cached(client: Client, ann: User):
    for answer in (client.get("/auth/status"), post(client, "login/start"), post(client, "login/finish")):
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", [*PATHS, "logout"])
def test_posts_of_other_sites_are_refused(path: str, client: Client, ann: User, device: Authenticator):
    sign_in(client, device)

    answer = post(client, path, {}, **{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert is_signed_in(client)


# --- Leaving no trace -----------------------------------------------------------------------------------------------


def test_a_start_leaves_an_anonymous_session_for_a_quarter_of_an_hour(client: Client, ann: User):
    answer = post(client, "login/start")

    row = Session.objects.get(user=None)
    assert (row.expires_at - row.created_at).total_seconds() == 900
    assert answer.cookies["session"]["max-age"] == 900
    assert not is_signed_in(client)


def test_secrets_are_kept_nowhere(client: Client, device: Authenticator):
    now = timezone.now()
    link_token = issue_login_link(username=None, now=now).token
    invite_token = issue_invite(role=Role.MEMBER, created_by=None, now=now).token
    challenge_id, options = start(client, "register", username="ann", link_token=link_token)
    start(client, "invite/register", username="kim", invite_token=invite_token)

    row = Session.objects.get()
    payload = str(client.session["ceremonies"])
    assert not any(secret in row.data + payload for secret in (link_token, invite_token))
    finish(client, "register", challenge_id, device.create(options))
    kept = [str(vars(each)) for model in (AuditEntry, RateBucket, Session) for each in model.objects.all()]
    assert not any(secret in "".join(kept) for secret in (link_token, invite_token, challenge_id))
