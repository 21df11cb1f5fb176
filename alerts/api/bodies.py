"""Reads the bodies of alert rules in both forms (contract 6.1): nested `config`, and the documented flat one."""

from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from alerts.configs import ALIASES, FLAT, READERS, Config, ConfigInvalid, config_of_flat, parse_config
from alerts.models import AlertRule
from alerts.services.rules import NewRule, RuleChange
from bloop_site.lib.api import ApiError, first_text
from bloop_site.lib.checked import Flag, Text, Whole

NULLABLE = ("description", "environment_filter", "source_filter")
FLAT_KEYS = {*FLAT, "window_hours", "model"}
SERVERS_OWN = -1  # a cooldown below zero


class RuleBody(serializers.Serializer[Any]):
    """What both forms share, typed; a config's keys are checked by `alerts.configs`."""

    name = Text(required=False, allow_null=True)
    config = serializers.DictField(required=False, allow_null=True)
    rule_type = Text(required=False, allow_null=True)
    project_id = Text(required=False, allow_null=True)
    description = Text(required=False, allow_null=True)
    environment_filter = Text(required=False, allow_null=True)
    source_filter = Text(required=False, allow_null=True)
    cooldown_secs = Whole(required=False, allow_null=True)
    enabled = Flag(required=False, allow_null=True)


def checked(request: Request) -> tuple[dict[str, Any], dict[str, Any]]:
    """The known fields that are not null, and the whole body. Raises ApiError 422 about the first wrong one."""
    found = RuleBody(data=request.data)
    try:
        found.is_valid(raise_exception=True)
    except ValidationError as error:
        raise ApiError(first_text(error.detail), status=422) from None
    given = {name: value for name, value in found.validated_data.items() if value is not None}
    return given, dict(request.data)


def new_rule_of(request: Request) -> tuple[NewRule, str | None]:
    """The rule a POST describes, and the project it names. Raises ApiError."""
    given, body = checked(request)
    if "name" not in given:
        raise ApiError("name is required", status=422)
    config = config_in(given, body)
    if config is None:
        raise ApiError("config is required", status=422)
    return (
        NewRule(
            name=given["name"],
            config=config,
            cooldown_secs=cooldown_in(given) if "cooldown_secs" in given else None,
            **{name: given.get(name) for name in NULLABLE},
        ),
        given.get("project_id"),
    )


def change_of(request: Request) -> Callable[[AlertRule], RuleChange]:
    """What a PUT makes of a rule: absent and null stay, an empty text takes away.

    A flat body that names some parameters leaves the others as they are in that moment, so the rule has to be held.
    Raises ApiError, and so does what comes back.
    """
    given, body = checked(request)
    change: RuleChange = {}
    if "name" in given:
        change["name"] = given["name"]
    if "enabled" in given:
        change["is_enabled"] = given["enabled"]
    if "description" in given:
        change["description"] = given["description"]
    if "environment_filter" in given:
        change["environment_filter"] = given["environment_filter"]
    if "source_filter" in given:
        change["source_filter"] = given["source_filter"]
    if "cooldown_secs" in given:
        change["cooldown_secs"] = cooldown_in(given)

    def of(rule: AlertRule) -> RuleChange:
        config = config_in(given, body, rule=rule)
        return change if config is None else {**change, "config": config}

    return of


def cooldown_in(given: dict[str, Any]) -> int | None:
    """The cooldown; -1 is the server's own."""
    seconds: int = given["cooldown_secs"]
    return None if seconds == SERVERS_OWN else seconds


def config_in(given: dict[str, Any], body: dict[str, Any], *, rule: AlertRule | None = None) -> Config | None:
    """The config in either form, None when there is none.

    rule: whose other parameters stay when a flat body of its own kind names only some. Raises ApiError: 400 for a
    `rule_type` nobody knows, 422 for a config that is wrong.
    """
    if "config" in given:
        return parsed(given["config"])
    if "rule_type" in given:
        kind = given["rule_type"]
        if ALIASES.get(kind, kind) not in READERS:
            raise ApiError(f"unknown rule type: {kind[:64]}")
        if rule is None or ALIASES.get(kind, kind) != rule.rule_type:
            return parsed(config_of_flat(body))
    named = {name: body[name] for name in FLAT_KEYS if body.get(name) is not None}
    if rule is None or not named:
        return None
    flat = config_of_flat({**named, "rule_type": rule.rule_type})
    given_keys = {name for name in flat if name in named or name in renamed(named)}
    kept = rule.config if isinstance(rule.config, dict) else {}  # a broken one is mended by what is given
    return parsed({**kept, "type": rule.rule_type, **{name: flat[name] for name in given_keys}})


def renamed(named: dict[str, Any]) -> set[str]:
    """What `window_hours` and `model` become."""
    keys = {"window_hours": "window_secs", "model": "model_filter"}
    return {keys[name] for name in named if name in keys}


def parsed(raw: object) -> Config:
    """The config. Raises ApiError 422."""
    try:
        return parse_config(raw)
    except ConfigInvalid as error:
        raise ApiError(str(error), status=422) from None


def channel_of(request: Request) -> object:
    """The config of a channel's body, for `alerts.channels.registry.parse_channel`. Raises ApiError 422."""
    body: Any = request.data
    config = body.get("config") if isinstance(body, dict) else None
    if not isinstance(config, dict):
        raise ApiError("config is required", status=422)
    return config
