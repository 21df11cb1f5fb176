"""What the demo's team has done besides setting a status: notes, a merge, mutes that end, a fix in the next release."""

from dataclasses import dataclass

from accounts.models import User
from bloop_site.demo.model import API, APP, WEB
from bloop_site.lib.clock import DAY_MS, HOUR_MS
from errors.queries.issues import find_issue
from errors.services.merge import merge_issues
from errors.services.notes import add_note
from errors.services.status import Actor, change_status
from errors.statuses import Change
from projects.models import Project


@dataclass(frozen=True)
class DemoNote:
    """Words on the issue whose message begins so, `hours` before now. by: who of the team, 0 the first."""

    project: str
    begins: str
    hours: float
    by: int
    text: str


NOTES = (
    DemoNote(
        WEB,
        "Loading chunk",
        60,
        0,
        "Happens right after a deploy: the old page asks for chunks that are gone, and the CDN answers with index.html."
        " Same cause as the SyntaxError about <!DOCTYPE, so I merge the two.",
    ),
    DemoNote(WEB, "Cannot read properties of undefined (reading 'price')", 5, 1, "Only carts with a removed product."),
    DemoNote(
        API,
        "Payment provider did not answer",
        20,
        1,
        "Asked the provider; they saw timeouts on their side too.\nTheir status page: https://status.example.com",
    ),
    DemoNote(API, "deadlock detected", 10, 0, "Lock the rows in the order of their ids. Patch is in review."),
)
CHANGES = (
    (WEB, "The user aborted a request.", 40, Change("muted", muted_until_count=5_000)),
    (API, "deadlock detected", 9, Change("resolved", in_next_release=True)),
)
MERGED = (WEB, "Loading chunk", "Unexpected token '<'")


def do_work(
    projects: dict[str, Project], fingerprints: dict[tuple[str, str], str], users: list[User], now_ms: int
) -> None:
    """Write all of it. fingerprints: by project slug and message as the catalogue has it."""

    def issue_of(slug: str, begins: str) -> int:
        found = next(each for (of, message), each in fingerprints.items() if of == slug and message.startswith(begins))
        issue = find_issue(project_id=projects[slug].pk, fingerprint=found)
        assert issue is not None, f"{begins} did not happen"  # noqa: S101  the catalogue and this must agree
        return issue.pk

    for note in NOTES:
        author = users[note.by % len(users)]
        at_ms = int(now_ms - note.hours * HOUR_MS)
        add_note(issue_id=issue_of(note.project, note.begins), text=note.text, author=author, now_ms=at_ms)
    for slug, begins, hours, change in CHANGES:
        actor = Actor(users[0].pk)
        change_status(issue_id=issue_of(slug, begins), change=change, actor=actor, now_ms=now_ms - hours * HOUR_MS)
    slug, into, other = MERGED
    merge_issues(
        into_id=issue_of(slug, into),
        issue_ids=[issue_of(slug, other)],
        actor=Actor(users[0].pk),
        now_ms=now_ms - 59 * HOUR_MS,
    )
    mute_for_a_week(issue_of(APP, "Input dispatching timed out"), users[-1], now_ms)


def mute_for_a_week(issue_id: int, user: User, now_ms: int) -> None:
    """Two days ago, so that it still holds for five."""
    change = Change("muted", muted_until_ms=now_ms + 5 * DAY_MS)
    change_status(issue_id=issue_id, change=change, actor=Actor(user.pk), now_ms=now_ms - 2 * DAY_MS)
