"""The Models page: what each model did and cost, what it is priced at, and which have no price."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase

from accounts.http import PageRequest
from bloop_site.lib.pages import wants_csv
from llmtraces.dashboard.shell import Shell, answer, csv_answer, dollars, llm_page, shell_of
from llmtraces.pricing import Price
from llmtraces.queries.prices import Unpriced, prices_of, unpriced
from llmtraces.queries.usage import ModelUsage, usage_by_model
from projects.access import may_manage, project_by_slug

MOST_ROWS = 200
MOST_IN_FILE = 10_000
HEADER = (
    *("model", "provider", "calls", "errors", "error_rate_percent", "input_tokens", "output_tokens", "total_tokens"),
    *("cost_micros", "cost_dollars", "average_latency_ms", "unpriced_calls"),
    *("input_dollars_per_million", "output_dollars_per_million", "price_source"),
)


@dataclass(frozen=True)
class UnpricedRow:
    """A model with spans without a price. is_priced: whether a price is known by now, so that they can be priced."""

    of: Unpriced
    is_priced: bool


@dataclass(frozen=True)
class ModelRow:
    """A row of the table. price: None when nobody knows it."""

    of: ModelUsage
    price: Price | None

    @property
    def is_own(self) -> bool:
        """Whether somebody set the price here."""
        return self.price is not None and self.price.source == "override"


@llm_page
def models(request: PageRequest) -> HttpResponseBase:
    """The Models page, the dearest model first, or its table as CSV."""
    shell = shell_of(request)
    limit = MOST_IN_FILE if wants_csv(request) else MOST_ROWS + 1
    found = usage_by_model(shell.window, limit=limit)
    lacking = [each for each in unpriced(shell.window) if each.model][:MOST_ROWS]
    prices = priced(shell, [*found, *lacking])
    rows = [ModelRow(each, prices.get((each.model, each.provider))) for each in found]
    if wants_csv(request):
        return models_csv(shell, rows)
    context = {
        "rows": rows[:MOST_ROWS],
        "has_more": len(rows) > MOST_ROWS,
        "unpriced": [UnpricedRow(each, prices[each.model, each.provider] is not None) for each in lacking],
        "may_price": may_price(request, shell),
        "here_url": request.get_full_path(),
    }
    return answer(request, shell, "llm/models.html", context)


def may_price(request: PageRequest, shell: Shell) -> bool:
    """Whether one project is chosen and the person may price models for it."""
    return bool(shell.project_slug) and may_manage(request.user, project_by_slug(request.user, shell.project_slug))


def priced(shell: Shell, rows: Sequence[ModelUsage | Unpriced]) -> Mapping[tuple[str, str], Price | None]:
    """The prices of today, those of the chosen project if there is one."""
    project_id = shell.reach.project_ids[0] if shell.project_slug and shell.reach.project_ids else None
    return prices_of([(row.model, row.provider) for row in rows], project_id, now_ms=shell.now_ms)


def models_csv(shell: Shell, rows: Sequence[ModelRow]) -> HttpResponseBase:
    """All models of the window, with the prices of today."""
    cells = (
        (
            *(row.of.model, row.of.provider, usage.span_count, usage.error_count, usage.error_rate),
            *(usage.input_tokens, usage.output_tokens, usage.total_tokens),
            *(usage.cost_micros, dollars(usage.cost_micros), usage.avg_latency_ms, usage.unpriced_count),
            *((dollars(price.input), dollars(price.output), price.source) if price else ("", "", "")),
        )
        for row in rows
        for usage, price in [(row.of.usage, row.price)]
    )
    return csv_answer(shell, "models", HEADER, cells)
