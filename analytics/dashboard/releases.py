"""The page Releases of Insights: what each release did to the number of errors."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.http import HttpResponseBase

from accounts.http import PageRequest
from analytics import cached
from analytics.answers import ReleaseImpact
from analytics.dashboard.shell import Shell, answer, csv_answer, insights_page, shell_of
from bloop_site.lib.csv_files import iso
from bloop_site.lib.pages import wants_csv
from errors.links import release_url
from errors.statuses import NO_RELEASE

HEADER = (
    *("project", "release", "first_seen", "errors", "issues", "new_issues", "errors_more_than_before", "impact_score"),
)
BAD, GOOD = 50, 0  # an impact over, and under (contract 7.4)


@dataclass(frozen=True)
class ReleaseCard:
    """A release as its card shows it. tone: "bad", "good" or "plain"; word: the same for the ear."""

    of: ReleaseImpact
    url: str
    project_name: str
    tone: str
    word: str

    @property
    def name(self) -> str:
        """The release, or that the events named none."""
        return "No release" if self.of.release == NO_RELEASE else self.of.release

    @property
    def delta_words(self) -> str:
        """Events against the release before it, if there is one."""
        delta = self.of.error_delta
        if self.of.is_first:
            return "The first release"
        if not delta:
            return "As many as the release before"
        return f"{abs(delta):,} {'more' if delta > 0 else 'fewer'} than the release before"


@insights_page
def releases(request: PageRequest) -> HttpResponseBase:
    """The Releases page, or its table as CSV."""
    shell = shell_of(request)
    found = cached.releases(shell.ask)
    if wants_csv(request):
        return releases_csv(shell, found.answer)
    context = {"cards": [card_of(shell, release) for release in found.answer], "bad": BAD, "good": GOOD}
    return answer(request, shell, "analytics/releases.html", context, at_ms=found.now_ms, shown=len(found.answer))


def card_of(shell: Shell, release: ReleaseImpact) -> ReleaseCard:
    """The release as its card shows it."""
    slug, score = release.project_slug, release.impact_score
    tone, word = ("bad", "Bad") if score > BAD else ("good", "Good") if score < GOOD else ("plain", "No great change")
    url = release_url(slug, release.release)
    return ReleaseCard(release, url, shell.project_names.get(slug, slug), tone, word)


def releases_csv(shell: Shell, found: Sequence[ReleaseImpact]) -> HttpResponseBase:
    """The cards shown, the newest release first."""
    rows = (
        (
            *(release.project_slug, release.release, iso(release.first_seen_ms), release.error_count),
            *(release.unique_fingerprints, release.new_fingerprints, release.error_delta, release.impact_score),
        )
        for release in found
    )
    return csv_answer(shell, "releases", HEADER, rows)
