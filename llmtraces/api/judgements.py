"""Scores and feedback of traces (contract 8.6): by token or session, and, to write, by signature too."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from bloop_site.lib.api import ApiError, is_signed
from bloop_site.lib.checked import checked_query
from bloop_site.lib.clock import now_ms
from bloop_site.lib.wire import Unreadable, decode_json
from ingest.authentication import confirm
from ingest.views import SignedView, json_answer
from llmtraces.api import judgement_schema as schema
from llmtraces.api.base import LlmView, WindowQuery, refuse_when_off
from llmtraces.api.ingest import TraceUpdateView
from llmtraces.api.judgement_serializers import (
    FeedbackSerializer,
    ScoreCardSerializer,
    ScoreSerializer,
    SummaryQuery,
)
from llmtraces.judging import JudgementInvalid, parse_feedback, parse_score
from llmtraces.queries import judgements
from llmtraces.queries.known import owners_of
from llmtraces.services.judgements import TraceNotFound, put_feedback, put_score
from projects.access import Reach, live_projects

MAX_BODY_BYTES = 16 * 1024  # a comment of 500 bytes, however it is escaped
Keep = Callable[[str, str, Any], None]  # (project id, trace id, decoded body)


def keep_or_refuse(keep: Keep, project_id: str, trace_id: str, raw: Any) -> None:
    """Keep a judgement. Raises ApiError 400 or 404 in the contract's words."""
    try:
        keep(project_id, trace_id, raw)
    except JudgementInvalid as error:
        raise ApiError(str(error)) from None
    except TraceNotFound:
        raise not_found(trace_id) from None


def keep_score(project_id: str, trace_id: str, raw: Any) -> None:
    """Check and keep the score of a decoded body. Raises JudgementInvalid, TraceNotFound."""
    put_score(project_id=project_id, trace_id=trace_id, score=parse_score(raw), now_ms=now_ms())


def keep_feedback(project_id: str, trace_id: str, raw: Any) -> None:
    """As `keep_score`, of feedback."""
    put_feedback(project_id=project_id, trace_id=trace_id, feedback=parse_feedback(raw), now_ms=now_ms())


def not_found(trace_id: str) -> ApiError:
    """The 404 of contract 8.6."""
    return ApiError(f"trace not found: {trace_id}", status=404)


# --- Signed -----------------------------------------------------------------------------------------------------------


class SignedJudgementView(SignedView):
    """A POST signed with the project's key, checked, limited and booked as a trace is (contract 1.1)."""

    kind = "traces"
    keep_judgement: "ClassVar[staticmethod[[str, str, Any], None]]"

    def body_limit(self) -> int:
        return MAX_BODY_BYTES

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As `refuse_when_off`."""
        refuse_when_off()

    def post(self, request: Request, trace_id: str) -> HttpResponse:
        sender, body = self.receive(request)
        try:
            raw = decode_json(body)
        except Unreadable as error:
            raise ApiError(str(error)) from None
        confirm(sender)
        keep_or_refuse(self.keep_judgement, sender.project_id, trace_id, raw)
        return json_answer(b'{"status":"ok"}')


class SignedScoreView(SignedJudgementView):
    keep_judgement = staticmethod(keep_score)


class SignedFeedbackView(SignedJudgementView):
    keep_judgement = staticmethod(keep_feedback)


# --- By token or session ----------------------------------------------------------------------------------------------


class JudgementView(LlmView):
    """What a trace's scores and feedback share. A POST that is signed goes to `signed`, and no cookie is looked at."""

    write_scopes: ClassVar[tuple[str, ...]] = ("llm:write", "errors:read")
    signed: ClassVar[type[SignedJudgementView]]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Decide by which credential is there."""
        if request.method == "POST" and is_signed(request):
            return self.signed.as_view()(request, *args, **kwargs)
        return super().dispatch(request, *args, **kwargs)

    def owner(self, request: Request, trace_id: str) -> str | None:
        """The one reachable project that has, or may have, the trace. Raises ApiError 400 when there are several."""
        project_ids = project_ids_of(self.reach(request))
        if len(project_ids) > 1:
            project_ids = tuple(owners_of(project_ids=project_ids, trace_id=trace_id))
        if len(project_ids) > 1:
            raise ApiError("several projects have a trace with this id, name one with project_id")
        return next(iter(project_ids), None)

    def keep(self, request: Request, trace_id: str) -> Response:
        """Keep what was posted, in the words and by the rules of the signed view."""
        raw, owner = request.data, self.owner(request, trace_id)
        if owner is None:
            raise not_found(trace_id)
        keep_or_refuse(self.signed.keep_judgement, owner, trace_id, raw)
        return Response({"status": "ok"})


def project_ids_of(reach: Reach) -> tuple[str, ...]:
    """The reachable projects, by name also where these are all."""
    return tuple(live_projects().values_list("pk", flat=True)) if reach.project_ids is None else reach.project_ids


class TraceScoresView(JudgementView):
    signed = SignedScoreView

    @extend_schema(**schema.POST_SCORE)
    def post(self, request: Request, trace_id: str) -> Response:
        return self.keep(request, trace_id)

    @extend_schema(**schema.GET_SCORES)
    def get(self, request: Request, trace_id: str) -> Response:
        owner = self.owner(request, trace_id)
        rows = judgements.scores_of(owner, trace_id) if owner else []
        return Response({"scores": ScoreSerializer(rows, many=True).data})


class TraceScoresAliasView(TraceScoresView):
    """`/v1/traces/{id}/scores`. A PUT there means the trace whose id ends in "/scores", as on every path around it."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "PUT":
            return TraceUpdateView.as_view()(request, trace_id=f"{kwargs['trace_id']}/scores")
        return super().dispatch(request, *args, **kwargs)

    @property
    def default_response_headers(self) -> dict[str, str]:
        headers: dict[str, str] = super().default_response_headers
        return {**headers, "Allow": f"{headers['Allow']}, PUT"}

    @extend_schema(**schema.POST_SCORE_ALIAS)
    def post(self, request: Request, trace_id: str) -> Response:
        return super().post(request, trace_id)

    @extend_schema(**schema.GET_SCORES_ALIAS)
    def get(self, request: Request, trace_id: str) -> Response:
        return super().get(request, trace_id)


class TraceFeedbackView(JudgementView):
    signed = SignedFeedbackView

    @extend_schema(**schema.POST_FEEDBACK)
    def post(self, request: Request, trace_id: str) -> Response:
        return self.keep(request, trace_id)

    @extend_schema(**schema.GET_FEEDBACK)
    def get(self, request: Request, trace_id: str) -> Response:
        owner = self.owner(request, trace_id)
        rows = judgements.feedback_of(owner, trace_id) if owner else []
        return Response({"feedback": FeedbackSerializer(rows, many=True).data})


# --- Summaries --------------------------------------------------------------------------------------------------------


class ScoreSummaryView(LlmView):
    @extend_schema(**schema.SCORE_SUMMARY)
    def get(self, request: Request) -> Response:
        query = checked_query(SummaryQuery, request)
        window, name = self.window(request, query), query["name"]
        cards = judgements.score_cards(window)
        card = judgements.card_of(window, name, cards)
        places = judgements.score_percentiles(window, name)
        return Response(
            {
                "name": name,
                "count": card.count,
                "avg": card.average,
                "p50": places[50],
                "p10": places[10],
                "p90": places[90],
                "distribution": dict(zip(judgements.FIFTHS, card.distribution, strict=True)),
                "window_hours": window.hours,
                "scores": ScoreCardSerializer(cards, many=True).data,
            }
        )


class FeedbackSummaryView(LlmView):
    @extend_schema(**schema.FEEDBACK_SUMMARY)
    def get(self, request: Request) -> Response:
        window = self.window(request, checked_query(WindowQuery, request))
        found = judgements.thumbs(window)
        return Response(
            {
                "total": found.total,
                "positive": found.positive,
                "negative": found.negative,
                "positive_rate": found.positive_rate,
                "window_hours": window.hours,
            }
        )
