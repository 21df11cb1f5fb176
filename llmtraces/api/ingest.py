"""`POST /v1/traces`, `/v1/traces/batch` and `PUT /v1/traces/{id}` (contract 8.1): checked, committed, then answered."""

from typing import Any

import msgspec
from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from bloop_site.lib.api import ApiError
from bloop_site.lib.clock import now_ms
from bloop_site.lib.log import logger
from bloop_site.lib.wire import Unreadable, decode_json
from ingest.authentication import Sender
from ingest.views import SignedView, json_answer
from llmtraces.api import schema
from llmtraces.api.base import refuse_when_off
from llmtraces.contract import (
    Entry,
    Rules,
    TraceIn,
    TraceInvalid,
    encode_entries,
    parse_trace,
    parse_update,
)
from llmtraces.masking import Masking
from llmtraces.queries.known import is_known
from llmtraces.queries.settings import decided_by

log = logger("llmtraces.ingest")
MAX_KEY_CHARACTERS = 64


class TracesIngestView(SignedView):
    """What the three endpoints share. With `llm_tracing.enabled` off they do not exist."""

    kind = "traces"

    def body_limit(self) -> int:
        return settings.BLOOP.llm_tracing.max_payload_bytes

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As `refuse_when_off`."""
        refuse_when_off()

    def rules(self, sender: Sender) -> Rules:
        """The policy and the masking of this moment, in one query, and the limits."""
        decided = decided_by(sender.project_id)
        return Rules(
            policy=decided.policy,
            max_spans=settings.BLOOP.llm_tracing.max_spans_per_trace,
            masking=Masking(decided.mask_kinds, decided.mask_expressions),
        )

    def decoded(self, body: bytes) -> Any:
        """The JSON of the body; a number that is none is as if it were not there (T4). Raises ApiError 400."""
        try:
            return decode_json(body, nan_is_null=True)
        except Unreadable as error:
            raise ApiError(str(error)) from None

    def idempotency_key(self, request: Request) -> str | None:
        """The Idempotency-Key header: the id of a trace that has none. Raises ApiError 400."""
        key: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key and len(key) > MAX_KEY_CHARACTERS:
            raise ApiError(f"Idempotency-Key exceeds {MAX_KEY_CHARACTERS} characters")
        return key or None

    def keep_entries(self, sender: Sender, entries: list[Entry]) -> None:
        """Commit checked entries as one payload, counted by the rows it makes. Raises ApiError 503."""
        rows = sum(1 + len(entry.spans) if isinstance(entry, TraceIn) else 1 for entry in entries)
        self.keep(sender, encode_entries(entries), items=rows)
        for entry in entries:
            log.debug("trace_accepted", project_id=sender.project_id, trace_id=entry.trace_id)


class TraceView(TracesIngestView):
    @extend_schema(**schema.POST_TRACE)
    def post(self, request: Request) -> HttpResponse:
        sender, body = self.receive(request)
        try:
            trace = parse_trace(
                self.decoded(body), rules=self.rules(sender), now_ms=now_ms(), default_id=self.idempotency_key(request)
            )
        except TraceInvalid as error:
            raise ApiError(str(error)) from None
        self.keep_entries(sender, [trace])
        return json_answer(msgspec.json.encode({"status": "accepted", "id": trace.trace_id}))


class TraceBatchView(TracesIngestView):
    def body_limit(self) -> int:
        return settings.BLOOP.llm_tracing.max_batch_bytes

    @extend_schema(**schema.POST_TRACES)
    def post(self, request: Request) -> HttpResponse:
        sender, body = self.receive(request)
        rules, now, key = self.rules(sender), now_ms(), self.idempotency_key(request)
        ids: list[str | None] = []
        entries: list[Entry] = []
        refused: list[dict[str, int | str]] = []
        for index, item in enumerate(self.items_of(body)):
            try:
                trace = parse_trace(item, rules=rules, now_ms=now, default_id=f"{key}:{index}" if key else None)
            except TraceInvalid as error:
                refused.append({"index": index, "error": f"validation error: {error}"})
                ids.append(None)
                continue
            entries.append(trace)
            ids.append(trace.trace_id)
        if entries:
            self.keep_entries(sender, entries)
        answer = {"accepted": len(entries), "dropped": 0, "errors": refused, "ids": ids}
        return json_answer(msgspec.json.encode(answer))

    def items_of(self, body: bytes) -> list[Any]:
        """The batch's items, each still unchecked. Raises ApiError 400."""
        value = self.decoded(body)
        items = value.get("traces") if isinstance(value, dict) else None
        if not isinstance(items, list):
            raise ApiError('the body must be {"traces": [...]}')
        if len(items) > settings.BLOOP.llm_tracing.max_batch_size:
            raise ApiError(f"batch exceeds max size of {settings.BLOOP.llm_tracing.max_batch_size}")
        return items


class TraceUpdateView(TracesIngestView):
    @extend_schema(**schema.PUT_TRACE)
    def put(self, request: Request, trace_id: str) -> HttpResponse:
        sender, body = self.receive(request)
        try:
            update = parse_update(self.decoded(body), trace_id=trace_id, rules=self.rules(sender), now_ms=now_ms())
        except TraceInvalid as error:
            raise ApiError(str(error)) from None
        if not is_known(project_id=sender.project_id, trace_id=trace_id):
            raise ApiError(f"trace not found: {trace_id}", status=404)
        self.keep_entries(sender, [update])
        return json_answer(b'{"status":"updated"}')
