"""The Prompts page: each prompt with its versions (contract 8.5.8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponseBase
from django.urls import reverse

from accounts.http import PageRequest
from bloop_site.lib.csv_files import iso
from bloop_site.lib.pages import wants_csv
from llmtraces.dashboard.shell import Shell, answer, csv_answer, llm_page, shell_of
from llmtraces.queries.prompts import Version
from llmtraces.queries.prompts import prompts as prompts_of

LIMIT = 100
SHOWN = 5  # versions below a prompt; its page has all
CSV_HEADER = (
    "prompt",
    "version",
    "traces",
    "errors",
    "error_rate_pct",
    "avg_latency_ms",
    "avg_input_tokens",
    "avg_output_tokens",
    "cost_micros",
    "first_seen",
    "last_seen",
)


@dataclass(frozen=True)
class VersionRow:
    """A version and the address of its traces; "" for traces without a version, which no filter finds."""

    version: Version
    traces_url: str

    @property
    def avg_tokens(self) -> float | None:
        """Input and output together, of a trace; None without traces."""
        own = self.version
        return (own.input_tokens + own.output_tokens) / own.trace_count if own.trace_count else None

    @property
    def avg_latency_ms(self) -> float | None:
        """None while no trace has ended."""
        return self.version.avg_latency_ms if self.version.ended_count else None

    @property
    def error_pct(self) -> float:
        return self.version.error_rate * 100


@dataclass(frozen=True)
class PromptRow:
    """A prompt: all its versions together, the latest, and the latest few one by one."""

    name: str
    total: VersionRow
    latest: VersionRow
    versions: list[VersionRow]
    more: int  # versions that are not shown
    url: str


@llm_page
def prompts(request: PageRequest) -> HttpResponseBase:
    """The Prompts page; every version of the listed prompts as CSV."""
    shell = shell_of(request)
    found = prompts_of(shell.window, limit=LIMIT)
    if wants_csv(request):
        rows = ((prompt.name, version) for prompt in found for version in prompt.versions)
        return csv_answer(shell, "prompts", CSV_HEADER, (csv_row(name, version) for name, version in rows))
    listed = [
        PromptRow(
            name=prompt.name,
            total=VersionRow(prompt.total, traces_url(shell, prompt.name)),
            latest=version_row(shell, prompt.name, prompt.versions[0]),
            versions=version_rows(shell, prompt.name, prompt.versions[:SHOWN]) if len(prompt.versions) > 1 else [],
            more=max(0, len(prompt.versions) - SHOWN),
            url=prompt_url(shell, prompt.name),
        )
        for prompt in found
    ]
    return answer(
        request, shell, "llm/prompts.html", {"prompts": listed, "limit": LIMIT, "is_cut": len(found) == LIMIT}
    )


def version_rows(shell: Shell, name: str, versions: Sequence[Version]) -> list[VersionRow]:
    """The versions with the addresses of their traces."""
    return [version_row(shell, name, version) for version in versions]


def version_row(shell: Shell, name: str, version: Version) -> VersionRow:
    """One version with the address of its traces."""
    return VersionRow(version, traces_url(shell, name, version.version) if version.version else "")


def traces_url(shell: Shell, name: str, version: str = "") -> str:
    """The list of the traces of a prompt, or of one version, in the same window and project."""
    about = {"prompt_name": name} | ({"prompt_version": version} if version else {})
    return f"{reverse('llm:traces')}?{urlencode(about | kept(shell))}"


def prompt_url(shell: Shell, name: str, **versions: str) -> str:
    """The page of a prompt, in the same window and project."""
    return f"{reverse('llm:prompt')}?{urlencode({'name': name, **versions} | kept(shell))}"


def kept(shell: Shell) -> dict[str, str]:
    """What of the address stays from page to page."""
    return shell.window_query | ({"project": shell.project_slug} if shell.project_slug else {})


def csv_row(name: str, version: Version) -> tuple[object, ...]:
    """In the order of CSV_HEADER; times in UTC."""
    return (
        name,
        version.version,
        version.trace_count,
        version.error_count,
        round(version.error_rate * 100, 2),
        version.avg_latency_ms,
        version.avg_input_tokens,
        version.avg_output_tokens,
        version.cost_micros,
        iso(version.first_seen_ms),
        iso(version.last_seen_ms),
    )
