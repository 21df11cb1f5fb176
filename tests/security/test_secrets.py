"""A secret is seen once, by whom it is for: it stands in no log, no audit entry, no cookie, no table as it is."""

import base64
import io
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, Session
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from bloop_site import logs
from tests.access import World, contents
from tests.accounts.ceremony import finish, give_passkey, post, sign_in, start
from tests.authenticator import Authenticator

Secrets = list[str]
Act = Callable[[World], Secrets]


def as_admin(world: World) -> Client:
    return Client(headers={"Cookie": f"session={world.cookies['verified']}"})


# --- Acts that make a secret, or are told one -------------------------------------------------------------------------


def makes_a_project(world: World) -> Secrets:
    answer = as_admin(world).post("/v1/projects", {"name": "New", "slug": "new"}, "application/json")
    return [answer.json()["api_key"]]


def rotates_a_key(world: World) -> Secrets:
    return [as_admin(world).post("/v1/projects/shop/rotate-key?grace_secs=60").json()["api_key"]]


def makes_a_token(world: World) -> Secrets:
    body = {"name": "x", "project_id": "shop", "scopes": ["errors:read"]}
    return [as_admin(world).post("/v1/tokens", body, "application/json").json()["token"]]


def makes_an_invite(world: World) -> Secrets:
    return [as_admin(world).post("/v1/admin/invites", {}, "application/json").json()["token"]]


def uses_an_invite(world: World) -> Secrets:
    invite, client = issue_invite(role="member", created_by=None, now=timezone.now()), Client()
    assert client.get(f"/auth/login?invite={invite.token}").status_code == 302
    assert client.post(f"/auth/invite/{invite.token}", {"username": "kim"}).status_code == 302
    return [invite.token, client.cookies["session"].value]


def uses_an_invite_with_a_passkey(world: World) -> Secrets:
    invite, client = issue_invite(role="member", created_by=None, now=timezone.now()), Client()
    challenge_id, options = start(client, "invite/register", username="kim", invite_token=invite.token)
    credential = Authenticator().create(options)
    assert finish(client, "invite/register", challenge_id, credential, invite_token=invite.token).status_code == 200
    return [invite.token, challenge_id, options["challenge"], client.cookies["session"].value]


def uses_a_link(world: World) -> Secrets:
    link, client = issue_login_link(username="victim", now=timezone.now()), Client()
    assert client.get(f"/auth/link/{link.token}").status_code == 200
    assert client.post(f"/auth/link/{link.token}").status_code == 302
    assert client.post(f"/auth/link/{link.token}").status_code == 410
    return [link.token, client.cookies["session"].value]


def signs_in_with_a_passkey(world: World) -> Secrets:
    device, client = Authenticator(), Client()
    give_passkey(world.users["victim"], device)
    assert sign_in(client, device).status_code == 200
    first = client.cookies["session"].value
    challenge_id, options = start(client, "verify")
    assert finish(client, "verify", challenge_id, device.get(options)).status_code == 200
    return [challenge_id, options["challenge"], first, client.cookies["session"].value]


def is_refused_a_passkey(world: World) -> Secrets:
    device, client = Authenticator(), Client()
    give_passkey(world.users["victim"], device)
    challenge_id, options = start(client, "login")
    credential = device.get(options, challenge="AAAA")
    assert finish(client, "login", challenge_id, credential).status_code == 401
    return [challenge_id, options["challenge"], credential["response"]["signature"]]


def makes_recovery_codes_and_uses_one(world: World) -> Secrets:
    owner = Client(headers={"Cookie": f"session={world.cookies['member']}"})
    assert owner.post("/settings/account/recovery-codes").status_code == 302
    codes = codes_shown(owner)
    client = Client()
    assert client.post("/auth/recover", {"username": "member", "code": codes[0]}).status_code == 302
    assert post(Client(), "recover", {"username": "member", "code": "wrong-code-1234"}).status_code == 401
    return [*codes, codes[0].replace("-", ""), "wrong-code-1234", client.cookies["session"].value]


def codes_shown(owner: Client) -> list[str]:
    codes: list[str] = owner.get("/settings/account").context["codes"]
    assert len(codes) == 10
    return codes


def shows_a_bad_token(world: World) -> Secrets:
    for secret in (world.bearers["revoked"], world.bearers["errors:read"], "bloop_tk_made-up-by-somebody"):
        Client(headers={"Authorization": f"Bearer {secret}"}).post("/v1/errors/fp/resolve")
    return [world.bearers["revoked"], world.bearers["errors:read"], "bloop_tk_made-up-by-somebody"]


def signs_with_a_bad_key(world: World) -> Secrets:
    headers = {"X-Project-Key": world.names["shop_key"], "X-Signature": "0" * 64}
    assert Client(headers=headers).post("/v1/ingest", {}, "application/json").status_code == 401
    return [world.names["shop_key"]]


def breaks_on_a_link(world: World) -> Secrets:
    """An error that nobody expected is logged with its path: the path must not give the link away."""
    link = issue_login_link(username="victim", now=timezone.now())
    Session.objects.all().delete()
    unlucky = Client(raise_request_exception=False, headers={"Host": "evil.example"})
    unlucky.post(f"/auth/link/{link.token}")
    return [link.token]


ACTS = [
    makes_a_project,
    rotates_a_key,
    makes_a_token,
    makes_an_invite,
    uses_an_invite,
    uses_an_invite_with_a_passkey,
    uses_a_link,
    signs_in_with_a_passkey,
    is_refused_a_passkey,
    makes_recovery_codes_and_uses_one,
    shows_a_bad_token,
    signs_with_a_bad_key,
    breaks_on_a_link,
]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that Bloop prints when its level is debug, as `RUST_LOG=debug` sets it."""
    printed = io.StringIO()
    monkeypatch.setenv("RUST_LOG", "debug")
    monkeypatch.setattr("sys.stderr", printed)
    logs.configure()
    for name in ("", "bloop", "django.request", "django.security", "fido2"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield printed
    monkeypatch.undo()
    logs.configure()
    structlog.reset_defaults()
    logs.configure()


@pytest.mark.parametrize("act", ACTS)
def test_no_secret_stands_in_the_log(act: Act, log: io.StringIO, world: World):
    logging.getLogger("bloop.test").debug("the log is on")

    secrets = act(world)

    printed = log.getvalue()
    assert "the log is on" in printed
    for secret in secrets:
        assert len(secret) > 8
        assert secret not in printed


@pytest.mark.parametrize("act", ACTS)
def test_no_secret_stands_in_the_audit_log(act: Act, world: World):
    secrets = act(world)

    written = json.dumps(list(AuditEntry.objects.values()), default=str)
    for secret in secrets:
        assert secret not in written


AS_IT_IS = {"projects.IngestKey"}  # identifier and HMAC secret at once (contract 1.1)


@pytest.mark.parametrize("act", ACTS)
def test_a_copy_of_the_database_holds_no_secret_that_opens_anything(act: Act, world: World):
    secrets = [secret for secret in act(world) if len(secret) == 43 or secret.startswith("bloop_tk_") or "-" in secret]

    held = {label: str(rows) for label, rows in contents().items() if label not in AS_IT_IS}
    held["sessions"] = "".join(readable(row.data) for row in Session.objects.all())
    ids = set()
    if act in (uses_an_invite_with_a_passkey, signs_in_with_a_passkey, is_refused_a_passkey):
        ids = set(secrets) - {secrets[0]}  # challenges are public, and dead once they are answered
    for secret in set(secrets) - ids:
        assert not [label for label, text in held.items() if secret in text]


@pytest.mark.parametrize(
    ("path", "form", "page"),
    [
        ("/settings/tokens", {"name": "x", "project": "shop", "scopes": "errors:read"}, "/settings/tokens"),
        ("/settings/account/recovery-codes", {}, "/settings/account"),
        ("/settings/projects/shop/key", {"grace": "0"}, "/settings/projects/shop"),
        ("/settings/projects", {"name": "New", "slug": "new"}, "/settings/projects/new"),
        ("/admin/projects/project/add/", {"name": "New", "slug": "new", "grouping": "v1"}, None),
    ],
)
def test_a_secret_made_on_a_page_is_shown_once_and_waits_nowhere_readable(
    path: str, form: dict[str, str], page: str | None, world: World
):
    client = as_admin(world)

    made = client.post(path, form)
    waiting = "".join(readable(row.data) for row in Session.objects.all()) + str(made.cookies)
    where = page or made.headers["Location"]
    first, second = client.get(where), client.get(where)

    secrets = shown_secrets(first)
    assert made.status_code == 302
    assert secrets
    assert not shown_secrets(second), "it is shown once"
    for secret in secrets:
        assert secret not in first.headers.get("Set-Cookie", "")
        assert secret not in made.headers["Location"]
        assert secret not in waiting


def shown_secrets(answer: Any) -> list[str]:
    """What the page shows of tokens, keys and codes."""
    context = answer.context
    token, key, codes = (context.get(name) for name in ("fresh_token", "fresh_key", "codes"))
    return [*([token["secret"]] if token else []), *filter(None, [key, context.get("new_key")]), *(codes or [])]


def readable(data: str) -> str:
    """A session's data as whoever reads the table can read it: signed, maybe compressed, not hidden."""
    payload = data.rsplit(":", 2)[0]
    raw = payload.lstrip(".")
    try:
        packed = base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))
        return (zlib.decompress(packed) if payload.startswith(".") else packed).decode("utf-8", "replace")
    except (ValueError, zlib.error):
        return data
