"""The base of every signed endpoint: a DRF view with a parser of its own, from raw bytes to a verified sender."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.http import HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bloop_site.lib.api import RETRY_AFTER_SECONDS, STORAGE_AWAY, ApiError
from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger
from bloop_site.lib.network import client_address
from ingest import authentication, buffer, reasons
from ingest.authentication import Sender, SenderChanged
from ingest.body import decode, read_raw, refuse_long
from ingest.nudge import nudge
from ingest.refusals import refusals

log = logger("ingest")


class RawParser(BaseParser):
    """Leaves the body alone, whatever its Content-Type says (L11): the signature is over the bytes as sent."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        view: SignedView = parser_context["view"]
        return read_raw(parser_context["request"], limit=view.body_limit())


class JsonOnly(BaseContentNegotiation):
    """Clients of ingest get JSON, whatever they say they accept."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> tuple[BaseRenderer, str]:
        return renderers[0], "application/json"


class SignedView(APIView):
    """A route that signed clients post to. Subclasses set `kind` and call `receive` and `keep`."""

    kind: ClassVar[str]
    authentication_classes = ()
    permission_classes = ()
    parser_classes = (RawParser,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = JsonOnly
    project_id = ""  # whose request this is, as soon as that is known

    def body_limit(self) -> int:
        """The most bytes a body may have, as sent and decoded."""
        return settings.BLOOP.ingest.max_payload_bytes

    def handle_exception(self, exc: Exception) -> Response:
        """Ask once more when a remembered key turned out void; answer 503 when the database is away."""
        if isinstance(exc, SenderChanged):
            return self.once_more()
        if isinstance(exc, DatabaseFailure):
            log.error("payload_refused", exc_info=exc)
            headers = {"Retry-After": RETRY_AFTER_SECONDS}
            exc = ApiError(STORAGE_AWAY, status=503, headers=headers, code=reasons.UNAVAILABLE)
        return self.refused(exc)

    def refused(self, error: Exception) -> Response:
        """DRF's answer to the error. What is said to a client is counted; what is a bug of ours is raised."""
        answer = super().handle_exception(error)
        if isinstance(error, ApiError):
            self.note_refusal(error.code or reasons.reason_of_status(error.status_code), text=error.reason)
        return answer

    def note_refusal(self, reason: str, *, text: str, count: int = 1) -> None:
        """Let the people of the project see it, who may never hear of the answer."""
        plain = self.request._request  # noqa: SLF001  as in `receive`
        refusals.note(
            project_id=self.project_id,
            key=plain.META.get("HTTP_X_PROJECT_KEY", ""),
            reason=reason,
            text=text,
            address=client_address(plain),
            at_ms=now_ms(),
            count=count,
        )

    def once_more(self) -> Response:
        """Handle the request again, now that nothing is remembered of its key."""
        try:
            handler = getattr(self, str(self.request.method).lower())
            return handler(self.request, *self.args, **self.kwargs)  # type: ignore[no-any-return]
        except SenderChanged as again:  # changed twice within one request: its text is the answer
            return self.refused(again)
        except Exception as again:  # noqa: BLE001  as DRF's own dispatch
            return self.handle_exception(again)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Nothing of DRF's to check: `receive` decides who may do what."""

    def receive(self, request: Request) -> tuple[Sender, bytes]:
        """Check signature header, key, rate, body and signature in contract 1.1's order. Raises ApiError.

        Returns the sender and the decoded body.
        """
        plain = request._request  # noqa: SLF001  each attribute read through DRF's wrapper raises and catches first
        signature = authentication.signature_of(plain)
        refuse_long(plain, limit=self.body_limit())
        owner = authentication.named_owner(plain)
        self.project_id = owner.project_id if owner else ""
        authentication.limit_rate(plain, project_id=self.project_id or "-")
        raw: Any = request.data or b""  # through RawParser; DRF does not call it for an empty body
        sender = authentication.verify(owner, body=raw, signature=signature)
        self.project_id = sender.project_id
        return sender, decode(raw, encoding=plain.META.get("HTTP_CONTENT_ENCODING", ""), limit=self.body_limit())

    def keep(self, sender: Sender, body: bytes, *, items: int, then: Callable[[], None] | None = None) -> None:
        """Commit a payload to the buffer, and call `then` after that.

        Raises ApiError 503 when it is full, SenderChanged when the key is void.
        """
        condition, parameters = authentication.condition_of(sender)
        try:
            buffer.append(
                kind=self.kind,
                project_id=sender.project_id,
                body=body,
                items=items,
                now_ms=now_ms(),
                condition=condition,
                parameters=parameters,
                then=partial(kept, items, then),
            )
        except buffer.ConditionFailed:
            if sender.owner is not None:
                authentication.known_owners.forget(sender.owner.key)
            raise SenderChanged from None
        except buffer.BufferFull:
            raise ApiError(
                "buffer is full, try again later",
                status=503,
                headers={"Retry-After": RETRY_AFTER_SECONDS},
            ) from None


def kept(items: int, then: Callable[[], None] | None) -> None:
    """After the commit: the worker has something to do, and the view has."""
    nudge.add(items)
    if then is not None:
        then()


def json_answer(body: bytes, *, status: int = 200) -> HttpResponse:
    """An answer already written as JSON, past DRF's rendering."""
    return HttpResponse(body, status=status, content_type="application/json")
