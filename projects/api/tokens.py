"""API tokens (contract 5.2)."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.views import SessionView
from bloop_site.lib.api import ApiError
from bloop_site.lib.checked import checked_body
from bloop_site.lib.ids import uuid_of
from projects import queries
from projects.access import may_manage, may_see
from projects.api import schema, serializers
from projects.models import Project
from projects.services.locking import ProjectGone
from projects.services.tokens import TokenForbidden, TokenGone, TokenInvalid, issue_token, revoke_token


class TokenBaseView(SessionView):
    """What both token views share."""

    def project(self, request: Request, name: str) -> Project:
        """The project of this id or slug. Raises ApiError 400 when they see none, 403 when they may only look."""
        project = queries.find_project(name)
        if project is None or not may_see(self.user(request), project):
            raise ApiError("project not found")
        if not may_manage(self.user(request), project):
            raise ApiError("you do not have access to this project", status=403)
        return project

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, ProjectGone):
            exc = ApiError("project not found")
        elif isinstance(exc, TokenInvalid):
            exc = ApiError(str(exc))
        elif isinstance(exc, TokenGone | TokenForbidden):
            exc = ApiError(str(exc), status=404 if isinstance(exc, TokenGone) else 403)
        return super().handle_exception(exc)


class TokensView(TokenBaseView):
    @extend_schema(
        **schema.described(
            "list_tokens", serializers.ListedTokenSerializer(many=True), serializers.TokensQuery, found=False
        )
    )
    def get(self, request: Request) -> Response:
        name = request.query_params.get("project_id", "")
        if not name:
            raise ApiError("project_id is required")
        tokens = queries.tokens_of(self.project(request, name))
        return Response(serializers.ListedTokenSerializer(tokens, many=True).data)

    @extend_schema(
        **schema.described(
            "create_token",
            serializers.NewTokenSerializer,
            request=serializers.NewTokenBody,
            found=False,
            status=201,
        )
    )
    def post(self, request: Request) -> Response:
        body = checked_body(serializers.NewTokenBody, request)
        new = issue_token(
            project=self.project(request, body["project_id"]),
            name=body["name"],
            scopes=body["scopes"],
            created_by=self.user(request),
            now=timezone.now(),
            expires_in_days=body["expires_in_days"],
            actor=self.actor(request),
        )
        data = serializers.TokenSerializer(new.token).data
        return Response({**data, "token": new.secret}, status=201)


class TokenView(TokenBaseView):
    @extend_schema(**schema.described("revoke_token", serializers.RevokedSerializer))
    def delete(self, request: Request, token_id: str) -> Response:
        if uuid_of(token_id) is None:
            raise TokenGone
        user, actor = self.user(request), self.actor(request)
        revoke_token(token_id=token_id.lower(), by=user, actor=actor, now=timezone.now())
        return Response({"revoked": token_id})
