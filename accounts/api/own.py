"""What a signed-in person does with passkeys: add one more, and prove themselves again."""

from datetime import timedelta
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ceremonies, otp, queries
from accounts.api import serializers
from accounts.api.base import OK, SignedInView
from accounts.api.schema import NOT_FRESH, NOT_PROVEN, NOT_SIGNED_IN, described
from accounts.audit import Actor
from accounts.ceremonies import Purpose
from accounts.services.passkeys import PasskeyInvalid, add_passkey
from accounts.sessions import SessionStore
from bloop_site.lib.api import ApiError

FRESH = timedelta(minutes=10)


class ProvenView(SignedInView):
    """Changes the ways in, so a session that was left open somewhere is not enough."""

    def refuse_stale(self) -> None:
        """Raise a 403 unless the session is verified or young, or the person has no passkey to verify it by."""
        if cast("Any", self.user).is_verified() or not queries.passkeys_of(self.user):
            return
        row = cast("SessionStore", self.http.session).row
        if row is None or row.created_at <= timezone.now() - FRESH:
            raise ApiError("confirm that it is you first: use one of your passkeys at /auth/verify", status=403)


class PasskeyStartView(ProvenView):
    @extend_schema(**described("passkey_start", None, serializers.OptionsSerializer, NOT_SIGNED_IN, NOT_FRESH))
    def post(self, request: Request) -> Response:
        self.refuse_stale()
        begun = ceremonies.begin_registration(
            self.http,
            user_id=self.user.pk,
            username=self.user.username,
            purpose=Purpose.ADD,
            exclude=[passkey.credential_id for passkey in queries.passkeys_of(self.user)],
            payload={},
            now=timezone.now(),
        )
        return Response(begun)


class PasskeyFinishView(ProvenView):
    @extend_schema(
        **described(
            "passkey_finish",
            serializers.RegisterFinishSerializer,
            serializers.AddedSerializer,
            NOT_SIGNED_IN,
            NOT_FRESH,
        )
    )
    def post(self, request: Request) -> Response:
        now = timezone.now()
        self.refuse_stale()
        body = self.body(serializers.RegisterFinishSerializer)
        credential, payload = ceremonies.finish_registration(
            self.http, purpose=Purpose.ADD, challenge_id=body["challenge_id"], credential=body["credential"], now=now
        )
        if payload["user_id"] != str(self.user.pk):
            raise ceremonies.CeremonyInvalid(ceremonies.NOT_REGISTERED)
        name, actor = self.passkey_name(body["name"]), Actor(self.user, self.address)
        try:
            passkey = add_passkey(user=self.user, credential=credential, name=name, actor=actor, now=now)
        except PasskeyInvalid as reason:
            raise ApiError(str(reason)) from None
        if not cast("Any", self.user).is_verified():
            otp.verify_session(self.http, device=passkey)
        return Response({**OK, "id": passkey.pk})


class VerifyStartView(SignedInView):
    @extend_schema(**described("verify_start", None, serializers.OptionsSerializer, NOT_SIGNED_IN))
    def post(self, request: Request) -> Response:
        if not queries.passkeys_of(self.user):
            raise ApiError("no credentials registered")
        return Response(ceremonies.begin_verification(self.http, user=self.user, now=timezone.now()))


class VerifyFinishView(SignedInView):
    @extend_schema(**described("verify_finish", serializers.FinishSerializer, serializers.DoneSerializer, NOT_PROVEN))
    def post(self, request: Request) -> Response:
        body = self.body(serializers.FinishSerializer)
        passkey = ceremonies.finish_sign_in(
            self.http, **body, purpose=Purpose.VERIFY, now=timezone.now(), address=self.address
        )
        if passkey.user.pk != self.user.pk:
            raise ceremonies.SignInRefused
        otp.verify_session(self.http, device=passkey)
        return Response(OK)
