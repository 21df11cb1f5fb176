"""What was refused lately, by reason, as its people read it."""

from django.db.models import F, Q, Sum, Window
from django.db.models.functions import RowNumber

from bloop_site.lib.clock import DAY_MS, HOUR_MS, hour_of
from ingest.models import RefusedCount
from ingest.reasons import words_of
from projects.access import Reach
from projects.refused import Refusal, Refusals

NOBODYS = Q(project_id="")


def refused_within(reach: Reach, *, now_ms: int, nobodys: Q | None = None) -> Refusals:
    """What was refused of the reachable projects in the last 24 hours, to the hour; one query.

    nobodys: which of the refusals that belong to no project count too (`nobodys_lately`); by default none.
    """
    theirs = ~NOBODYS if reach.project_ids is None else Q(project_id__in=reach.project_ids)
    wanted = theirs | nobodys if nobodys is not None else theirs
    rows = RefusedCount.objects.filter(wanted, hour_ms__gte=hour_of(now_ms - DAY_MS) + HOUR_MS)
    newest = rows.annotate(
        total=Window(Sum("count"), partition_by=[F("reason")]),
        number=Window(RowNumber(), partition_by=[F("reason")], order_by=[F("last_ms").desc(), F("pk").desc()]),
    ).filter(number=1)
    return Refusals([refusal(row, total=row.total) for row in newest.order_by("-last_ms", "-pk")])


def nobodys_lately(*, since_ms: int = 0, address: str | None = None) -> Q:
    """The refusals of no project: their key was unknown, or there was none. Only admins may see all of them.

    since_ms: of which the last was not before. address: or the last of which came from here: one's own are no secret.
    """
    found = NOBODYS & Q(last_ms__gte=since_ms)
    return found if address is None else found & Q(last_address=address)


def refusal(row: RefusedCount, *, total: int) -> Refusal:
    """The newest row of a reason as people read it."""
    words = words_of(row.reason)
    return Refusal(row.reason, words.label, words.help, total, row.last_ms, row.last_text, row.last_address)


def refused_of_project(project_id: str, now_ms: int) -> Refusals:
    """What was refused of one project's in the last 24 hours (`projects.refused.Reader`)."""
    return refused_within(Reach((project_id,)), now_ms=now_ms)
