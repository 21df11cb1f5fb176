"""The Django admin: staff whose session a passkey or recovery code has verified, and nobody else."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib.admin.options import IS_POPUP_VAR, TO_FIELD_VAR
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import resolve_url
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django_otp.admin import OTPAdminSite

from accounts.audit import Action
from accounts.dashboard.entry import next_of
from accounts.dashboard.sign_in import sign_out
from accounts.models import AuditEntry
from bloop_site.lib.admin import BloopAdmin, when
from bloop_site.templatetags.ui import visible
from bloop_site.views import forbidden_page
from ingest.buffer import dead_items

View = Callable[..., Any]
ROUTES = {"index", "login", "app_list", None}  # of Django's own; None: the pages of models, and 404
APPS = ("projects", "accounts", "errors", "alerts", "ingest")
NEWEST_ACTS = 12


class BloopAdminSite(OTPAdminSite):  # type: ignore[misc]  # django-otp has no types
    """Registered as the default site, so that `admin.register` in the apps lands here."""

    site_header = "Bloop admin"
    site_title = "Bloop admin"
    index_title = "Admin"
    enable_nav_sidebar = True

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Only what was written for this site: groups, permissions and recovery codes have no page here."""
        if isinstance(admin_class, type) and issubclass(admin_class, BloopAdmin):
            super().register(model_or_iterable, admin_class, **options)

    # --- The door ------------------------------------------------------------------------------------------------

    def admin_view(self, view: View, cacheable: bool = False) -> View:  # noqa: FBT001, FBT002  Django's signature
        """Django's, with our own way to those who may not come in, and less that a query string can ask for."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            if not self.has_permission(request):
                return self.turn_away(request, target=request.get_full_path())
            refuse_odd(request)
            return inner(request, *args, **kwargs)

        return guarded if cacheable else never_cache(guarded)

    def turn_away(self, request: HttpRequest, *, target: str) -> HttpResponse:
        """Strangers to sign-in, members to the 403 page, admins to the proof that it is they. Then on to `target`."""
        user: Any = request.user
        if not user.is_authenticated:
            return HttpResponseRedirect(with_next("accounts:login", target))
        if not (user.is_active and user.is_staff):
            return forbidden_page(request)
        return HttpResponseRedirect(with_next("accounts:verify", target))

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """No form: on to where one wanted to go, or to what is missing for it."""
        target = next_of(request) or reverse("admin:index", current_app=self.name)
        if self.has_permission(request):
            return HttpResponseRedirect(target)
        return self.turn_away(request, target=target)

    def get_urls(self) -> list[URLPattern | URLResolver]:
        """No passwords, no scripts of Django's, no shortcuts by content type; our own sign-out."""
        kept = [each for each in super().get_urls() if getattr(each, "name", None) in ROUTES]
        return [path("logout/", sign_out, name="logout"), *kept]

    # --- What stands around and on the first page ------------------------------------------------------------------

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The apps in our order, their models in the order in which they are registered, each by its name here."""
        order = list(self._registry)
        apps: list[Any] = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda each: order.index(each["model"]))
            for each in app["models"]:
                many = self._registry[each["model"]].many
                each["name"] = many[:1].upper() + many[1:]
        return sorted(apps, key=lambda app: APPS.index(app["app_label"]))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        acts = [
            {"entry": entry, "words": words_of(entry), "at": when(entry.at, ago=True)}
            for entry in AuditEntry.objects.order_by("-id")[:NEWEST_ACTS]
        ]
        context = {"newest_acts": acts, "dead_items": dead_items(), **(extra_context or {})}
        response: HttpResponse = super().index(request, context)
        return response


def words_of(entry: AuditEntry) -> str:
    """What was done, in words."""
    return Action(entry.action).label if entry.action in Action.values else visible(entry.action)


def with_next(name: str, target: str) -> str:
    """The address of a page of ours that leads on to `target`."""
    return f"{resolve_url(name)}?{urlencode({'next': target})}"


def refuse_odd(request: HttpRequest) -> None:
    """No popups (they answer with raw keys), no NUL (PostgreSQL takes none in a text). Raises Http404, BadRequest."""
    if {IS_POPUP_VAR, TO_FIELD_VAR} & {*request.GET, *request.POST}:
        raise Http404
    if "\x00" in request.path_info or has_nul(request.GET.lists()) or has_nul(request.POST.lists()):
        raise BadRequest


def has_nul(lists: Iterable[tuple[str, list[Any]]]) -> bool:
    """Whether a name or a value holds a NUL."""
    return any("\x00" in text for name, values in lists for text in (name, *values) if isinstance(text, str))
