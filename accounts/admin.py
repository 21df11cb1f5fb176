"""People in the Django admin: who is in, by what they get in, and who did what."""

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.access import actor_of
from accounts.audit import Action
from accounts.models import AuditEntry, Invite, Passkey, Role, Session, User
from accounts.queries import state_of
from accounts.services.invites import revoke_invite
from accounts.services.members import LastAdmin, OwnAccount, change_role, remove_user
from accounts.services.passkeys import LastWayIn, remove_passkey
from accounts.services.sessions import revoke_session
from bloop_site.lib.admin import BloopAdmin, Refused, act, choice_filter, client_text, column, moment, related
from bloop_site.lib.browsers import browser_words
from bloop_site.templatetags.ui import EN_DASH, visible

HANDLE = 16  # hex digits of a hash: enough to tell rows apart, too little to find the row's secret by


def address_of(row: Session | AuditEntry) -> SafeString | str:
    """An IP address, in one piece."""
    return format_html('<span class="number">{}</span>', row.address) if row.address else EN_DASH


@admin.register(User)
class UserAdmin(BloopAdmin):
    """People come by invite. Roles change through the service, which keeps an admin."""

    one, many = "person", "people"
    list_display = (
        "username",
        column("role", "Role", lambda row: row.get_role_display()),
        column("passkeys", "Passkeys", lambda row: str(row.passkey_count), ordering="passkey_count"),
        column("is_active", "May sign in", lambda row: "Yes" if row.is_active else "No"),
        moment("created_at", "Joined"),
    )
    list_filter = (choice_filter(name="role", words="role", options=Role.choices),)
    search_fields = ("username",)
    ordering = ("username",)
    fields = list_display
    actions = ("make_admin", "make_member", "remove")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows: QuerySet[User] = super().get_queryset(request).annotate(passkey_count=Count("passkey"))
        return rows

    def can(self, name: str, row: Any) -> bool:
        return not (name == "make_admin" and row.is_admin) and not (name == "make_member" and not row.is_admin)

    def give_role(self, request: Any, rows: QuerySet[User], role: Role, *, done: str) -> None:
        """Change the role of each, as the signed-in person."""

        def one(row: User) -> bool:
            if row.role == role:
                return False
            try:
                change_role(user_id=row.pk, role=role, actor=actor_of(request), now=timezone.now())
            except (OwnAccount, LastAdmin) as reason:
                raise Refused(str(reason)) from None
            except User.DoesNotExist:
                return False
            return True

        self.do(request, rows, one, done=done)

    @act("Make admin", ask="An admin sees and changes everything, this admin and all projects included.")
    def make_admin(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.give_role(request, rows, Role.ADMIN, done="made admin")

    @act("Make member", ask="A member sees and acts on their own projects only.")
    def make_member(self, request: HttpRequest, rows: QuerySet[User]) -> None:
        self.give_role(request, rows, Role.MEMBER, done="made member")

    @act(
        "Remove",
        ask="They are signed out, and lose their passkeys, recovery codes and unused invites. Their projects and API "
        "tokens stay.",
    )
    def remove(self, request: Any, rows: QuerySet[User]) -> None:
        def one(row: User) -> None:
            try:
                remove_user(user_id=row.pk, actor=actor_of(request), now=timezone.now())
            except (OwnAccount, LastAdmin) as reason:
                raise Refused(str(reason)) from None

        self.do(request, rows, one, done="removed")


@admin.register(Passkey)
class PasskeyAdmin(BloopAdmin):
    """Made and named by their owners."""

    one, many = "passkey", "passkeys"
    list_display = (
        client_text("name", "Name"),
        related("user", "Person"),
        column("is_synced", "Kind", lambda row: "Synced" if row.is_synced else "On one device"),
        moment("created_at", "Made"),
        moment("last_used_at", "Last used", ago=True),
    )
    list_select_related = ("user",)
    search_fields = ("name", "user__username")
    ordering = ("user__username", "pk")
    fields = (*list_display, "sign_count")
    actions = ("remove",)

    def named(self, row: Passkey) -> str:
        return f"{row.name} of {row.user.username}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Passkey]:
        return super().get_queryset(request).select_related("user")

    @act("Remove", ask="Whoever signs in with it is refused from now on, and signed out where it was used.")
    def remove(self, request: Any, rows: QuerySet[Passkey]) -> None:
        def one(row: Passkey) -> None:
            try:
                remove_passkey(user=row.user, passkey_id=row.pk, actor=actor_of(request), now=timezone.now())
            except LastWayIn:
                raise Refused("their only way in") from None

        self.do(request, rows, one, done="removed")


@admin.register(Session)
class SessionAdmin(BloopAdmin):
    """Browsers that are signed in. Their key is a hash of the cookie: it is not shown."""

    one, many = "session", "sessions"
    handle_length = HANDLE
    list_display = (
        column("person", "Person", lambda row: row.user.username, ordering="user__username"),
        column("browser", "Browser", lambda row: browser_words(row.user_agent), ordering="user_agent"),
        column("address", "Address", address_of),
        moment("created_at", "Signed in", ago=True),
        moment("last_seen_at", "Last seen", ago=True),
        moment("expires_at", "Ends"),
    )
    list_select_related = ("user",)
    search_fields = ("user__username", "address")
    ordering = ("-last_seen_at", "-created_at")
    fields = (*list_display, column("user_agent", "User agent", lambda row: visible(row.user_agent) or EN_DASH))
    actions = ("revoke",)

    def named(self, row: Session) -> str:
        return f"{row.user.username if row.user else ''}, {browser_words(row.user_agent)}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        rows = super().get_queryset(request).select_related("user").defer("data")
        return rows.filter(user__isnull=False, expires_at__gt=timezone.now())

    @act("Sign out", ask="Whoever uses that browser has to sign in again.")
    def revoke(self, request: Any, rows: QuerySet[Session]) -> None:
        def one(row: Any) -> bool:
            return revoke_session(user=row.user, key_hash=row.pk, actor=actor_of(request), now=timezone.now())

        self.do(request, rows, one, done="ended")


class InviteState(admin.SimpleListFilter):
    """What became of an invite, as `accounts.queries.state_of` says it."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("used", "Used"), ("revoked", "Revoked"), ("expired", "Expired")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Invite]) -> QuerySet[Invite]:
        now = timezone.now()
        unused = queryset.filter(used_at=None)
        found = {
            "open": unused.filter(revoked_at=None, expires_at__gt=now),
            "used": queryset.exclude(used_at=None),
            "revoked": unused.exclude(revoked_at=None),
            "expired": unused.filter(revoked_at=None, expires_at__lte=now),
        }
        return found.get(self.value() or "", queryset)


@admin.register(Invite)
class InviteAdmin(BloopAdmin):
    """Made in the settings, where the link stands. Here their key, a hash, is not shown."""

    one, many = "invite", "invites"
    handle_length = HANDLE
    list_display = (
        column("role", "For one", lambda row: row.get_role_display()),
        column("state", "State", lambda row: state_of(row, now=timezone.now()).capitalize(), ordering="expires_at"),
        related("created_by", "Made by"),
        moment("created_at", "Made"),
        moment("expires_at", "Expires"),
        related("used_by", "Used by"),
    )
    list_filter = (InviteState, choice_filter(name="role", words="role", options=Role.choices))
    list_select_related = ("created_by", "used_by")
    search_fields = ("created_by__username", "used_by__username")
    ordering = ("-created_at",)
    fields = (*list_display, moment("used_at", "Used"), moment("revoked_at", "Revoked"))
    actions = ("revoke",)

    def named(self, row: Invite) -> str:
        return f"Invite for one {row.role}"

    def can(self, name: str, row: Any) -> bool:
        return state_of(row, now=timezone.now()) == "open"

    @act("Revoke", ask="The link stops working. It cannot be undone.")
    def revoke(self, request: Any, rows: QuerySet[Invite]) -> None:
        def one(row: Invite) -> bool:
            return revoke_invite(token_hash=row.pk, actor=actor_of(request), now=timezone.now())

        self.do(request, rows, one, done="revoked")


def action_words(entry: AuditEntry) -> str:
    """What was done, as `Action` words it."""
    return Action(entry.action).label if entry.action in Action.values else visible(entry.action)


def detail_text(entry: AuditEntry) -> SafeString | str:
    """The rest of an entry, as it was written."""
    if not entry.detail:
        return EN_DASH
    text = json.dumps(entry.detail, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="code code--wrap" tabindex="0"><code>{}</code></pre>', visible(text))


@admin.register(AuditEntry)
class AuditEntryAdmin(BloopAdmin):
    """Written with each act, never changed."""

    one, many = "audit entry", "audit entries"
    list_display = (
        column("action", "What", action_words),
        column("target", "To what", lambda row: visible(row.target) or EN_DASH),
        column("actor_name", "Who", lambda row: visible(row.actor_name)),
        column("address", "From", address_of),
        moment("at", "When"),
    )
    sortable_by = ()  # in the order they were written; the index is of that
    list_filter = (choice_filter(name="action", words="act", options=Action.choices),)
    search_fields = ("actor_name", "target", "address")
    ordering = ("-pk",)
    fields = (*list_display, column("detail", "Details", detail_text))
    empty_words = "What people do here, and on the settings pages, is written down."

    def named(self, row: AuditEntry) -> str:
        return f"{action_words(row)}: {row.target}"
