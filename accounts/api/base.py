"""The base of the sign-in endpoints: limited by address, open unless they say otherwise, every refusal told alike."""

from typing import Any, cast

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from accounts import attempts
from accounts.authentication import IsSignedIn, SessionOnlyAuthentication
from accounts.ceremonies import CeremonyInvalid, SignInRefused
from accounts.models import User
from accounts.services.invites import UsernameInvalid
from accounts.services.links import LinkInvalid, RegistrationClosed
from accounts.services.passkeys import PasskeyInvalid
from bloop_site.lib.api import ApiError
from bloop_site.lib.browsers import browser_words
from bloop_site.lib.network import client_address

OK = {"status": "ok"}
REFUSALS: dict[type[Exception], tuple[int, str | None]] = {  # status and text; None: the exception's own
    CeremonyInvalid: (400, None),
    LinkInvalid: (400, "invite token is invalid or expired"),
    PasskeyInvalid: (400, "registration failed"),
    RegistrationClosed: (403, "registration is closed"),
    SignInRefused: (401, "authentication failed"),
    UsernameInvalid: (400, None),
}


class AuthView(APIView):
    """A sign-in endpoint. Each request counts as an attempt of its address, before anything else (contract 9.1)."""

    authentication_classes: Any = ()
    permission_classes: Any = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if wait := attempts.wait_for_address(self.http):
            raise too_many(wait)
        super().initial(request, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, attempts.TooOften):
            exc = too_many(exc.wait)
        elif type(exc) in REFUSALS:
            status, text = REFUSALS[type(exc)]
            exc = ApiError(text or str(exc), status=status)
        return super().handle_exception(exc)

    @property
    def http(self) -> HttpRequest:
        """Django's request below DRF's: sessions and signing in are its business."""
        return self.request._request  # noqa: SLF001  as DRF's own SessionAuthentication does

    @property
    def address(self) -> str:
        return client_address(self.http)

    def body(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """The body's known fields; a text that is missing or null is "". Raises a 400 naming the first wrong one."""
        parsed = serializer(data=self.request.data)
        parsed.is_valid(raise_exception=True)
        return {name: value if value is not None else "" for name, value in parsed.validated_data.items()}

    def passkey_name(self, given: str) -> str:
        """What to call a new passkey: the name given, else the browser it was made with."""
        words = browser_words(self.request.META.get("HTTP_USER_AGENT", ""))
        return given or ("" if words.startswith("Unknown") else words)


class SignedInView(AuthView):
    """An endpoint for a signed-in person: the session alone counts."""

    authentication_classes = (SessionOnlyAuthentication,)
    permission_classes = (IsSignedIn,)

    @property
    def user(self) -> User:
        return cast("User", self.request.user)


def too_many(wait: int) -> ApiError:
    """The 429 of contract 9.1; `wait` in seconds."""
    return ApiError(f"too many requests, wait for {wait}s", status=429, headers={"Retry-After": str(wait)})
