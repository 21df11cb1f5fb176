"""`/v1/llm/settings` and `/v1/llm/budget`: what a project decides about its traces (contract 8.7)."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.api import ApiError
from bloop_site.lib.clock import now_ms
from bloop_site.lib.schema import problem
from llmtraces.api.project import ProjectView
from llmtraces.queries.budget import USUAL_THRESHOLD, budget_of
from llmtraces.queries.settings import policy_of
from llmtraces.services.settings import set_budget, set_policy
from projects.models import Project

PROJECT = OpenApiParameter("project_id", str, description="Sessions only; `default` if none is named.")
READS = "A token with `llm:read` or `errors:read`, or a session."
WRITES = "A token with `llm:write` or `errors:write`, or a session of who manages the project."
FIGURES = (
    "monthly_budget_micros",
    "alert_threshold_pct",
    "current_month_spend_micros",
    "budget_used_pct",
    "forecast_month_end_micros",
    "forecast_over_budget",
    "days_elapsed",
    "days_remaining",
)


class SettingsSerializer(serializers.Serializer[Any]):
    """The policy that holds: the project's, else the server's."""

    project_id = serializers.CharField(read_only=True)
    content_storage = serializers.CharField(help_text="none, metadata_only or full; for traces that come from now on")


class BudgetSerializer(serializers.Serializer[Any]):
    """A UTC calendar month, in microdollars."""

    project_id = serializers.CharField()
    monthly_budget_micros = serializers.IntegerField(help_text="0: none")
    alert_threshold_pct = serializers.IntegerField()
    current_month_spend_micros = serializers.IntegerField()
    budget_used_pct = serializers.FloatField()
    forecast_month_end_micros = serializers.IntegerField()
    forecast_over_budget = serializers.BooleanField()
    days_elapsed = serializers.IntegerField()
    days_remaining = serializers.IntegerField()


class BudgetInSerializer(serializers.Serializer[Any]):
    monthly_budget_micros = serializers.IntegerField()
    alert_threshold_pct = serializers.IntegerField(
        default=USUAL_THRESHOLD, allow_null=True, help_text="Held within 1 to 100"
    )


def schema_of(
    operation_id: str, summary: str, answer: Any, request: Any = None, *, path: bool = False
) -> dict[str, Any]:
    """The schema of an endpoint about one project."""
    return {
        "operation_id": operation_id,
        "summary": summary,
        "description": WRITES if request else READS,
        "tags": ["llm"],
        "parameters": [] if path else [PROJECT],
        "request": request,
        "responses": {
            200: answer,
            400: problem("The request is wrong; the text says how."),
            401: problem("No valid token or session."),
            403: problem("The token lacks the scope, or the person only may look."),
            404: problem("No such project, or LLM tracing is switched off."),
        },
    }


class PolicyView(ProjectView):
    """What the two share."""

    def changed(self, request: Request, project: Project) -> Response:
        """Take the body's policy. Raises a 400 for any but the three."""
        body: Any = request.data
        policy = body.get("content_storage") if isinstance(body, dict) else None
        if not isinstance(policy, str):
            raise ApiError("content_storage is required")
        set_policy(
            project=project,
            policy=policy,
            actor=self.actor(request),
            now=timezone.now(),
            token=self.token_name(request),
        )
        return told(project)


class SettingsView(PolicyView):
    @extend_schema(**schema_of("get_llm_settings", "What is kept of a project's traces", SettingsSerializer))
    def get(self, request: Request) -> Response:
        return told(self.seen(request))

    @extend_schema(
        **schema_of("put_llm_settings", "Change what is kept of traces", SettingsSerializer, SettingsSerializer)
    )
    def put(self, request: Request) -> Response:
        return self.changed(request, self.managed(request))


class SettingsOfView(PolicyView):
    """The same, with the project in the path."""

    @extend_schema(
        **schema_of("get_llm_settings_of", "What is kept of this project's traces", SettingsSerializer, path=True)
    )
    def get(self, request: Request, project_id: str) -> Response:
        return told(self.seen(request, project_id))

    @extend_schema(
        **schema_of(
            "put_llm_settings_of",
            "Change what is kept of this project's traces",
            SettingsSerializer,
            SettingsSerializer,
            path=True,
        )
    )
    def put(self, request: Request, project_id: str) -> Response:
        return self.changed(request, self.managed(request, project_id))


def told(project: Project) -> Response:
    """The project's settings as JSON."""
    return Response({"project_id": project.pk, "content_storage": policy_of(project.pk)})


class BudgetView(ProjectView):
    @extend_schema(**schema_of("get_llm_budget", "A project's month: budget, spend and forecast", BudgetSerializer))
    def get(self, request: Request) -> Response:
        return month(self.seen(request))

    @extend_schema(
        **schema_of("put_llm_budget", "Set a project's monthly budget", BudgetSerializer, BudgetInSerializer)
    )
    def put(self, request: Request) -> Response:
        project = self.managed(request)
        body = BudgetInSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        threshold = body.validated_data["alert_threshold_pct"]
        set_budget(
            project=project,
            monthly_budget_micros=body.validated_data["monthly_budget_micros"],
            alert_threshold_pct=USUAL_THRESHOLD if threshold is None else threshold,
            actor=self.actor(request),
            now=timezone.now(),
            token=self.token_name(request),
        )
        return month(project)


def month(project: Project) -> Response:
    """The project's budget as JSON."""
    budget = budget_of(project.pk, now_ms=now_ms())
    return Response({"project_id": project.pk, **{name: getattr(budget, name) for name in FIGURES}})
