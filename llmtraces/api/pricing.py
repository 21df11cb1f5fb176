"""`/v1/llm/pricing` and its overrides (contract 8.8)."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.api import ApiError
from bloop_site.lib.clock import now_ms
from bloop_site.lib.schema import problem
from llmtraces.api.project import ProjectView
from llmtraces.api.settings import READS
from llmtraces.models import PriceOverride
from llmtraces.pricing import PICOS, table_size
from llmtraces.queries.prices import overrides_within, prices_of
from llmtraces.services.prices import MILLION, PriceGone, picos_of, remove_price, set_price
from projects.models import ApiToken, Project

GLOBAL_IS_ADMINS = "only an admin may price a model for all projects"
OWN_ONLY = "a token may price models for its own project only"
WRITES = (
    "A token with `llm:write` or `errors:write`, for its own project, which is the one meant when none is named; or a"
    " session: of who manages the project named, of an admin for all projects (null)."
)
MODEL = OpenApiParameter("model", str, description="Its exact name; without: how many models the table has.")
WHOSE = OpenApiParameter("project_id", str, description="Whose overrides count; without: only those for all projects.")


class PriceSerializer(serializers.Serializer[Any]):
    """Dollars for each token."""

    model = serializers.CharField()
    input_cost_per_token = serializers.FloatField()
    output_cost_per_token = serializers.FloatField()
    provider = serializers.CharField()
    source = serializers.ChoiceField(choices=["override", "table"])  # type: ignore[assignment]


class TableSizeSerializer(serializers.Serializer[Any]):
    model_count = serializers.IntegerField()


class OverrideSerializer(serializers.Serializer[Any]):
    """Dollars for each token; a null project is all of them."""

    project_id = serializers.CharField(allow_null=True)
    model = serializers.CharField()
    provider = serializers.CharField()
    input_cost_per_token = serializers.FloatField()
    output_cost_per_token = serializers.FloatField()
    updated_at = serializers.IntegerField()


class OverridesSerializer(serializers.Serializer[Any]):
    overrides = OverrideSerializer(many=True)


class OverrideInSerializer(serializers.Serializer[Any]):
    model = serializers.CharField()
    input_cost_per_token = serializers.FloatField()
    output_cost_per_token = serializers.FloatField()
    provider = serializers.CharField(required=False, allow_null=True)
    project_id = serializers.CharField(required=False, allow_null=True)


class OverrideSetSerializer(serializers.Serializer[Any]):
    status = serializers.CharField()
    model = serializers.CharField()


class OverrideDeletedSerializer(serializers.Serializer[Any]):
    deleted = serializers.CharField()


PROBLEMS = {
    400: problem("The request is wrong; the text says how."),
    401: problem("No valid token or session."),
    403: problem("The token lacks the scope or is another project's, or the person only may look."),
    404: problem("No such price or project, or LLM tracing is switched off."),
}


def dollars(picos: int) -> float:
    """Dollars for a token."""
    return picos / (PICOS * MILLION)


class PricingView(ProjectView):
    @extend_schema(
        operation_id="get_llm_pricing",
        summary="What a model costs, and who says so",
        description=READS,
        tags=["llm"],
        parameters=[MODEL, WHOSE],
        responses={
            200: PolymorphicProxySerializer(
                component_name="Pricing",
                serializers=[PriceSerializer, TableSizeSerializer],
                resource_type_field_name=None,
                many=False,
            ),
            **PROBLEMS,
        },
    )
    def get(self, request: Request) -> Response:
        model = request.query_params.get("model", "")
        if not model:
            return Response({"model_count": table_size()})
        provider = request.query_params.get("provider", "")
        project_id = self.whose(request)
        price = prices_of([(model, provider)], project_id, now_ms=now_ms())[model, provider]
        if price is None:
            raise ApiError(f"no pricing data for model '{model}'", status=404)
        return Response(
            {
                "model": model,
                "input_cost_per_token": dollars(price.input),
                "output_cost_per_token": dollars(price.output),
                "provider": price.provider,
                "source": price.source,
            }
        )

    def whose(self, request: Request) -> str | None:
        """The project whose overrides count; None for a session that names none. Raises Http404."""
        if isinstance(request.auth, ApiToken):
            return request.auth.project_id
        wanted = request.query_params.get("project_id")
        return self.visible(request, wanted).pk if wanted else None


class OverridesView(ProjectView):
    @extend_schema(
        operation_id="list_llm_prices",
        summary="Price overrides: those within reach, and those for all projects",
        description=READS,
        tags=["llm"],
        parameters=[OpenApiParameter("project_id", str, description="Sessions only: one project and the global ones.")],
        responses={200: OverridesSerializer, **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        rows = overrides_within(self.reach(request))
        return Response({"overrides": [override_json(row) for row in rows]})

    @extend_schema(
        operation_id="put_llm_price",
        summary="Set the price of a model for a project or for all",
        description=WRITES,
        tags=["llm"],
        request=OverrideInSerializer,
        responses={200: OverrideSetSerializer, **PROBLEMS},
    )
    def put(self, request: Request) -> Response:
        body = request.data if isinstance(request.data, dict) else {}
        model = text_in(body, "model").strip()
        if not model:
            raise ApiError("model name is required")
        set_price(
            project=self.priced(request, text_in(body, "project_id")),
            model=model,
            provider=text_in(body, "provider"),
            input_picos=cost_in(body, "input_cost_per_token"),
            output_picos=cost_in(body, "output_cost_per_token"),
            actor=self.actor(request),
            now=timezone.now(),
            token=self.token_name(request),
        )
        return Response({"status": "ok", "model": model})

    @extend_schema(
        operation_id="delete_llm_price",
        summary="Remove the override of a model's price",
        description=WRITES,
        tags=["llm"],
        parameters=[
            OpenApiParameter("model", str, required=True),
            OpenApiParameter("project_id", str, description="Whose; without: the one for all projects."),
        ],
        responses={200: OverrideDeletedSerializer, **PROBLEMS},
    )
    def delete(self, request: Request) -> Response:
        model = request.query_params.get("model", "").strip()
        if not model:
            raise ApiError("model name is required")
        named = request.query_params.get("project_id", "") if request.auth is None else ""  # a token's is its own
        project = self.priced(request, named)
        try:
            remove_price(
                project=project,
                model=model,
                actor=self.actor(request),
                now=timezone.now(),
                token=self.token_name(request),
            )
        except PriceGone:
            raise ApiError(f"no override for model '{model}'", status=404) from None
        return Response({"deleted": model})

    def priced(self, request: Request, project_id: str) -> Project | None:
        """The project to price for, None for all. Raises Http404 and ApiError 403."""
        if isinstance(request.auth, ApiToken):
            if project_id not in ("", request.auth.project_id):
                raise ApiError(OWN_ONLY, status=403)
            return request.auth.project
        if not project_id:
            if not self.user(request).is_admin:
                raise ApiError(GLOBAL_IS_ADMINS, status=403)
            return None
        project = self.visible(request, project_id)
        self.refuse_member(request, project)
        return project


def override_json(row: PriceOverride) -> dict[str, Any]:
    """An override."""
    return {
        "project_id": row.project_id,
        "model": row.model,
        "provider": row.provider,
        "input_cost_per_token": dollars(row.input_picos),
        "output_cost_per_token": dollars(row.output_picos),
        "updated_at": row.updated_ms,
    }


def text_in(body: dict[str, Any], name: str) -> str:
    """A text of the body, "" for null and none. Raises ApiError."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ApiError(f"{name} must be a string")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ApiError(f"{name} must not hold half of a surrogate pair")
    return value


def cost_in(body: dict[str, Any], name: str) -> int:
    """Dollars for a token as picos. Raises ApiError, or PriceInvalid."""
    value = body.get(name)
    if value is None:
        raise ApiError(f"{name} is required")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(f"{name} must be a number")
    return picos_of(value, tokens=1)
