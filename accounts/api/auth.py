"""Joining, signing in, signing out (contract 5.4). Its page is static/js/passkey.js."""

import hmac
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib import auth
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ceremonies, otp, queries
from accounts.api import serializers
from accounts.api.base import OK, AuthView
from accounts.api.schema import CLOSED, NOT_PROVEN, described
from accounts.ceremonies import Purpose
from accounts.middleware import forget_cookies
from accounts.models import User
from accounts.secret import hashed
from accounts.services import passkeys, recovery
from accounts.services.invites import UsernameInvalid, clean_username
from accounts.services.links import LinkInvalid, RegistrationClosed
from bloop_site.lib.api import ApiError


class StatusView(AuthView):
    @extend_schema(**described("auth_status", None, serializers.SetupStatusSerializer))
    def get(self, request: Request) -> Response:
        return Response({"setup_complete": queries.is_set_up()})


# --- Joining --------------------------------------------------------------------------------------------------------


class JoiningView(AuthView):
    """An account that begins with a passkey: the first admin's, or one by invite."""

    purpose: Purpose

    def begin(self, username: str, *, payload: dict[str, Any], now: datetime) -> Response:
        """The options for a passkey of an account to be made. Raises UsernameInvalid."""
        name = clean_username(username)
        if queries.is_taken(name):
            raise UsernameInvalid("That name is taken")
        begun = ceremonies.begin_registration(
            self.http, user_id=uuid4(), username=name, purpose=self.purpose, exclude=[], payload=payload, now=now
        )
        return Response(begun)

    def complete(self, body: dict[str, Any], *, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the account is made of, and the payload of the start. Raises CeremonyInvalid."""
        credential, payload = ceremonies.finish_registration(
            self.http,
            purpose=self.purpose,
            challenge_id=body["challenge_id"],
            credential=body["credential"],
            now=now,
        )
        made = {
            "user_id": UUID(payload["user_id"]),
            "username": payload["username"],
            "credential": credential,
            "name": self.passkey_name(body["name"]),
            "address": self.address,
            "now": now,
        }
        return made, payload

    def welcome(self, user: User) -> Response:
        """Sign in who has just joined: their passkey has just proven them."""
        otp.start_session(self.http, user=user, device=queries.passkeys_of(user)[0])
        return Response(OK)


class RegisterStartView(JoiningView):
    purpose = Purpose.FIRST_ADMIN

    @extend_schema(
        **described("register_start", serializers.RegisterStartSerializer, serializers.OptionsSerializer, CLOSED)
    )
    def post(self, request: Request) -> Response:
        now = timezone.now()
        refuse_second_admin()
        body = self.body(serializers.RegisterStartSerializer)
        refuse_blank(body["username"])
        payload = {"link_hash": setup_permission(body, now=now)}
        return self.begin(body["username"], payload=payload, now=now)


class RegisterFinishView(JoiningView):
    purpose = Purpose.FIRST_ADMIN

    @extend_schema(
        **described("register_finish", serializers.RegisterFinishSerializer, serializers.DoneSerializer, CLOSED)
    )
    def post(self, request: Request) -> Response:
        refuse_second_admin()
        made, payload = self.complete(self.body(serializers.RegisterFinishSerializer), now=timezone.now())
        try:
            return self.welcome(passkeys.register_first_admin(**made, link_hash=payload["link_hash"]))
        except LinkInvalid:
            raise RegistrationClosed from None


class InviteStartView(JoiningView):
    purpose = Purpose.INVITE

    @extend_schema(
        **described("invite_register_start", serializers.InviteStartSerializer, serializers.OptionsSerializer)
    )
    def post(self, request: Request) -> Response:
        now = timezone.now()
        body = self.body(serializers.InviteStartSerializer)
        refuse_blank(body["username"])
        if not queries.usable_invite(token=body["invite_token"], now=now):
            raise LinkInvalid
        payload = {"invite_hash": hashed(body["invite_token"])}
        return self.begin(body["username"], payload=payload, now=now)


class InviteFinishView(JoiningView):
    purpose = Purpose.INVITE

    @extend_schema(
        **described("invite_register_finish", serializers.InviteFinishSerializer, serializers.DoneSerializer)
    )
    def post(self, request: Request) -> Response:
        body = self.body(serializers.InviteFinishSerializer)
        made, payload = self.complete(body, now=timezone.now())
        if payload["invite_hash"] != hashed(body["invite_token"]):
            raise LinkInvalid
        return self.welcome(passkeys.register_by_invite(**made, token=body["invite_token"]))


def refuse_blank(username: str) -> None:
    """Raise the 400 of contract 5.4."""
    if not username:
        raise ApiError("username is required")


def refuse_second_admin() -> None:
    """Raise RegistrationClosed once anybody exists."""
    if queries.is_set_up():
        raise RegistrationClosed


def setup_permission(body: dict[str, Any], *, now: datetime) -> str | None:
    """By what right the first admin registers: the hash of the first link, or None when no link is needed.

    That is with the configured `auth.setup_token` or, where there is none, with `auth.open_setup`. Raises
    RegistrationClosed.
    """
    if link_token := body["link_token"]:
        if queries.usable_login_link(token=link_token, now=now):
            return hashed(link_token)
        raise RegistrationClosed
    expected = settings.BLOOP.auth.setup_token
    given = body["setup_token"]
    if hmac.compare_digest(given.encode(), expected.encode()) if expected else settings.BLOOP.auth.open_setup:
        return None
    raise RegistrationClosed


# --- Signing in and out ---------------------------------------------------------------------------------------------


class LoginStartView(AuthView):
    @extend_schema(**described("login_start", serializers.LoginStartSerializer, serializers.OptionsSerializer))
    def post(self, request: Request) -> Response:
        body = self.body(serializers.LoginStartSerializer)
        if not queries.any_passkey():
            raise ApiError("no credentials registered")
        name = queries.plain_username(body["username"]) or None
        return Response(ceremonies.begin_sign_in(self.http, username=name, now=timezone.now()))


class LoginFinishView(AuthView):
    @extend_schema(**described("login_finish", serializers.FinishSerializer, serializers.DoneSerializer, NOT_PROVEN))
    def post(self, request: Request) -> Response:
        body = self.body(serializers.FinishSerializer)
        passkey = ceremonies.finish_sign_in(
            self.http, **body, purpose=Purpose.SIGN_IN, now=timezone.now(), address=self.address
        )
        otp.start_session(self.http, user=passkey.user, device=passkey)
        return Response(OK)


class RecoverView(AuthView):
    @extend_schema(**described("recover", serializers.RecoverSerializer, serializers.DoneSerializer, NOT_PROVEN))
    def post(self, request: Request) -> Response:
        body = self.body(serializers.RecoverSerializer)
        found = recovery.use_recovery_code(**body, now=timezone.now(), address=self.address)
        if found is None:
            raise ApiError("authentication failed", status=401)
        user, device = found
        otp.start_session(self.http, user=user, device=device)
        return Response(OK)


class LogoutView(AuthView):
    @extend_schema(**described("logout", None, serializers.DoneSerializer))
    def post(self, request: Request) -> Response:
        auth.logout(self.http)
        response = Response(OK)
        forget_cookies(response)
        return response
