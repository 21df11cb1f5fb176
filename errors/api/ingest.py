"""`POST /v1/ingest` and `/v1/ingest/batch` (contract 1): checked, fingerprinted, committed, then answered."""

import logging
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from bloop_site.lib.api import ApiError
from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger
from errors.api import schema
from errors.contract import (
    Event,
    EventInvalid,
    Limits,
    decode_json,
    encode_events,
    idempotency_id,
    parse_event,
)
from ingest import reasons
from ingest.authentication import Sender
from ingest.views import SignedView, json_answer

log = logger("errors.ingest")
ACCEPTED = b'{"status":"accepted"}'
LIMITS = Limits(
    message=settings.BLOOP.ingest.max_message_bytes,
    stack=settings.BLOOP.ingest.max_stack_bytes,
    metadata=settings.BLOOP.ingest.max_metadata_bytes,
    strict=settings.BLOOP.ingest.strict_limits,
)


class ErrorsIngestView(SignedView):
    """What the two endpoints share."""

    kind = "errors"

    def decoded(self, body: bytes) -> Any:
        """The JSON of the body. Raises ApiError 400."""
        try:
            return decode_json(body)
        except EventInvalid as error:
            raise ApiError(str(error)) from None

    def idempotency_key(self, request: Request) -> str | None:
        """The Idempotency-Key header, if there is one that fits. Raises ApiError 400."""
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        try:
            return idempotency_id(key, "Idempotency-Key") if key else None
        except EventInvalid as error:
            raise ApiError(str(error)) from None

    def keep_events(self, sender: Sender, events: list[Event], *, then: Callable[[], None] | None = None) -> None:
        """Commit checked events to the buffer as one payload, and call `then` after that. Raises ApiError 503."""
        if log.isEnabledFor(logging.DEBUG):
            # The lane commits many requests at once: their log lines carry the id of their own.
            then = partial(copy_context().run, self.log_events, sender, events, then)
        self.keep(sender, encode_events(events), items=len(events), then=then)

    def log_events(self, sender: Sender, events: list[Event], then: Callable[[], None] | None) -> None:
        """Say in the log what is kept now."""
        for event in events:
            log.debug("event_ingested", project_id=sender.project_id, fingerprint=event.fingerprint)
        if then is not None:
            then()


class IngestView(ErrorsIngestView):
    @extend_schema(**schema.INGEST)
    def post(self, request: Request) -> HttpResponse:
        sender, body = self.receive(request)
        try:
            event = parse_event(
                self.decoded(body),
                limits=LIMITS,
                grouping=sender.grouping,
                now_ms=now_ms(),
                default_id=self.idempotency_key(request),
            )
        except EventInvalid as error:
            raise ApiError(str(error)) from None
        self.keep_events(sender, [event])
        return json_answer(ACCEPTED)


class IngestBatchView(ErrorsIngestView):
    def body_limit(self) -> int:
        return settings.BLOOP.ingest.max_batch_bytes

    @extend_schema(**schema.INGEST_BATCH)
    def post(self, request: Request) -> HttpResponse:
        sender, body = self.receive(request)
        events, refused = self.parsed(self.items_of(body), sender=sender, key=self.idempotency_key(request))
        note = partial(self.note_items, refused) if refused else None
        if events:
            self.keep_events(sender, events, then=note)
        elif note:
            note()
        return json_answer(msgspec.json.encode({"accepted": len(events), "dropped": 0, "errors": refused}))

    def note_items(self, refused: list[dict[str, int | str]]) -> None:
        """Count the events that were left out, once the others are kept: until then the whole may be tried again."""
        self.note_refusal(reasons.BATCH_ITEM, text=str(refused[-1]["error"]), count=len(refused))

    def items_of(self, body: bytes) -> list[Any]:
        """The batch's items, each still unchecked. Raises ApiError 400."""
        value = self.decoded(body)
        items = value.get("events") if isinstance(value, dict) else None
        if not isinstance(items, list):
            raise ApiError('the body must be {"events": [...]}')
        if len(items) > settings.BLOOP.ingest.max_batch_size:
            raise ApiError(f"batch exceeds max size of {settings.BLOOP.ingest.max_batch_size}")
        return items

    def parsed(
        self, items: list[Any], *, sender: Sender, key: str | None
    ) -> tuple[list[Event], list[dict[str, int | str]]]:
        """The good events and an entry for each bad one (L8). With a key, event n of the batch is `key:n`."""
        now = now_ms()
        events: list[Event] = []
        refused: list[dict[str, int | str]] = []
        for index, item in enumerate(items):
            try:
                default_id = f"{key}:{index}" if key else None
                events.append(
                    parse_event(item, limits=LIMITS, grouping=sender.grouping, now_ms=now, default_id=default_id)
                )
            except EventInvalid as error:
                refused.append({"index": index, "error": f"validation error: {error}"})
        return events, refused
