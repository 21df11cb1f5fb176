"""Everybody who may knock at a route, a world for them to knock in, and the usual answers; tests/test_access.py asks.

The world is made once for a file and rolled back after each knock, so a row costs its requests and nothing else.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import django_otp
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from fido2.utils import websafe_encode

from accounts.audit import Action, Actor
from accounts.audit import record as record_act
from accounts.models import LoginLink, Passkey, Session, User
from accounts.secret import hashed
from accounts.services.invites import issue_invite
from accounts.services.links import issue_login_link
from accounts.sessions import SessionStore
from bloop_site.lib.clock import now_ms
from errors.models import Issue
from errors.queries.issues import issues_in
from errors.services.bulk import start_bulk
from errors.services.merge import merge_issues
from errors.services.notes import add_note
from errors.services.status import Actor as ErrorActor
from errors.services.status import change_status
from errors.statuses import Change
from ingest.models import DeadPayload
from llmtraces.models import PriceOverride
from projects.access import Reach
from projects.models import ApiToken, Membership, Project, Removal
from projects.scopes import SCOPES
from projects.services.projects import create_project
from tests.alerts import made as alerts_made
from tests.alerts.made import break_channel, make_channel, make_firing, make_rule
from tests.errors.maps_of import put_map
from tests.factories import event_json, make_admin, make_token, make_user, record
from tests.llmtraces import tracing
from tests.llmtraces.judging_of import make_trace, score, thumb
from tests.llmtraces.made import make_traces

SECRET = "OnlyTheShopMayReadThis"
PEOPLE = (
    "nobody",
    "ended",  # whose session has expired
    "stranger",  # a member of no project
    "neighbour",  # a member, and the creator, of another project
    "member",  # of the shop
    "creator",  # of the shop
    "admin",
    "verified",  # an admin whose session a passkey has verified
)
TOKENS = (*SCOPES, "foreign", "revoked", "expired")  # the last three have every scope; `foreign` is another project's
CALLERS = PEOPLE + TOKENS
REFUSED = (303, 400, 401, 403, 404, 405, 410, 415, 422)
Expected = dict[str, int]


# --- The usual answers ------------------------------------------------------------------------------------------------


def everyone(status: int, **but: int) -> Expected:
    """The same for all but those named: the route asks for no identity, or for another kind of proof."""
    return {**dict.fromkeys(CALLERS, status), **people(**but)}


def people(**given: int) -> Expected:
    """Statuses of the signed-in; who is left out gets what the one before gets: creators are members, and so on."""
    order = ("stranger", "neighbour", "member", "creator", "admin", "verified")
    statuses: Expected = {name: given[name] for name in ("nobody", "ended") if name in given}
    last: int | None = None
    for name in order:
        last = given.get(name, last)
        if last is not None:
            statuses[name] = last
    assert not given.keys() - {*order, "nobody", "ended"}, given
    return statuses


def page(**given: int) -> Expected:
    """A page: sessions only. Who has none is led to sign-in, bearer tokens included."""
    return {**dict.fromkeys(CALLERS, 303), **people(**given)}


def session_only(**given: int) -> Expected:
    """A JSON route that bearer tokens do not open (contract 0.4, rule 5)."""
    return {**dict.fromkeys(CALLERS, 401), **people(**given)}


def scoped(*scopes: str, outsider: int, insider: int = 200) -> Expected:
    """Session or a token with one of `scopes`; `outsider` is for who is known but has no part in the project."""
    tokens = {scope: insider if scope in scopes else 403 for scope in SCOPES}
    ends = {"foreign": outsider, "revoked": 401, "expired": 401}
    return {**session_only(stranger=outsider, member=insider), **tokens, **ends}


@dataclass(frozen=True)
class Sent:
    """A file of a form that can be sent again and again."""

    name: str
    content: bytes

    def read(self) -> bytes:
        return self.content


@dataclass(frozen=True)
class Row:
    """A route by name, a request to it, and the status each caller gets.

    request: "METHOD /path", in which {names} stand for things of the world. form, json: what it carries. upload: a form
    with files in it that scripts send too, so without Django's token.
    """

    name: str
    request: str
    expected: Expected
    form: dict[str, Any] | None = None
    json: Any = None
    upload: dict[str, Any] | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.name} {self.url.partition('?')[2]}".strip()

    @property
    def method(self) -> str:
        return self.request.partition(" ")[0]

    @property
    def url(self) -> str:
        return self.request.partition(" ")[2]

    @property
    def is_unsafe(self) -> bool:
        return self.method not in ("GET", "HEAD")


def route_names(patterns: list[Any], namespace: str = "") -> Iterator[str]:
    """The full name of each route, "unnamed: <pattern>" where it has none."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from route_names(pattern.url_patterns, inner)
        else:
            assert isinstance(pattern, URLPattern)
            yield f"{namespace}{pattern.name}" if pattern.name else f"unnamed: {namespace}{pattern.pattern}"


# --- The world --------------------------------------------------------------------------------------------------------


@dataclass
class World:
    """A shop with everything in it, its people, and what each caller shows at the door."""

    names: dict[str, str] = field(default_factory=dict)  # for {names} in rows
    users: dict[str, User] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    bearers: dict[str, str] = field(default_factory=dict)

    def url(self, row: Row) -> str:
        """The row's address with the world's names in it."""
        return row.url.format_map(self.names)

    def path(self, row: Row) -> str:
        """The row's path as Django sees it."""
        return unquote(self.url(row).partition("?")[0])

    def knock(self, row: Row, caller: str, *, strict: bool = False, **headers: Any) -> Any:
        """Send the row's request as `caller`; extra headers as `Sec_Fetch_Site="cross-site"`.

        strict: Django's check of the form's token is on, as it is outside of tests.
        """
        shown = {name.replace("_", "-"): value for name, value in headers.items()}
        if caller in self.cookies:
            shown.setdefault("Cookie", f"session={self.cookies[caller]}")
        if caller in self.bearers:
            shown.setdefault("Authorization", f"Bearer {self.bearers[caller]}")
        return self.send(row, shown, strict=strict)

    def knock_as_everybody(self, row: Row) -> dict[str, Any]:
        """The answer to each caller. What a row lets somebody change is undone; what nobody may change is not."""
        answers = {}
        for caller in CALLERS:
            with undone() if row.is_unsafe and row.expected[caller] not in REFUSED else contextlib.nullcontext():
                answers[caller] = self.knock(row, caller)
        return answers

    def send(self, row: Row, headers: dict[str, str], *, strict: bool = False) -> Any:
        """Send the row's request with exactly these headers."""
        sender = Client(enforce_csrf_checks=strict, headers=headers)
        sent = row.form if row.upload is None else row.upload
        if sent is not None:
            return sender.post(self.url(row), self.filled(sent))
        body = "" if row.json is None else json.dumps(self.filled(row.json))
        return sender.generic(row.method, self.url(row), body, "application/json")

    def filled(self, given: Any) -> Any:
        """The same with the world's names in its texts."""
        if isinstance(given, dict):
            return {name: self.filled(value) for name, value in given.items()}
        return given.format_map(self.names) if isinstance(given, str) else given


@contextlib.contextmanager
def standing_world() -> Iterator[World]:
    """Build the world for a file's tests, each of which runs in a savepoint within; roll it back at the end."""
    with transaction.atomic():
        yield build()
        transaction.set_rollback(True)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Whatever is written within is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def build() -> World:
    """Make everything."""
    world = World()
    add_people(world)
    add_projects(world)
    add_work(world)
    add_alerts(world)
    add_tokens(world)
    add_traces_of_life(world)
    return world


def add_people(world: World) -> None:
    """One user for each kind of person, and `victim`, whose things the others must not touch."""
    for name in ("stranger", "neighbour", "member", "creator", "victim"):
        world.users[name] = make_user(username=name)
    world.users["admin"] = world.users["verified"] = make_admin(username="admin")
    for name in ("admin", "victim"):
        key = passkey_of(world.users[name], name=f"Key of {name}")
        world.names |= {f"{name}_passkey": str(key.pk)}
    for name in ("stranger", "neighbour", "member", "creator", "victim", "admin", "verified"):
        device = Passkey.objects.get(user=world.users[name]) if name == "verified" else None
        world.cookies[name] = cookie_of(world.users[name], f"cookie-of-{name}", device=device)
    world.cookies["ended"] = cookie_of(world.users["admin"], "cookie-of-old", lives=timedelta(seconds=-1))
    world.names |= {f"{name}_id": str(user.pk) for name, user in world.users.items()}
    world.names |= {f"{name}_session": hashed(cookie) for name, cookie in world.cookies.items()}


def passkey_of(user: User, *, name: str) -> Passkey:
    """A passkey nobody can use: its public key is noise."""
    known_by = websafe_encode(hashlib.sha256(name.encode()).digest())
    made: Passkey = Passkey.objects.create(
        user=user, name=name, credential_id=known_by, public_key=b"\0", created_at=timezone.now()
    )
    return made


def cookie_of(user: User, value: str, *, device: Passkey | None = None, lives: timedelta = timedelta(hours=1)) -> str:
    """A signed-in session with the cookie `value`, verified by `device` if one is given."""
    now = timezone.now()
    verified = {django_otp.DEVICE_ID_SESSION_KEY: device.persistent_id} if device else {}
    data = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: "accounts.backends.LinkBackend",
        HASH_SESSION_KEY: user.get_session_auth_hash(),
        **verified,
    }
    Session.objects.create(
        key_hash=hashed(value),
        user=user,
        data=SessionStore().encode(data),
        created_at=now,
        expires_at=now + lives,
        last_seen_at=now,
    )
    return value


def add_projects(world: World) -> None:
    """The shop with an issue only insiders may see, the neighbour's project, and one on its way out."""
    creator, neighbour, now = world.users["creator"], world.users["neighbour"], timezone.now()
    shop = create_project(name=SECRET, slug="shop", created_by=creator, now=now)
    other = create_project(name="Other", slug="other", created_by=neighbour, now=now)
    for project, user in ((shop, creator), (shop, world.users["member"]), (other, neighbour)):
        Membership.objects.get_or_create(project=project.project, user=user)
    for fingerprint in ("fp", "with/slash", "merged"):
        fields = {"error_type": SECRET, "message": SECRET, "release": SECRET, "route_or_procedure": f"/{SECRET}"}
        record(shop.project, event_json(fingerprint=fingerprint, **fields))
    spans = [{"id": name, "span_type": name, "name": SECRET, "model": SECRET} for name in ("generation", "tool")]
    told = {
        "id": "a-trace",
        "session_id": "a-session",
        "prompt_name": "a-prompt",
        "prompt_version": SECRET,
        "spans": spans,
    }
    make_traces(shop.project, {**told, "name": SECRET, "user_id": SECRET, "status": "error"})
    gone = create_project(name="Gone", slug="gone", created_by=creator, now=now).project
    Project.objects.filter(pk=gone.pk).update(removing_at=now)
    Removal.objects.create(project_id=gone.pk, name="Gone", slug="gone", started_at=now)
    world.names |= {"shop_id": shop.project.pk, "other_id": other.project.pk, "shop_key": shop.api_key}
    world.names["shop_key_id"] = str(shop.project.keys.get().pk)


def add_work(world: World) -> None:
    """What the member did with the shop's issue: a change of status, a note, a merge."""
    member, now = world.users["member"], now_ms()
    issues = {issue.fingerprint: issue for issue in Issue.objects.filter(project=world.names["shop_id"])}
    issue, doer = issues["fp"], ErrorActor(member.pk)
    merge_issues(into_id=issue.pk, issue_ids=[issues["merged"].pk], actor=doer, now_ms=now)
    change_status(issue_id=issue.pk, change=Change("ignored"), actor=doer, now_ms=now)
    note = add_note(issue_id=issue.pk, text=SECRET, author=member, now_ms=now)
    world.names |= {"slashed_issue": str(issues["with/slash"].pk), "note": str(note.pk)}
    judge(Project.objects.get(pk=world.names["shop_id"]))
    world.names |= {"transition": str(issue.transitions.get().pk), "merge": str(issue.merges.get().pk)}


def add_alerts(world: World) -> None:
    """A rule of the shop and one of all projects, each with a channel; the shop's has fired, and nobody was told."""
    shop = Project.objects.get(pk=world.names["shop_id"])
    rule, everyones = make_rule(shop, name=SECRET, description=SECRET), make_rule(None, name="For all")
    channel, shared = make_channel(rule, alerts_made.WEBHOOK).channel, make_channel(everyones).channel
    break_channel(channel, words=SECRET)
    make_firing(everyones, shop, title=SECRET, message=SECRET)
    firing = make_firing(rule, shop, state="failed", title=SECRET, message=SECRET)
    world.names |= {"rule": str(rule.pk), "channel": str(channel.pk), "delivery": str(firing.deliveries.get().pk)}
    world.names |= {"everyones_rule": str(everyones.pk), "everyones_channel": str(shared.pk)}


def judge(shop: Project) -> None:
    """A trace of the shop, and what was said of it."""
    make_trace(shop, "t1", name=SECRET, at=now_ms())
    score(shop, "t1", 0.5, name=SECRET, at=now_ms())
    thumb(shop, "t1", 1, comment=SECRET, at=now_ms())


def add_tokens(world: World) -> None:
    """A token for each scope, the three bad ones, and one that rows are about."""
    shop, other = (Project.objects.get(slug=slug) for slug in ("shop", "other"))
    for scope in SCOPES:
        world.bearers[scope] = make_token(shop, scopes=(scope,)).secret
    past = timezone.now() - timedelta(seconds=1)
    world.bearers["foreign"] = make_token(other, scopes=SCOPES).secret
    for name, column in (("revoked", "revoked_at"), ("expired", "expires_at")):
        new = make_token(shop, scopes=SCOPES)
        ApiToken.objects.filter(pk=new.token.pk).update(**{column: past})
        world.bearers[name] = new.secret
    world.names |= {"token": make_token(shop).token.pk, "other_token": make_token(other).token.pk}


def add_traces_of_life(world: World) -> None:
    """An invite, a link, a change of issues, an audit entry, a dead letter; the name of each row in the admin."""
    actor, now = Actor(world.users["admin"]), timezone.now()
    invite = issue_invite(role="member", created_by=actor.user, now=now, actor=actor)
    link = issue_login_link(username="victim", now=now)
    LoginLink.objects.update(expires_at=now + timedelta(hours=1))  # the tests of a file may take more than 5 minutes
    world.names |= {"invite": invite.token, "invite_hash": hashed(invite.token), "link": link.token}
    record_act(actor=actor, action=Action.PROJECT_CREATED, target=SECRET, now=now)
    issue_ids = issues_in(Reach((world.names["shop_id"],))).values_list("pk", flat=True)
    change, member = Change("muted"), world.users["member"]
    bulk = start_bulk(user_id=member.pk, reach=Reach(None), change=change, now_ms=now_ms(), ids=list(issue_ids))
    world.names |= {"issue_id": str(issue_ids[0]), "bulk_id": str(bulk.pk)}
    dead = {"project_id": world.names["shop_id"], "body": b"{}", "items": 1, "reason": SECRET}
    DeadPayload.objects.create(kind="errors", received_ms=now_ms(), buried_ms=now_ms(), **dead)
    failed = tracing.span_json("s1", status="error", error_message=SECRET)
    tracing.make_trace(Project.objects.get(slug="shop"), SECRET, name=SECRET, spans=[failed])
    world.names["shop_map"] = str(put_map(Project.objects.get(slug="shop"), release=SECRET, filename=SECRET).pk)
    prices = {"provider": "", "input_picos": 1, "output_picos": 1, "updated_ms": 1}
    PriceOverride.objects.create(project_id=world.names["shop_id"], model="shops", **prices)
    PriceOverride.objects.create(project=None, model="everyones", **prices)
    registry: dict[Any, Any] = admin.site._registry  # each is a bloop_site.lib.admin one, or so its test says
    for model, model_admin in registry.items():
        rows = model_admin.get_queryset(HttpRequest())
        row = rows.get(slug="shop") if model is Project else rows.order_by("pk").last()
        world.names[f"{model._meta.app_label}_{model._meta.model_name}"] = quote(model_admin.handle_of(row))


QUIET = {"Session", "RateBucket"}  # change by being looked at


def contents() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of ours, but for what a mere look changes: last use, last seen, attempts."""
    models = [model for model in apps.get_models() if not model.__module__.startswith("django.")]
    tables = {model._meta.label: model for model in models if model.__name__ not in QUIET}
    rows: dict[str, list[Any]] = {
        label: list(model._base_manager.order_by("pk").values()) for label, model in tables.items()
    }
    for row in rows["projects.ApiToken"]:
        row.pop("last_used_at")
    sessions = Session.objects.exclude(user=None).order_by("pk")
    return {**rows, "accounts.Session": list(sessions.values("pk", "user_id", "expires_at"))}
