"""Sets and removes price overrides (contract 8.8). Each is in the audit log; costs already counted stay as they are."""

from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from accounts.audit import Action, Actor, record
from bloop_site.lib.clock import to_ms
from llmtraces.models import PriceOverride
from llmtraces.pricing import PICOS
from projects.models import Project
from projects.services.locking import locked_project

MAX_MODEL = 512  # bytes, as of a span (llmtraces.contract): a longer one could never match
MAX_PICOS = 10**12  # a dollar for each token: a span's cost must fit into 63 bits
MILLION = 1_000_000


class PriceInvalid(Exception):
    """The price cannot be taken; the text says why."""


class PriceGone(Exception):
    """There is no such override."""


def picos_of(dollars: object, *, tokens: int) -> int:
    """A price in dollars for so many tokens in picos for each, half up. Exact: a float counts as what it is written as.

    Raises PriceInvalid for what is no number, negative, or more than a dollar a token.
    """
    try:
        amount = Decimal(str(dollars)) / tokens
    except InvalidOperation:
        raise PriceInvalid("costs must be numbers") from None
    if not amount.is_finite():
        raise PriceInvalid("costs must be numbers")
    if amount < 0:
        raise PriceInvalid("costs must be non-negative")
    if amount > 1:
        raise PriceInvalid("costs must be at most 1 dollar per token")
    return int((amount * PICOS * MILLION).to_integral_value(ROUND_HALF_UP))


def set_price(
    *,
    project: Project | None,
    model: str,
    provider: str,
    input_picos: int,
    output_picos: int,
    actor: Actor,
    now: datetime,
    token: str = "",
) -> None:
    """Price a model for one project, or (None) for all that have no price of their own.

    It holds for spans that come from now on; a recalculation prices older ones. Raises PriceInvalid or ProjectGone.
    """
    model, provider = model.strip(), provider.strip()
    if not model:
        raise PriceInvalid("model name is required")
    if max(len(model.encode(errors="replace")), len(provider.encode(errors="replace"))) > MAX_MODEL:
        raise PriceInvalid(f"model and provider must be at most {MAX_MODEL} bytes")
    if "\x00" in model + provider:
        raise PriceInvalid("model and provider must not hold a NUL")
    if max(input_picos, output_picos) > MAX_PICOS or min(input_picos, output_picos) < 0:
        raise PriceInvalid("costs must be non-negative")
    values: dict[str, Any] = {"provider": provider, "input_picos": input_picos, "output_picos": output_picos}
    with transaction.atomic():
        if project is not None:
            locked_project(project.pk)
        PriceOverride.objects.update_or_create(
            project=project, model=model, defaults={**values, "updated_ms": to_ms(now)}
        )
        note(Action.PRICE_SET, model, project, actor=actor, now=now, token=token, **values)


def remove_price(*, project: Project | None, model: str, actor: Actor, now: datetime, token: str = "") -> None:
    """Forget an override: the global one, else the table holds again. Raises PriceGone."""
    if "\x00" in model:  # no override has one, and PostgreSQL cannot be asked
        raise PriceGone
    with transaction.atomic():
        if not PriceOverride.objects.filter(project=project, model=model).delete()[0]:
            raise PriceGone
        note(Action.PRICE_REMOVED, model, project, actor=actor, now=now, token=token)


def note(action: Action, model: str, project: Project | None, *, actor: Actor, now: datetime, **detail: Any) -> None:
    """Write the audit entry."""
    target = f"{model} in {project.name}" if project else f"{model} in all projects"
    told = {name: value for name, value in detail.items() if value != ""}
    record(actor=actor, action=action, target=target, now=now, project_id=project.pk if project else None, detail=told)
