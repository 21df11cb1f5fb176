"""What models cost for a project, which prices are its own, and which models have none (contract 8.3, 8.8)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, Sum

from llmtraces.models import PriceOverride, UsageHour
from llmtraces.pricing import Price, price_of
from llmtraces.queries.window import Window
from projects.access import Reach


@dataclass(frozen=True)
class Unpriced:
    """A model nobody knows the price of, and how many spans have no cost for it."""

    model: str
    provider: str
    span_count: int


def overrides_of(project_ids: set[str]) -> defaultdict[str | None, dict[str, Price]]:
    """Price overrides by project (None: of all) and model. One query."""
    found: defaultdict[str | None, dict[str, Price]] = defaultdict(dict)
    for row in PriceOverride.objects.filter(Q(project_id__in=project_ids) | Q(project=None)):
        price = Price(row.input_picos, row.output_picos, provider=row.provider, source="override")
        found[row.project_id][row.model] = price
    return found


def prices_of(
    models: Iterable[tuple[str, str]], project_id: str | None, *, now_ms: int
) -> dict[tuple[str, str], Price | None]:
    """What these (model, provider) pairs cost now; None for what nobody knows. One query.

    project_id: whose overrides count; None: only those for all projects.
    """
    found = overrides_of({project_id} if project_id else set())
    own = found[project_id] if project_id else {}
    return {pair: price_of(*pair, at_ms=now_ms, own=own, general=found[None]) for pair in models}


def unpriced(window: Window) -> list[Unpriced]:
    """The models of the window with spans that have no price, most first. One query over rollups."""
    rows = window.of_model(UsageHour.objects.exclude(unpriced_count=0)).values("model", "provider")
    counted = rows.annotate(spans=Sum("unpriced_count")).filter(spans__gt=0).order_by("-spans", "model", "provider")
    return [Unpriced(row["model"], row["provider"], row["spans"]) for row in counted]


def overrides_within(reach: Reach) -> list[PriceOverride]:
    """Overrides of the projects within reach and those for all, by model; a project's own before the global one."""
    rows = PriceOverride.objects.select_related("project")
    if reach.project_ids is not None:
        rows = rows.filter(Q(project_id__in=reach.project_ids) | Q(project=None))
    return sorted(rows, key=lambda row: (row.model, row.project_id is None, row.project_id or ""))
