"""Retention, for admins: for how long data is kept, what there is, and a purge now (contract 5.5)."""

import time
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.admin_serializers import StatusSerializer
from accounts.views import AdminView
from bloop_site.lib.api import ApiError, first_text
from bloop_site.lib.checked import SmallJsonBody, checked_body
from bloop_site.lib.clock import now_ms
from projects import queries, tasks
from projects.api import schema, serializers
from projects.models import PurgeRun
from projects.retention import global_days
from projects.services.policies import PolicyInvalid, update_policies
from projects.services.retention import Busy, continue_purge, start_purge
from projects.storage import storage

WAIT_SECONDS = 20.0  # for a purge, before it goes on without the one who asked
LOOK_SECONDS = 0.2


class PolicyBody(SmallJsonBody):
    """JSON of at most 4 KB (contract 5.5)."""

    limit: ClassVar[int] = 4096


class BodyView(AdminView):
    """What is wrong with a body is told in the contract's words."""

    def body(self, serializer: Any, request: Request) -> dict[str, Any]:
        """The body's known fields. Raises ApiError `invalid request: …`."""
        try:
            return checked_body(serializer, request)
        except APIException as error:
            if error.status_code != 400:
                raise
            raise ApiError(f"invalid request: {first_text(error.detail)}") from None


def has_body(request: Request) -> bool:
    """Whether anything was sent; a body that came in pieces has its length by now (bloop_site.transport)."""
    return request.META.get("CONTENT_LENGTH") not in (None, "", "0", 0)


class RetentionView(BodyView):
    parser_classes = (PolicyBody,)

    @extend_schema(**schema.of_retention("get_retention", serializers.RetentionSerializer))
    def get(self, request: Request) -> Response:
        days, held = global_days(), storage(now_ms=now_ms())
        own = queries.projects_with_own_days()
        return Response(
            {
                "global": {"raw_events_days": days.raw_events, "hourly_counts_days": days.hourly_counts},
                "per_project": [
                    {"project_id": each.project_id, "project_name": each.name, "raw_events_days": each.days}
                    for each in own
                ],
                "storage": {
                    "db_size_bytes": held.space.db_bytes,
                    "raw_events_count": held.holdings.raw_events,
                    "hourly_counts_count": held.holdings.hourly_counts,
                    "counted_at": held.counted_ms,
                    "free_bytes": held.space.free_bytes,
                },
            }
        )

    @extend_schema(**schema.of_retention("set_retention", StatusSerializer, request=serializers.RetentionBody))
    def put(self, request: Request) -> Response:
        if not has_body(request):
            raise ApiError("invalid request: body is not valid JSON")
        body = self.body(serializers.RetentionBody, request)
        own = {each["project_id"]: each["raw_events_days"] for each in body.get("per_project", [])}
        try:
            update_policies(
                actor=self.actor(request),
                now=timezone.now(),
                raw_events_days=body.get("raw_events_days"),
                hourly_counts_days=body.get("hourly_counts_days"),
                own_raw_days=own,
            )
        except PolicyInvalid as error:
            raise ApiError(str(error)) from None
        return Response({"status": "ok"})


class PurgeView(BodyView):
    parser_classes = (SmallJsonBody,)

    @extend_schema(**schema.of_retention("purge", serializers.PurgedSerializer, request=serializers.PurgeBody))
    def post(self, request: Request) -> Response:
        """One pass, within the request as far as that goes; no body at all counts as confirmed."""
        if has_body(request) and not self.body(serializers.PurgeBody, request)["confirm"]:
            raise ApiError("confirm must be true")
        started = start_purge(actor=self.actor(request), now=timezone.now())
        run = purged(started.run.pk, seconds=WAIT_SECONDS)
        if run.finished_at is None:
            tasks.start_purging()
        elif run.failure:
            raise ApiError("internal server error: not everything could be purged", status=500)
        counts = {f"{name}_deleted": run.removed.get(name, 0) for name in ("raw_events", "hourly_counts")}
        return Response({"status": "ok", **counts, **({"running": True} if run.finished_at is None else {})})


def purged(run_id: int, *, seconds: float) -> PurgeRun:
    """The run after `seconds`, or as soon as it is finished, by us or by a worker that is at it already."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if continue_purge(run_id=run_id, now=timezone.now(), seconds=ends - time.monotonic()):
                break
        except Busy:
            time.sleep(LOOK_SECONDS)
    return PurgeRun.objects.get(pk=run_id)
