"""The projects app in the Django admin: projects, who belongs to them, their keys and tokens, and what is going."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.access import actor_of
from accounts.models import User
from bloop_site.lib.admin import BloopAdmin, Refused, act, choice_filter, client_text, column, moment, related, when
from bloop_site.lib.clock import now_ms
from bloop_site.lib.once import keep_once, take_once
from bloop_site.templatetags.ui import percent, share_bar, thousands
from projects.models import DEFAULT_ID, SLUG, ApiToken, Grouping, IngestKey, Membership, Project, Removal
from projects.services.key_expiry import CurrentKey, end_key
from projects.services.locking import ProjectGone
from projects.services.members import add_member, remove_member
from projects.services.projects import ProjectInvalid, choose_grouping, create_project, rename_project
from projects.services.removal import DefaultProject, request_removal
from projects.services.tokens import TokenForbidden, TokenGone, revoke_token
from projects.tasks import start_removals

SHOWN_OF_KEY = 10
SLUG_WORDS = "Small letters, digits and hyphens only."
LISTS = (
    ("Keys", "admin:projects_ingestkey_changelist"),
    ("API tokens", "admin:projects_apitoken_changelist"),
    ("Members", "admin:projects_membership_changelist"),
    ("Issues", "admin:errors_issue_changelist"),
)


class ProjectForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    """What may be said of a project; the service has the last word."""

    class Meta:
        model = Project
        fields = ("name", "slug", "grouping")
        error_messages = {"slug": {"invalid": SLUG_WORDS, "unique": "A project with that slug exists already."}}

    def clean_slug(self) -> str:
        slug = str(self.cleaned_data["slug"])
        if not SLUG.fullmatch(slug):
            raise forms.ValidationError(SLUG_WORDS)
        return slug


def lists_of(project: Project) -> SafeString:
    """Links to what belongs to the project, and to its settings."""
    links = [(f"{reverse(name)}?project__id__exact={project.pk}", words) for words, name in LISTS]
    links.append((reverse("settings:project", args=[project.slug]), "Settings"))
    return format_html_join(" · ", '<a href="{}">{}</a>', links)


MADE = moment("created_at", "Made")
MADE_BY = related("created_by", "Made by", link=True)
SEE = column("lists", "See", lists_of)


@admin.register(Project)
class ProjectAdmin(BloopAdmin):
    """Made, renamed and regrouped here; keys, members and the rest stand in lists of their own."""

    form = ProjectForm
    editable = ("name", "grouping")
    list_display = (client_text("name", "Name"), "slug", "grouping", related("created_by", "Made by"), MADE)
    list_filter = (choice_filter(name="grouping", words="grouping", options=Grouping.choices),)
    list_select_related = ("created_by",)
    search_fields = ("name", "slug")
    ordering = ("name", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        return super().get_queryset(request).filter(removing_at=None)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("name", "slug", "grouping")
        return ("name", "slug", "grouping", MADE_BY, MADE, SEE)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return super().get_readonly_fields(request, obj) if obj else []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.pk != DEFAULT_ID

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (ProjectInvalid, ProjectGone) as reason:  # somebody was quicker
            messages.error(request, str(reason) or "That project is gone.")
            return HttpResponseRedirect(reverse("admin:projects_project_changelist"))

    def save_model(self, request: Any, obj: Any, form: Any, change: Any) -> None:
        """Let the services write; a new project's key is kept for the page that comes next."""
        actor, now = actor_of(request), timezone.now()
        if not change:
            made = create_project(name=obj.name, slug=obj.slug, created_by=request.user, now=now, actor=actor)
            obj.pk = made.project.pk
            keep_once(request, name=f"key of {obj.pk}", value=made.api_key, now_ms=now_ms())
        elif "name" in form.changed_data:
            rename_project(project=obj, name=obj.name, actor=actor, now=now)
        if "grouping" in form.changed_data:
            choose_grouping(project=obj, grouping=obj.grouping, actor=actor, now=now)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, f"Project {obj.name} is there.")
        return HttpResponseRedirect(self.url_of(obj))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        if row:
            context["new_key"] = take_once(request, name=f"key of {row.pk}", now_ms=now_ms())
        return super().render_change_form(request, context, *args, **kwargs)

    def delete_view(self, request: Any, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Ask for the name, then let the removal begin. Django's own page would list every row that goes with it."""
        project = self.get_object(request, unquote(object_id))
        if project is None:
            messages.warning(request, "That project is gone.")
            return HttpResponseRedirect(reverse("admin:projects_project_changelist"))
        if not self.has_delete_permission(request, project):
            raise PermissionDenied
        wrong = request.method == "POST" and request.POST.get("name", "").strip() != project.name
        if request.method == "POST" and not wrong:
            return self.remove(request, project)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Delete {project.name}",
            "opts": self.opts,
            "model_admin": self,
            "original": project,
            "handle": self.handle_of(project),
            "wrong": wrong,
        }
        template = "admin/projects/project/delete_confirmation.html"
        return TemplateResponse(request, template, context, status=422 if wrong else 200)

    def remove(self, request: Any, project: Project) -> HttpResponse:
        """Begin the removal, and lead to its progress."""
        try:
            removal = request_removal(project=project, actor=actor_of(request), now=timezone.now())
        except (DefaultProject, ProjectGone) as reason:
            messages.error(request, str(reason) or "That project is gone.")
            return HttpResponseRedirect(reverse("admin:projects_project_changelist"))
        start_removals()
        messages.success(request, f"Project {project.name} is gone; what it held is being removed.")
        return HttpResponseRedirect(reverse("admin:projects_removal_change", args=[removal.pk]))


@admin.register(Membership)
class MembershipAdmin(BloopAdmin):
    """Admins see every project without one."""

    one, many = "membership", "memberships"
    list_display = (
        related("user", "Person"),
        related("project", "Project"),
        column("role", "Role", lambda row: row.user.get_role_display(), ordering="user__role"),
    )
    list_filter = ("project",)
    list_select_related = ("user", "project")
    search_fields = ("user__username", "project__name", "project__slug")
    ordering = ("project__name", "user__username", "pk")
    fields = ("project", "user")
    actions = ("remove",)
    empty_words = "Members are added to projects here, in a project's settings, or by an invite that names projects."

    def named(self, row: Membership) -> str:
        return f"{row.user.username} in {row.project.name}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "project").filter(project__removing_at=None)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return super().get_readonly_fields(request, obj) if obj else []

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "project":
            kwargs["queryset"] = Project.objects.filter(removing_at=None).order_by("name", "pk")
        else:
            kwargs["queryset"] = User.objects.order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except ProjectGone:
            messages.error(request, "That project is gone.")
            return HttpResponseRedirect(reverse("admin:projects_membership_changelist"))

    def save_model(self, request: Any, obj: Any, form: Any, change: Any) -> None:
        add_member(project=obj.project, user=obj.user, actor=actor_of(request), now=timezone.now())
        obj.pk = Membership.objects.get(project=obj.project, user=obj.user).pk

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, f"{self.named(obj)}: added.")
        return HttpResponseRedirect(reverse("admin:projects_membership_changelist"))

    @act("Remove from project", ask="Members see and act on their own projects only.")
    def remove(self, request: Any, rows: QuerySet[Membership]) -> None:
        def one(row: Membership) -> bool:
            return remove_member(project=row.project, user_id=row.user_id, actor=actor_of(request), now=timezone.now())

        self.do(request, rows, one, done="ended")


def masked(key: IngestKey) -> SafeString:
    """Enough of a key to know it by: its head, and never more than a third of it."""
    return format_html("<code>{}…</code>", key.key[: min(SHOWN_OF_KEY, len(key.key) // 3)])


def key_state(key: IngestKey) -> SafeString | str:
    """Whether a key is in use, on its way out, or ended."""
    if key.expires_at is None:
        return "In use"
    ended = key.expires_at <= timezone.now()
    return format_html("{} {}", "Ended" if ended else "Ends", when(key.expires_at))


@admin.register(IngestKey)
class IngestKeyAdmin(BloopAdmin):
    """A key is a secret: here stands its head. New ones are made by rotation, in the project's settings."""

    one, many = "ingest key", "ingest keys"
    list_display = (
        column("key", "Key", masked, ordering="pk"),
        related("project", "Project"),
        column("state", "State", key_state, ordering="expires_at"),
        moment("created_at", "Made"),
    )
    list_filter = ("project",)
    list_select_related = ("project",)
    search_fields = ("project__name", "project__slug")
    ordering = ("project__name", "-created_at", "-pk")
    fields = (
        column("key", "Key", masked),
        related("project", "Project", link=True),
        column("state", "State", key_state),
        moment("created_at", "Made"),
    )
    actions = ("end",)

    def named(self, row: IngestKey) -> str:
        return f"{row.key[: min(SHOWN_OF_KEY, len(row.key) // 3)]}… of {row.project.name}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[IngestKey]:
        return super().get_queryset(request).select_related("project").filter(project__removing_at=None)

    def can(self, name: str, row: Any) -> bool:
        return row.expires_at is not None and row.expires_at > timezone.now()

    @act("Expire now", ask="Whoever still signs with an old key is refused from this moment on.")
    def end(self, request: Any, rows: QuerySet[IngestKey]) -> None:
        def one(row: IngestKey) -> bool:
            try:
                return end_key(key_id=row.pk, actor=actor_of(request), now=timezone.now())
            except (CurrentKey, ProjectGone) as reason:
                raise Refused(str(reason) or "the project is gone") from None

        self.do(request, rows, one, done="expired")


def token_state(token: ApiToken) -> SafeString | str:
    """Whether a token works."""
    if token.revoked_at:
        return format_html("Revoked {}", when(token.revoked_at))
    if token.expires_at is None:
        return "Works"
    ended = token.expires_at <= timezone.now()
    return format_html("{} {}", "Expired" if ended else "Works until", when(token.expires_at))


class TokenState(admin.SimpleListFilter):
    """Revoked or not."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("kept", "Not revoked"), ("revoked", "Revoked")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        return queryset.filter(revoked_at__isnull=self.value() == "kept") if self.value() else queryset


@admin.register(ApiToken)
class ApiTokenAdmin(BloopAdmin):
    """Made in the settings, where the secret is shown once; only its head is kept readable."""

    one, many = "API token", "API tokens"
    list_display = (
        client_text("name", "Name"),
        column("token_prefix", "Begins with", lambda row: format_html("<code>{}…</code>", row.token_prefix)),
        related("project", "Project"),
        column("scopes", "Scopes", lambda row: ", ".join(row.scopes)),
        related("created_by", "Made by"),
        moment("last_used_at", "Last used", ago=True),
        column("state", "State", token_state, ordering="revoked_at"),
    )
    list_filter = (TokenState, "project")
    list_select_related = ("project", "created_by")
    search_fields = ("name", "token_prefix", "created_by__username", "project__name")
    ordering = ("-created_at", "pk")
    fields = (*list_display, moment("created_at", "Made"))
    actions = ("revoke",)

    def named(self, row: ApiToken) -> str:
        return row.name

    def can(self, name: str, row: Any) -> bool:
        return row.revoked_at is None

    @act("Revoke", ask="Whoever uses such a token is refused from this moment on. It cannot be undone.")
    def revoke(self, request: Any, rows: QuerySet[ApiToken]) -> None:
        def one(row: ApiToken) -> bool:
            try:
                revoke_token(token_id=row.pk, by=request.user, actor=actor_of(request), now=timezone.now())
            except TokenGone:
                return False
            except TokenForbidden as reason:
                raise Refused(str(reason)) from None
            return True

        self.do(request, rows, one, done="revoked")


def progress(removal: Removal) -> SafeString | str:
    """How far a removal has come: a bar and its numbers."""
    if removal.finished_at:
        return f"Finished: {thousands(removal.rows_removed)} rows"
    if not removal.rows_total:
        return "About to begin"
    share = min(removal.rows_removed / removal.rows_total, 1.0)
    of_all = f"{thousands(removal.rows_removed)} of {thousands(removal.rows_total)} rows, {percent(share)}"
    return format_html('<span class="admin-progress">{}<span>{}</span></span>', share_bar(share), of_all)


class RemovalState(admin.SimpleListFilter):
    """Running or finished."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("running", "Running"), ("finished", "Finished")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Removal]) -> QuerySet[Removal]:
        return queryset.filter(finished_at__isnull=self.value() == "running") if self.value() else queryset


@admin.register(Removal)
class RemovalAdmin(BloopAdmin):
    """Deleted projects, and how far the removal of what they held has come."""

    one, many = "removal", "removals"
    list_display = (
        client_text("name", "Name"),
        "slug",
        column("progress", "Progress", progress, ordering="rows_removed"),
        related("requested_by", "Asked for by"),
        moment("started_at", "Begun"),
        moment("finished_at", "Finished"),
    )
    list_filter = (RemovalState,)
    list_select_related = ("requested_by",)
    search_fields = ("name", "slug")
    ordering = ("-started_at", "-pk")
    fields = list_display
    empty_words = "No project was ever deleted."

    def named(self, row: Removal) -> str:
        return row.name
