"""Valid things for tests: plain keyword functions with defaults."""

import hashlib
import hmac
import json
import uuid
from typing import Any

from django.test import Client
from django.utils import timezone
from django_otp import DEVICE_ID_SESSION_KEY

from accounts.audit import COMMAND_LINE
from accounts.models import Passkey, Role, User
from bloop_site.lib.clock import now_ms
from errors.contract import Limits, parse_event
from errors.models import Issue
from errors.services.record import record_events
from errors.services.tallies import Received
from ingest.flush import flush_all
from projects.models import Membership, Project
from projects.services.projects import NewProject, choose_grouping, create_project
from projects.services.tokens import NewToken, issue_token


def make_user(*, username: str | None = None, role: str = Role.MEMBER, projects: tuple[Project, ...] = ()) -> User:
    """A user; a member of `projects`."""
    name = username or f"user-{uuid.uuid4().hex[:8]}"
    user = User.objects.create(username=name, role=role, created_at=timezone.now())
    for project in projects:
        Membership.objects.create(project=project, user=user)
    return user


def make_admin(*, username: str | None = None) -> User:
    """An admin."""
    return make_user(username=username, role=Role.ADMIN)


def make_project(*, name: str = "Shop", slug: str | None = None, api_key: str | None = None) -> NewProject:
    """A project with its key."""
    slug = slug or f"shop-{uuid.uuid4().hex[:8]}"
    return create_project(name=name, slug=slug, created_by=None, now=timezone.now(), api_key=api_key)


def regroup(project: Project, grouping: str) -> None:
    """Group the project's events by another version from now on."""
    choose_grouping(project=project, grouping=grouping, actor=COMMAND_LINE, now=timezone.now())


def make_token(project: Project, *, scopes: tuple[str, ...] = ("errors:read", "errors:write"), **more: Any) -> NewToken:
    """An API token of `project`."""
    return issue_token(project=project, name="ci", scopes=scopes, created_by=None, now=timezone.now(), **more)


def event_json(**fields: Any) -> dict[str, Any]:
    """An event as a well-behaved client sends it."""
    return {
        "timestamp": now_ms(),
        "source": "api",
        "environment": "production",
        "release": "1.4.0",
        "error_type": "TypeError",
        "message": "Cannot read property 'id' of undefined",
        "route_or_procedure": "/users",
        **fields,
    }


def sign(body: bytes, key: str) -> str:
    """The X-Signature of a body."""
    return hmac.new(key.encode(), body, hashlib.sha256).hexdigest()


def post_signed(
    client: Client, path: str, body: bytes, *, key: str, project_key: str | None = None, **headers: str
) -> Any:
    """POST raw bytes signed with `key`; `project_key` goes into X-Project-Key (default: the key; "" for none)."""
    named = key if project_key is None else project_key
    all_headers = {"X-Signature": sign(body, key), **({"X-Project-Key": named} if named else {}), **headers}
    return client.post(path, data=body, content_type="application/json", headers=all_headers)


def send(client: Client, *events: dict[str, Any], key: str) -> None:
    """Deliver events through HTTP, one request each, and fold them."""
    for event in events:
        response = post_signed(client, "/v1/ingest", json.dumps(event).encode(), key=key)
        assert response.status_code == 200, response.content
    flush_all()


def record(project: Project, *events: dict[str, Any], received_ms: int | None = None) -> None:
    """Fold events without HTTP and buffer, received at `received_ms` (default: now)."""
    at = received_ms if received_ms is not None else now_ms()
    record_events(
        [
            Received(project.pk, at, parse_event(event, limits=Limits(), grouping=project.grouping, now_ms=at))
            for event in events
        ]
    )


def make_issue(project: Project, *, received_ms: int | None = None, **fields: Any) -> Issue:
    """An issue with one event."""
    record(project, event_json(**fields), received_ms=received_ms)
    return Issue.objects.filter(project=project).order_by("-pk")[0]


def verified_client(user: User) -> Client:
    """A browser in which `user` signed in with a passkey."""
    passkey = Passkey.objects.create(
        user=user, name="Laptop", credential_id=uuid.uuid4().hex, created_at=timezone.now()
    )
    client = Client()
    client.force_login(user)
    session = client.session
    session[DEVICE_ID_SESSION_KEY] = passkey.persistent_id
    session.save()
    return client
