"""Who may use each route: one row a route and method, tried as everyone with a real request.

A route without a row fails, so a new one cannot be open by accident. To add one: a line in TABLE, with what a stranger
gets and what a member gets; who is left out gets what the one before gets (tests/access.py). What matters beyond the
status: those without a right to the project never see a word of it, and who is refused has changed nothing.
"""

from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.urls import get_resolver, resolve

from projects.models import ApiToken
from projects.scopes import SCOPES
from tests.access import (
    CALLERS,
    PEOPLE,
    SECRET,
    TOKENS,
    Row,
    Sent,
    World,
    contents,
    everyone,
    page,
    people,
    route_names,
    scoped,
    session_only,
    undone,
)
from tests.factories import make_token
from tests.maps import encoded, source_map

OWN_BULK = {"stranger": 404, "member": 200, "creator": 404}  # the member's own, whoever else sees the issues
TAKE_BACK = {**OWN_BULK, "member": 302}
MUTE_SHOP = {"action": "mute", "matching": "all", "query": "project=shop"}
MAP_FORM = {"release": "1.0", "file": Sent("app.js.map", encoded(source_map()))}
CHANGES_MAPS = scoped("sourcemaps:write", "sourcemaps:upload", outsider=404) | people(member=403, creator=200)
NEW_TOKEN = {"name": "x", "project_id": "{shop_id}", "scopes": ["errors:read"]}
ADMIN_CHANGES = {"projects_project": {"add", "delete"}, "projects_membership": {"add"}}  # the rest is read and acted on


def read(name: str, path: str, *, outsider: int) -> Row:
    """A question about errors."""
    return Row(name, f"GET /v1/{path}", scoped("errors:read", outsider=outsider))


def asked(name: str, path: str) -> Row:
    """A question about traces."""
    return Row(name, f"GET /v1/llm/{path}", scoped("llm:read", "errors:read", outsider=200))


def written(name: str, path: str) -> Row:
    """A status change."""
    return Row(name, f"POST /v1/errors/fp/{path}", scoped("errors:write", outsider=404))


def issue_act(name: str, form: dict[str, str], **given: int) -> Row:
    """A form of an issue's page, for the members of its project."""
    return Row(f"errors:{name}", f"POST /errors/shop/fp/{name}", page(stranger=404, member=302, **given), form=form)


def act(name: str, path: str, form: dict[str, str] | None = None, **given: int) -> Row:
    """A form of the settings."""
    return Row(f"settings:{name}", f"POST /settings/{path}", page(**given), form=form or {})


def own_act(name: str, path: str, form: dict[str, str] | None = None) -> Row:
    """A form about the own account."""
    return act(name, f"account/{path}", form, stranger=302)


def shop_act(name: str, path: str, form: dict[str, str] | None = None) -> Row:
    """A form of the shop's settings: for its creator and admins; its members may look."""
    return act(name, f"projects/shop/{path}", form, stranger=404, member=403, creator=302)


def map_act(name: str, path: str, form: dict[str, Any] | None = None) -> Row:
    """A form of the page of the shop's source maps: for who manages it."""
    expected = page(stranger=404, member=403, creator=302)
    return Row(f"errors:{name}", f"POST /settings/projects/shop/{path}", expected, form=form or {})


def admin_act(name: str, path: str, form: dict[str, str] | None = None) -> Row:
    """A form of the settings that only admins see."""
    return act(name, path, form, stranger=403, admin=302)


def sign_in(name: str, path: str, status: int, json: object = None) -> Row:
    """A step of getting in: open to all, and of no use without the proof."""
    return Row(f"auth-api:{name}", f"POST /auth/{path}", everyone(status), json={} if json is None else json)


def json_act(name: str, request: str, json: object = None, **given: int) -> Row:
    """A JSON route of projects, tokens and invites."""
    return Row(f"projects-api:{name}", request, session_only(**given), json=json)


def admin_json(name: str, request: str, json: object = None) -> Row:
    """A JSON route of people, for admins."""
    return Row(f"auth-api:{name}", request, session_only(stranger=403, admin=200), json=json)


def admin_page(name: str, path: str, *, verified: int = 200) -> Row:
    """A page of the Django admin: members get the 403 page, unverified admins are led to prove themselves."""
    return Row(f"admin:{name}", f"GET /admin/{path}", page(stranger=403, admin=302, verified=verified))


def admin_rows() -> list[Row]:
    """The pages of each model of the Django admin; what cannot be changed there has none to add or delete it."""
    rows = []
    for model in admin.site._registry:
        name, path = f"{model._meta.app_label}_{model._meta.model_name}", model._meta.label_lower.replace(".", "/")
        may, handle = ADMIN_CHANGES.get(name, set()), f"{{{name}}}"
        rows += [
            admin_page(f"{name}_changelist", f"{path}/"),
            admin_page(f"{name}_add", f"{path}/add/", verified=200 if "add" in may else 403),
            admin_page(f"{name}_change", f"{path}/{handle}/change/"),
            admin_page(f"{name}_history", f"{path}/{handle}/history/"),
            admin_page(f"{name}_delete", f"{path}/{handle}/delete/", verified=200 if "delete" in may else 403),
            Row("unnamed: admin:<path:object_id>/", f"GET /admin/{path}/{handle}/", page(stranger=403, admin=302)),
        ]
    return rows


INSIGHTS = ("spikes", "movers", "correlations", "releases", "environments")
INSIGHT_PAGES = {"spikes": "", **{name: f"/{name}" for name in INSIGHTS[1:]}}
INSIGHT_READS = scoped("analytics:read", "errors:read", outsider=200)  # who has no part in the project gets empty lists
INSIGHT_ROWS = [
    row
    for name, path in INSIGHT_PAGES.items()
    for route, api in [(f"insights:{name}", "api-release-impacts" if name == "releases" else f"api-{name}")]
    for row in (
        Row(route, f"GET /insights{path}", page(stranger=200)),
        Row(route, f"GET /insights{path}?project=shop", page(stranger=404, member=200)),
        Row(route, f"GET /insights{path}?project=gone", page(stranger=404)),
        Row(api, f"GET /v1/analytics/{name}", INSIGHT_READS),
        Row(api, f"GET /v1/analytics/{name}?project_id={{shop_id}}", INSIGHT_READS),
    )
]
LLM_READS = (
    *("overview", "dashboard", "metrics", "usage", "latency", "models", "tools"),
    *("prompts", "sessions", "traces", "errors"),
)
LLM_PAGES = (
    ("overview", ""),
    ("usage", "/usage"),
    ("latency", "/latency"),
    ("models", "/models"),
    ("traces", "/traces"),
    ("search", "/search"),
    ("prompts", "/prompts"),
    ("scores", "/scores"),
    ("sessions", "/sessions"),
    ("tools", "/tools"),
    ("rag", "/rag"),
    ("feedback", "/feedback"),
)

TRACE_PAGES = (  # without htmx, a part leads to the page
    ("trace", "", 200),
    ("trace-tree", "/tree", 302),
    ("trace-rows", "/rows", 302),
    ("trace-span", "/span", 302),
)


def judging(method: str, of: str, expected: dict[str, int], body: Any = None, name: str = "") -> Row:
    """Scores or feedback of the shop's trace, read or written; a project is named, for admins reach several."""
    path = "traces" if name else "llm/traces"
    return Row(name or f"trace-{of}", f"{method} /v1/{path}/t1/{of}?project_id={{shop_id}}", expected, json=body)


READ_TRACES = scoped("llm:read", "errors:read", outsider=200)  # who has no part in the project gets empty lists
JUDGE_TRACES = scoped("llm:write", "errors:read", outsider=404)
A_SCORE: dict[str, Any] = {"name": "tone", "value": 1}
SAVE_VIEW = {"project": "shop", "page": "usage", "query": "hours=6", "name": "Six hours"}


def llm_act(name: str, path: str, form: dict[str, Any]) -> Row:
    """A form of the shop's LLM settings: for who manages it."""
    return Row(f"llm:{name}", f"POST /settings/projects/shop/llm/{path}", SHOP_ACT, form=form)


SHOP_ACT = page(stranger=404, member=403, creator=302)
LLM_ANSWERS = scoped("llm:read", "errors:read", outsider=404) | {"foreign": 200}  # a token's own, whatever it names
LLM_WRITES = scoped("llm:write", "errors:write", outsider=404) | people(member=403, creator=200) | {"foreign": 200}
LLM_WRITES_SHOP = {**LLM_WRITES, "foreign": 403}
PRICE = {"model": "m", "input_cost_per_token": 0.000001, "output_cost_per_token": 0}
PRICE_FORM = {"model": "m", "input": "1", "output": "2"}
OF_ALL = "llm:read", "errors:read"
LLM_SETTINGS = [
    Row("llm:settings", "GET /settings/projects/shop/llm", page(stranger=404, member=200)),
    Row("llm:recalculation", "GET /settings/projects/shop/llm/recalculation", page(stranger=404, member=200)),
    llm_act("policy", "policy", {"policy": "full"}),
    llm_act("masking", "masking", {"kinds": "email"}),
    Row(
        "llm:try-masking",
        "POST /settings/projects/shop/llm/masking/try",
        page(stranger=404, member=403, creator=200),
        form={"sample": "x"},
    ),
    llm_act("budget", "budget", {"dollars": "5", "threshold": "80"}),
    llm_act("recalculate", "recalculate", {"hours": "24"}),
    Row("llm:set-price", "POST /llm/price", SHOP_ACT, form={**PRICE_FORM, "project": "shop"}),
    Row("llm:set-price", "POST /llm/price", page(stranger=403, admin=302), form=PRICE_FORM),
    Row("llm:remove-price", "POST /llm/price/remove", SHOP_ACT, form={"project": "shop", "model": "shops"}),
    Row("llm:remove-price", "POST /llm/price/remove", page(stranger=403, admin=302), form={"model": "everyones"}),
    Row("llm-settings", "GET /v1/llm/settings?project_id={shop_id}", LLM_ANSWERS),
    Row("llm-settings", "PUT /v1/llm/settings?project_id={shop_id}", LLM_WRITES, json={"content_storage": "full"}),
    Row("llm-settings-of", "GET /v1/llm/settings/{shop_id}", {**LLM_ANSWERS, "foreign": 404}),
    Row(
        "llm-settings-of",
        "PUT /v1/llm/settings/{shop_id}",
        {**LLM_WRITES, "foreign": 404},
        json={"content_storage": "full"},
    ),
    Row("llm-budget", "GET /v1/llm/budget?project_id={shop_id}", LLM_ANSWERS),
    Row("llm-budget", "PUT /v1/llm/budget?project_id={shop_id}", LLM_WRITES, json={"monthly_budget_micros": 5}),
    Row("llm-pricing", "GET /v1/llm/pricing", scoped(*OF_ALL, outsider=200)),
    Row("llm-pricing", "GET /v1/llm/pricing?model=gpt-4o&project_id={shop_id}", LLM_ANSWERS),
    Row("llm-price-overrides", "GET /v1/llm/pricing/overrides", scoped(*OF_ALL, outsider=200)),
    Row(
        "llm-price-overrides",
        "PUT /v1/llm/pricing/overrides",
        LLM_WRITES_SHOP,
        json={**PRICE, "project_id": "{shop_id}"},
    ),
    Row(
        "llm-price-overrides",
        "DELETE /v1/llm/pricing/overrides?model=shops&project_id={shop_id}",
        {**LLM_WRITES, "foreign": 404},
    ),
]


def alert_act(name: str, path: str, form: dict[str, Any] | None = None, *, changed: int = 302) -> list[Row]:
    """A form of the shop's rule, for who manages the shop, and of the rule of all projects, for admins."""
    shops, everyones = page(stranger=404, member=403, creator=changed), page(stranger=403, admin=changed)
    return [
        Row(f"alerts:{name}", f"POST /alerts/{{rule}}/{path}", shops, form=form or {}),
        Row(f"alerts:{name}", f"POST /alerts/{of_all(path)}", everyones, form=form or {}),
    ]


def of_all(path: str) -> str:
    """The same path of the rule of all projects."""
    return f"{{everyones_rule}}/{path}".replace("{channel}", "{everyones_channel}")


READ_ALERTS = scoped("alerts:read", outsider=200)
READ_ALERT = scoped("alerts:read", outsider=404)
WRITE_ALERT = scoped("alerts:write", outsider=404) | people(member=403, creator=200)
A_RULE: dict[str, Any] = {"name": "New", "config": {"type": "llm_budget"}}
A_CHANNEL = {"config": {"type": "email", "to": "a@b.c"}}
RULE_FORM = {"kind": "new_issue", "name": "New", "cooldown_secs_unit": "60"}
MAIL_FORM = {"channel_type": "email", "email-to": "a@b.c"}
ALERTS = [
    Row("alerts:list", "GET /alerts", page(stranger=200)),
    Row("alerts:list", "GET /alerts?project=shop", page(stranger=404, member=200)),
    Row("alerts:history", "GET /alerts/history", page(stranger=200)),
    Row("alerts:history", "GET /alerts/history?project=shop", page(stranger=404, member=200)),
    Row("alerts:rule", "GET /alerts/{rule}", page(stranger=404, member=200)),
    Row("alerts:rule", "GET /alerts/{everyones_rule}", page(stranger=200)),
    Row("alerts:new", "GET /alerts/new", page(stranger=200)),
    Row(
        "alerts:new",
        "POST /alerts/new",
        page(stranger=422, creator=302),
        form={**RULE_FORM, "project": "shop"},
    ),
    Row("alerts:new", "POST /alerts/new", page(stranger=422, admin=302), form=RULE_FORM),
    Row("alerts:edit", "GET /alerts/{rule}/edit", page(stranger=404, member=403, creator=200)),
    Row("alerts:edit", "GET /alerts/{everyones_rule}/edit", page(stranger=403, admin=200)),
    *alert_act("edit", "edit", RULE_FORM),
    Row("alerts:preview", "POST /alerts/preview", page(stranger=200), form={**RULE_FORM, "project": "shop"}),
    *alert_act("preview-of", "preview", RULE_FORM, changed=200),
    *alert_act("switch", "switch", {"on": "0"}),
    *alert_act("delete", "delete", {"name": "Not its name"}, changed=422),
    *alert_act("test", "test", changed=200),
    *alert_act("add-channel", "channels", MAIL_FORM),
    *alert_act("remove-channel", "channels/{channel}/remove"),
    Row(
        "alerts:rotate-secret",
        "POST /alerts/{rule}/channels/{channel}/secret",
        page(stranger=404, member=403, creator=302),
        form={},
    ),
    Row(
        "alerts:resend",
        "POST /alerts/deliveries/{delivery}/resend",
        page(stranger=404, member=403, creator=302),
        form={},
    ),
    Row("api-alerts", "GET /v1/alerts", READ_ALERTS),
    Row("api-alerts", "GET /v1/alerts?project_id={shop_id}", READ_ALERTS),
    Row("api-alerts", "POST /v1/alerts", {**WRITE_ALERT, "foreign": 200}, json={**A_RULE, "project_id": "{shop_id}"}),
    Row("api-alert", "PUT /v1/alerts/{rule}", WRITE_ALERT, json={"name": "New"}),
    Row("api-alert", "DELETE /v1/alerts/{rule}", WRITE_ALERT),
    Row("api-alert-channels", "GET /v1/alerts/{rule}/channels", READ_ALERT),
    Row("api-alert-channels", "GET /v1/alerts/{everyones_rule}/channels", READ_ALERTS),
    Row("api-alert-channels", "POST /v1/alerts/{rule}/channels", WRITE_ALERT, json=A_CHANNEL),
    Row("api-alert-channel", "DELETE /v1/alerts/{rule}/channels/{channel}", WRITE_ALERT),
    Row("api-alert-test", "POST /v1/alerts/{rule}/test", WRITE_ALERT),
]


TABLE = [
    *ALERTS,
    # --- Open to all
    Row("health", "GET /health", everyone(200)),
    Row("health-ready", "GET /health/ready", everyone(200)),
    Row("schema", "GET /v1/schema", everyone(200)),
    Row("schema-docs", "GET /v1/docs", everyone(200)),
    # --- Signed by an ingest key, which none of these callers has
    Row("ingest", "POST /v1/ingest", everyone(401)),
    Row("ingest-batch", "POST /v1/ingest/batch", everyone(401)),
    Row("traces", "POST /v1/traces", everyone(401)),
    Row("traces-batch", "POST /v1/traces/batch", everyone(401)),
    Row("trace-update", "PUT /v1/traces/t1", everyone(401)),
    # --- Judging traces, which a signature opens too
    judging("GET", "scores", READ_TRACES),
    judging("POST", "scores", JUDGE_TRACES, A_SCORE),
    judging("GET", "scores", READ_TRACES, name="trace-scores-alias"),
    judging("POST", "scores", JUDGE_TRACES, A_SCORE, name="trace-scores-alias"),
    Row("trace-scores-alias", "PUT /v1/traces/t1/scores", everyone(401)),  # of the trace "t1/scores", signed
    judging("GET", "feedback", READ_TRACES),
    judging("POST", "feedback", JUDGE_TRACES, {"value": 1}),
    Row("scores-summary", "GET /v1/llm/scores/summary", READ_TRACES),
    Row("feedback-summary", "GET /v1/llm/feedback/summary", READ_TRACES),
    # --- Getting in
    Row("accounts:login", "GET /auth/login", everyone(200, stranger=302)),
    Row("accounts:recover", "GET /auth/recover", everyone(200)),
    Row("accounts:recover", "POST /auth/recover", everyone(422), form={"username": "victim", "code": "no"}),
    Row("accounts:recover", "POST /auth/recover", everyone(401), json={"username": "victim", "code": "no"}),
    Row("accounts:link", "GET /auth/link/unknown", everyone(410)),
    Row("accounts:link", "POST /auth/link/unknown", everyone(410), form={}),
    Row("accounts:link", "POST /auth/link/{link}", everyone(302), form={}),
    Row("accounts:invite", "GET /auth/invite/unknown", everyone(410)),
    Row("accounts:invite", "GET /auth/invite/{invite}", everyone(200)),
    Row("accounts:invite", "POST /auth/invite/unknown", everyone(410), form={"username": "eve"}),
    Row("accounts:invite", "POST /auth/invite/{invite}", everyone(302), form={"username": "eve"}),
    Row("accounts:sign-out", "POST /auth/sign-out", everyone(302), form={}),
    Row("accounts:verify", "GET /auth/verify", page(stranger=200)),
    Row("accounts:verify", "POST /auth/verify", page(stranger=422), form={"code": "no"}),
    Row("auth-api:status", "GET /auth/status", everyone(200)),
    sign_in("register-start", "register/start", 403, {"username": "eve"}),
    sign_in("register-finish", "register/finish", 403),
    sign_in("login-start", "login/start", 200),
    sign_in("login-start", "login/start", 200, {"username": "victim"}),
    sign_in("login-finish", "login/finish", 400),
    sign_in("invite-start", "invite/register/start", 200, {"username": "eve", "invite_token": "{invite}"}),
    sign_in("invite-start", "invite/register/start", 400, {"username": "eve", "invite_token": "unknown"}),
    sign_in("invite-finish", "invite/register/finish", 400),
    sign_in("logout", "logout", 200),
    Row("auth-api:passkey-start", "POST /auth/passkeys/start", session_only(stranger=200), json={}),
    Row("auth-api:passkey-finish", "POST /auth/passkeys/finish", session_only(stranger=400), json={}),
    Row("auth-api:verify-start", "POST /auth/verify/start", session_only(stranger=400, admin=200), json={}),
    Row("auth-api:verify-finish", "POST /auth/verify/finish", session_only(stranger=400), json={}),
    # --- Pages
    Row("dashboard", "GET /", page(stranger=302)),
    Row("errors:list", "GET /errors?status=all", page(stranger=200)),
    Row("errors:list", "GET /errors?status=all&project=shop", page(stranger=404, member=200)),
    Row("errors:list", "GET /errors?status=all&project=gone", page(stranger=404)),
    Row("errors:stats", "GET /errors/stats", page(stranger=200)),
    Row("errors:stats", "GET /errors/stats?project=shop", page(stranger=404, member=200)),
    Row("errors:first", "GET /errors/first", page(stranger=200)),
    Row("errors:first", "GET /errors/first?project=shop", page(stranger=404, member=200)),
    Row("errors:first", "GET /errors/first?project=gone", page(stranger=404)),
    Row("errors:bulk", "POST /errors/bulk", page(stranger=302), form={"action": "mute", "ids": "{issue_id}"}),
    Row("errors:bulk", "POST /errors/bulk", page(stranger=404, member=302), form=MUTE_SHOP),
    Row("errors:bulk-work", "GET /errors/bulk-work?id={bulk_id}", page(**OWN_BULK)),
    Row("errors:bulk-undo", "POST /errors/bulk-undo", page(**TAKE_BACK), form={"id": "{bulk_id}"}),
    Row("errors:detail", "GET /errors/shop/fp", page(stranger=404, member=200)),
    Row("errors:detail", "GET /errors/shop/with%2Fslash", page(stranger=404, member=200)),
    Row("errors:detail", "GET /errors/gone/fp", page(stranger=404)),
    *INSIGHT_ROWS,
    *[Row(f"llm:{name}", f"GET /llm{path}", page(stranger=200)) for name, path in LLM_PAGES],
    *[Row(f"llm:{name}", f"GET /llm{path}?project=shop", page(stranger=404, member=200)) for name, path in LLM_PAGES],
    Row("llm:prompt", "GET /llm/prompt?name=x", page(stranger=200)),
    Row("llm:prompt", "GET /llm/prompt?name=x&project=shop", page(stranger=404, member=200)),
    Row("llm:prompt", "GET /llm/prompt", page(stranger=302)),
    Row("llm:session", "GET /llm/session", page(stranger=302)),
    Row("llm:session", "GET /llm/session?id=a-session", page(stranger=404, member=200)),
    Row("llm:session", "GET /llm/session?project=shop&id=a-session", page(stranger=404, member=200)),
    Row("llm:save-view", "POST /llm/views", page(stranger=404, member=302), form=SAVE_VIEW),
    Row("llm:save-view", "POST /llm/views", page(stranger=404, member=422), form={"project": "shop"}),
    Row("llm:delete-view", "POST /llm/views/delete", page(stranger=404), form={"project": "shop", "id": "0"}),
    *LLM_SETTINGS,
    *[
        Row(f"llm:{name}", f"GET /llm/trace/shop{path}?id={SECRET}", page(stranger=404, member=member))
        for name, path, member in TRACE_PAGES
    ],
    Row("llm:span-text", f"GET /llm/trace/shop/text?id={SECRET}&span=s1&part=error", page(stranger=404, member=200)),
    Row("llm:search", "GET /llm/search?q=chat", page(stranger=200)),
    Row("llm:search", "GET /llm/search?q=chat&project=shop", page(stranger=404, member=200)),
    Row("errors:releases", "GET /releases", page(stranger=200)),
    Row("errors:releases", "GET /releases?project=shop", page(stranger=404, member=200)),
    Row("errors:releases", "GET /releases?project=gone", page(stranger=404)),
    Row("errors:release", f"GET /releases/shop?name={SECRET}", page(stranger=404, member=200)),
    Row("errors:release", "GET /releases/shop?name=unknown", page(stranger=404)),
    Row("errors:release", "GET /releases/shop", page(stranger=404, member=302)),
    Row("errors:release", "GET /releases/gone?name=1.4.0", page(stranger=404)),
    Row("errors:status", "POST /errors/shop/fp/status", page(stranger=404, member=302), form={"status": "muted"}),
    issue_act("undo", {"transition": "{transition}"}),
    issue_act("notes", {"note": "A thought"}),
    issue_act("note", {"note_id": "{note}", "text": "Another"}, creator=403),
    issue_act("note", {"note_id": "{note}", "delete": "1"}, creator=403, admin=302),
    Row("errors:events", "GET /errors/shop/fp/events", page(stranger=404, member=200)),
    Row("errors:events", "GET /errors/shop/with%2Fslash/events", page(stranger=404, member=200)),
    Row("errors:merge", "GET /errors/shop/fp/merge", page(stranger=404, member=200)),
    issue_act("merge", {"into": "{slashed_issue}"}),
    issue_act("unmerge", {"merge": "{merge}"}),
    # --- Settings
    Row("settings:projects", "GET /settings/projects", page(stranger=200)),
    act("projects", "projects", {"name": "New", "slug": "new"}, stranger=302),
    Row("settings:removals", "GET /settings/removals", page(stranger=200)),
    Row("settings:project", "GET /settings/projects/shop", page(stranger=404, member=200)),
    Row("settings:project", "GET /settings/projects/gone", page(stranger=404)),
    Row("settings:project", "GET /settings/projects/unknown", page(stranger=404)),
    shop_act("rename-project", "name", {"name": "New"}),
    shop_act("choose-grouping", "grouping", {"grouping": "v2"}),
    shop_act("rotate-key", "key", {"grace": "0"}),
    shop_act("end-key", "key/{shop_key_id}/end"),
    shop_act("add-member", "members", {"username": "victim"}),
    shop_act("remove-member", "members/{member_id}/remove"),
    shop_act("delete-project", "delete", {"name": SECRET}),
    Row("errors:source-maps", "GET /settings/projects/shop/sourcemaps", page(stranger=404, member=200)),
    Row("errors:source-maps", "GET /settings/projects/gone/sourcemaps", page(stranger=404)),
    map_act("source-maps", "sourcemaps", MAP_FORM),
    map_act("delete-map", "sourcemaps/{shop_map}/delete"),
    map_act("delete-maps", "sourcemaps/release/delete", {"release": SECRET}),
    Row("settings:tokens", "GET /settings/tokens", page(stranger=200)),
    act("tokens", "tokens", {"name": "x", "project": "shop", "scopes": "errors:read"}, stranger=422, creator=302),
    act("revoke-token", "tokens/{token}/revoke", stranger=404, member=403, creator=302),
    act("revoke-token", "tokens/{other_token}/revoke", stranger=404, neighbour=302, member=404, admin=302),
    Row("settings:members", "GET /settings/members", page(stranger=403, admin=200)),
    admin_act("change-role", "members/{victim_id}/role", {"role": "admin"}),
    admin_act("remove-user", "members/{victim_id}/remove"),
    Row("settings:invites", "GET /settings/invites", page(stranger=403, admin=200)),
    admin_act("invites", "invites", {"role": "admin"}),
    admin_act("revoke-invite", "invites/revoke", {"invite": "{invite_hash}"}),
    Row("settings:retention", "GET /settings/retention", page(stranger=403, admin=200)),
    admin_act("retention", "retention", {"raw_events_days": "30", "hourly_counts_days": "90"}),
    Row("settings:retention-state", "GET /settings/retention/state", page(stranger=403, admin=200)),
    admin_act("purge", "retention/purge"),
    Row("settings:audit", "GET /settings/audit", page(stranger=403, admin=200)),
    Row("settings-front", "GET /settings", page(stranger=302)),
    Row("settings-index", "GET /settings/", page(stranger=302)),
    # --- The own account, and never another's
    Row("settings:account", "GET /settings/account", page(stranger=200)),
    act("rename-passkey", "account/passkeys/{victim_passkey}/name", {"name": "Mine"}, stranger=404),
    act("rename-passkey", "account/passkeys/{admin_passkey}/name", {"name": "Mine"}, stranger=404, admin=302),
    act("remove-passkey", "account/passkeys/{victim_passkey}/remove", stranger=404, admin=302, verified=404),
    act("remove-passkey", "account/passkeys/{admin_passkey}/remove", stranger=404, admin=302),
    own_act("make-recovery-codes", "recovery-codes"),
    own_act("end-session", "sessions/end", {"session": "{victim_session}"}),
    own_act("end-other-sessions", "sessions/end-others"),
    # --- The Django admin
    Row("admin-front", "GET /admin", page(stranger=302)),
    admin_page("index", ""),
    Row("admin:login", "GET /admin/login/", everyone(302, stranger=403, admin=302)),
    Row("admin:logout", "POST /admin/logout/", everyone(302), form={}),
    admin_page("app_list", "projects/"),
    Row("unnamed: admin:(?P<url>.*)$", "GET /admin/nowhere", page(stranger=403, admin=302, verified=404)),
    *admin_rows(),
    # --- JSON for people: sessions alone
    json_act("projects", "GET /v1/projects", stranger=200),
    json_act("projects", "POST /v1/projects", {"name": "New", "slug": "new"}, stranger=200),
    json_act("project", "GET /v1/projects/shop", stranger=404, member=200),
    json_act("project", "PUT /v1/projects/shop", {"name": "New"}, stranger=404, member=403, creator=200),
    json_act("project", "DELETE /v1/projects/shop", stranger=404, member=403, creator=200),
    json_act("project", "DELETE /v1/projects/default", stranger=404, admin=400),
    json_act("project", "GET /v1/projects/gone", stranger=404),
    json_act("rotate-key", "POST /v1/projects/shop/rotate-key", stranger=404, member=403, creator=200),
    json_act("members", "GET /v1/projects/shop/members", stranger=404, member=403, creator=200),
    json_act("member", "PUT /v1/projects/shop/members/{victim_id}", stranger=404, member=403, creator=200),
    json_act("member", "DELETE /v1/projects/shop/members/{member_id}", stranger=404, member=403, creator=200),
    json_act("tokens", "GET /v1/tokens?project_id={shop_id}", stranger=400, member=403, creator=200),
    json_act("tokens", "GET /v1/tokens?project_id=shop", stranger=400, member=403, creator=200),
    json_act("tokens", "POST /v1/tokens", NEW_TOKEN, stranger=400, member=403, creator=201),
    json_act("token", "DELETE /v1/tokens/{token}", stranger=404, member=403, creator=200),
    json_act("token", "DELETE /v1/tokens/{other_token}", stranger=404, neighbour=200, member=404, admin=200),
    json_act("invites", "GET /v1/admin/invites", stranger=403, admin=200),
    json_act("invites", "POST /v1/admin/invites", {}, stranger=403, admin=200),
    json_act("invite", "DELETE /v1/admin/invites/{invite_hash}", stranger=403, admin=200),
    json_act("retention", "GET /v1/admin/retention", stranger=403, admin=200),
    json_act("retention", "PUT /v1/admin/retention", {"raw_events_days": 30}, stranger=403, admin=200),
    json_act("purge", "POST /v1/admin/retention/purge", {"confirm": True}, stranger=403, admin=200),
    admin_json("users", "GET /v1/admin/users"),
    admin_json("user", "DELETE /v1/admin/users/{victim_id}"),
    admin_json("user-role", "PUT /v1/admin/users/{victim_id}/role", {"is_admin": True}),
    admin_json("reset", "POST /v1/admin/reset", {"confirm": True}),
    # --- Errors: a session or a token with the scope
    Row("api-llm-search", "GET /v1/llm/search?q=chat", scoped("llm:read", "errors:read", outsider=200)),
    read("api-errors", "errors", outsider=200),
    read("api-errors", "errors?project_id={shop_id}", outsider=200),
    read("api-errors", "errors?group=issue&include=trend", outsider=200),
    read("api-error", "errors/fp", outsider=404),
    read("api-error", "errors/with%2Fslash?project_id={shop_id}", outsider=404),
    read("api-occurrences", "errors/fp/occurrences", outsider=200),
    read("api-trend", "errors/fp/trend", outsider=200),
    read("api-history", "errors/fp/history", outsider=200),
    written("api-resolve", "resolve"),
    written("api-resolve", "resolve?project_id={shop_id}"),
    written("api-ignore", "ignore"),
    written("api-mute", "mute"),
    written("api-unresolve", "unresolve"),
    read("api-releases", "releases", outsider=200),
    read("api-releases", "releases?project_id={shop_id}", outsider=200),
    read("api-release-errors", f"releases/{SECRET}/errors", outsider=200),
    read("api-trends", "trends", outsider=200),
    read("api-stats", "stats", outsider=200),
    asked("api-llm-rag", "rag"),
    asked("api-llm-search", "search?q=chat"),
    asked("api-llm-rag", "rag?project_id={shop_id}"),
    # --- Traces: a session or a token with the scope
    *[asked(f"api-llm-{name}", name) for name in LLM_READS],
    *[asked(f"api-llm-{name}", f"{name}?project_id={{shop_id}}") for name in LLM_READS],
    Row("api-llm-trace", "GET /v1/llm/traces/a-trace", scoped("llm:read", "errors:read", outsider=404)),
    Row(
        "api-llm-trace",
        "GET /v1/llm/traces/a-trace?project_id={shop_id}",
        scoped("llm:read", "errors:read", outsider=404),
    ),
    asked("api-llm-session", "sessions/a-session"),
    asked("api-llm-session", "sessions/a-session?project_id={shop_id}"),
    asked("api-llm-prompt-versions", "prompts/a-prompt/versions"),
    asked("api-llm-prompt-compare", "prompts/a-prompt/compare?v1=1&v2=2"),
    Row("api-source-maps", "GET /v1/projects/shop/sourcemaps", scoped("sourcemaps:read", outsider=404)),
    Row("api-source-maps", "POST /v1/projects/shop/sourcemaps", CHANGES_MAPS, upload=MAP_FORM),
    Row("api-source-map", "DELETE /v1/projects/shop/sourcemaps/{shop_map}", CHANGES_MAPS),
]
NOTHING_TO_SEE = {
    "api-errors": [],
    "api-occurrences": [],
    "api-trend": [],
    "api-history": [],
    "api-releases": [],
    "api-release-errors": [],
    "api-trends": [],
    "api-llm-usage": {"usage": [], "window_hours": 24},
    "api-llm-latency": {"latency": [], "window_hours": 24},
    "api-llm-models": {"models": [], "window_hours": 24},
    "api-llm-tools": {"tools": [], "window_hours": 24},
    "api-llm-prompts": {"prompts": [], "window_hours": 24},
    "api-llm-sessions": {"sessions": [], "total": 0, "window_hours": 24},
    "api-llm-traces": {"traces": [], "total": 0, "window_hours": 24},
    "api-llm-errors": {"traces": [], "total": 0, "window_hours": 24},
    "api-stats": {"total_errors": 0, "unresolved_errors": 0, "total_events_24h": 0, "top_routes": []},
}
UNSAFE = [row for row in TABLE if row.is_unsafe]
READS = [row for row in TABLE if not row.is_unsafe]
LOOKS_AT_BEARER = [row for row in TABLE if len({row.expected[scope] for scope in SCOPES}) > 1]
INSIDERS = {"member", "creator", "admin", "verified", *SCOPES}


# --- The table --------------------------------------------------------------------------------------------------------


def test_every_route_of_the_site_has_a_row():
    routes = set(route_names(get_resolver().url_patterns))

    assert routes == {row.name for row in TABLE}


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_a_row_is_about_the_route_it_names_and_everybody(row: Row, world: World):
    match = resolve(world.path(row))

    assert row.name == match.view_name or (row.name.startswith("unnamed") and match.url_name is None)
    assert set(row.expected) == set(CALLERS)


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_each_caller_gets_what_the_table_says_and_no_more(row: Row, world: World):
    before = contents()

    answers = world.knock_as_everybody(row)

    assert {caller: answer.status_code for caller, answer in answers.items()} == row.expected
    assert contents() == before, "somebody who only looked, or was refused, has changed something"
    for caller in set(CALLERS) - INSIDERS:
        assert_tells_nothing(answers[caller], row, world)


def assert_tells_nothing(answer: Any, row: Row, world: World) -> None:
    """Not a word of the shop, but for what the request itself named."""
    seen = answer.content.decode().replace(world.url(row), "").replace(f"/v1/releases/{SECRET}", "")
    assert SECRET not in seen or SECRET in str(row.form), answer.wsgi_request.headers
    assert world.names["shop_key"] not in seen, answer.wsgi_request.headers
    if answer.status_code == 200 and row.name in NOTHING_TO_SEE:
        assert answer.json() == NOTHING_TO_SEE[row.name]


# --- What is seen -----------------------------------------------------------------------------------------------------


def test_an_insider_does_read_it(world: World):
    names = {
        "errors:list",
        "errors:detail",
        "errors:releases",
        "errors:source-maps",
        "settings:projects",
        "settings:project",
        "api-errors",
        "api-error",
        "api-releases",
        "api-source-maps",
        *(f"api-llm-{name}" for name in LLM_READS if name not in ("overview", "dashboard", "metrics")),
        *("api-llm-trace", "api-llm-session", "llm:session"),
    }

    for row in [row for row in READS if row.name in names and "gone" not in row.url and "unknown" not in row.url]:
        if row.expected["member"] != 200:
            continue
        for caller in ("member", "creator", "admin", "verified"):
            assert SECRET in world.knock(row, caller).content.decode(), f"{row} as {caller}"


@pytest.mark.parametrize("row", [row for row in TABLE if "/shop" in row.url], ids=str)
def test_what_is_not_yours_and_what_is_not_there_are_one_answer(row: Row, world: World):
    made_up = Row(row.name, row.request.replace("/shop", "/made-up", 1), row.expected, row.form, row.json)

    foreign, unknown = world.knock(row, "stranger"), world.knock(made_up, "stranger")

    assert unknown.status_code == 404
    assert unknown.content.replace(b"made-up", b"shop") == foreign.content


# --- Who decides ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("row", LOOKS_AT_BEARER, ids=str)
def test_a_bearer_decides_alone_whatever_the_cookie(row: Row, world: World):
    cookie = f"session={world.cookies['verified']}"

    for bearer in (
        "Bearer wrong",
        "Bearer bloop_tk_",
        *(f"Bearer {world.bearers[bad]}" for bad in ("revoked", "expired")),
    ):
        with undone():
            answer = world.send(row, {"Cookie": cookie, "Authorization": bearer})
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid or expired token"}), bearer
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    unfit = next(scope for scope in SCOPES if row.expected[scope] == 403)
    with undone():
        answer = world.send(row, {"Cookie": cookie, "Authorization": f"Bearer {world.bearers[unfit]}"})
    assert answer.status_code == 403
    assert answer.json()["error"].startswith("token lacks required scope: ")


@pytest.mark.parametrize("row", LOOKS_AT_BEARER, ids=str)
def test_the_scheme_may_be_written_in_any_case_and_an_empty_one_is_none(row: Row, world: World):
    good = next(scope for scope in SCOPES if row.expected[scope] != 403)
    for scheme in ("bearer", "BEARER", "bEaReR"):
        with undone():
            answer = world.send(row, {"Authorization": f"{scheme} {world.bearers[good]}"})
        assert answer.status_code == row.expected[good], scheme
    for nothing in ("Bearer", "Bearer ", "Bearer   ", "Basic YTpi", world.bearers[good]):
        with undone():
            told = {"Cookie": f"session={world.cookies['verified']}", "Authorization": nothing}
            assert world.send(row, told).status_code == row.expected["verified"], nothing
        assert world.send(row, {"Authorization": nothing}).json() == {"error": "authentication required"}, nothing


@pytest.mark.parametrize("row", [row for row in TABLE if row not in LOOKS_AT_BEARER], ids=str)
def test_elsewhere_a_bearer_counts_for_nothing(row: Row, world: World):
    for caller, bearer in (("member", "wrong"), ("verified", world.bearers["foreign"])):
        with undone():
            answer = world.knock(row, caller, Authorization=f"Bearer {bearer}")
        assert answer.status_code == row.expected[caller], f"{caller} with a bearer"


SESSION_ONLY = [row for row in TABLE if {row.expected[each] for each in ("nobody", *TOKENS)} == {401}]


@pytest.mark.parametrize("row", [row for row in SESSION_ONLY if row.expected["member"] != 401], ids=str)
def test_a_session_route_says_what_it_wants(row: Row, world: World):
    assert world.knock(row, "nobody").json() == {"error": "authentication required"}
    assert world.knock(row, "errors:write").json() == {"error": "authentication required"}
    assert world.knock(row, "ended").json() == {"error": "invalid or expired session"}


@pytest.mark.parametrize("row", LOOKS_AT_BEARER, ids=str)
def test_a_tokens_project_is_the_project_whatever_the_query_says(row: Row, world: World):
    mark = "&" if "?" in row.url else "?"
    for named in (world.names["other_id"], world.names["shop_id"], "default", "unknown"):
        asked = Row(row.name, f"{row.request}{mark}project_id={named}", row.expected, json=row.json)
        for caller in ("errors:read", "errors:write", "foreign"):
            with undone():
                assert world.knock(asked, caller).status_code == row.expected[caller], f"{caller} names {named}"


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_somebody_switched_off_is_nobody(row: Row, world: World):
    user = world.users["admin"]
    type(user).objects.filter(pk=user.pk).update(is_active=False)

    with undone():
        got = world.knock(row, "verified").status_code

    assert got == row.expected["ended"]


# --- Other methods ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({row.name for row in TABLE if "admin:" not in row.name}))
def test_a_method_without_a_row_is_not_allowed(name: str, world: World):
    rows = [row for row in TABLE if row.name == name]
    given = {row.method for row in rows}

    for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - given:
        answer = world.knock(Row(name, f"{method} {rows[0].url}", rows[0].expected), "verified")
        assert answer.status_code == 405, method
        assert given <= set(answer.headers["Allow"].split(", ")), method


@pytest.mark.parametrize("row", READS, ids=str)
def test_head_is_get_without_the_body(row: Row, world: World):
    asked = Row(row.name, f"HEAD {row.url}", row.expected)
    for caller in ("nobody", "verified"):
        answer = world.knock(asked, caller)
        assert (answer.status_code, answer.content) == (row.expected[caller], b""), caller


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_django_admin_takes_no_other_method_from_who_may_not_look(method: str, world: World):
    before = contents()

    for row in [row for row in READS if "admin:" in row.name]:
        asked = Row(row.name, f"{method} {row.url}", row.expected, form={} if method == "POST" else None)
        for caller in ("nobody", "member", "admin"):
            assert world.knock(asked, caller).status_code == row.expected[caller], f"{row} as {caller}"

    assert contents() == before


# --- At once ----------------------------------------------------------------------------------------------------------


def test_a_token_revoked_between_two_requests_is_refused_by_the_second(world: World):
    new = make_token(ApiToken.objects.get(pk=world.names["token"]).project)
    client = Client(headers={"Authorization": f"Bearer {new.secret}"})
    member = Client(headers={"Cookie": f"session={world.cookies['creator']}"})

    before = client.get("/v1/errors").status_code
    revoked = member.post(f"/settings/tokens/{new.token.pk}/revoke").status_code

    assert (before, revoked, client.get("/v1/errors").status_code) == (200, 302, 401)


def test_the_table_knows_every_scope_and_person():
    assert set(CALLERS) == {*PEOPLE, *TOKENS}
    assert set(SCOPES) < set(TOKENS)
    assert settings.SESSION_COOKIE_NAME == "session"
