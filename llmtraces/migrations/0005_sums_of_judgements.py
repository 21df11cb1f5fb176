"""Sums of scores by hour and UTC day, and of feedback by hour; of those that are there too."""

from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import Any

import django.db.models.deletion
import msgspec
from django.db import migrations, models
from django.db.models import Count, F, Q

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NANOS = 1_000_000_000
CHUNK, BATCH = 2_000, 500


class Sums:
    """What the scores of one name in an hour or a day add up to."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.total_nanos, self.lowest, self.highest = 0, 1.0, 0.0

    def add(self, value: float) -> None:
        self.counts[place_of(value)] += 1
        self.total_nanos += round(value * NANOS)
        self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)

    def columns(self) -> dict[str, Any]:
        fifths = [0] * 5
        for place, count in self.counts.items():
            fifths[min(place // 40, 4)] += count
        return {
            **{f"fifth{at}": count for at, count in enumerate(fifths, 1)},
            "total_nanos": self.total_nanos,
            "lowest": self.lowest,
            "highest": self.highest,
            "counts": msgspec.msgpack.encode(dict(sorted(self.counts.items()))),
        }


def place_of(value: float) -> int:
    """Twice the hundredth it is, or one more than twice the one below it."""
    below = int(value * 100)
    while below / 100 > value:
        below -= 1
    while (below + 1) / 100 <= value:
        below += 1
    return 2 * below + (below / 100 != value)


def sum_scores(apps: Any, schema_editor: Any) -> None:
    """Day after day of each name, in the order of the index score_by_name."""
    table = apps.get_model("llmtraces", "ScoreSums")
    columns = ("project_id", "name", "created_ms")
    scores = apps.get_model("llmtraces", "Score").objects.order_by(*columns).values_list(*columns, "value")
    made: list[Any] = []
    for (project_id, name, day), rows in groupby(
        scores.iterator(chunk_size=CHUNK), key=lambda row: (row[0], row[1], row[2] // DAY_MS)
    ):
        of_day, of_hours = Sums(), dict[int, Sums]()
        for created_ms, value in map(itemgetter(2, 3), rows):
            of_day.add(value)
            of_hours.setdefault(created_ms - created_ms % HOUR_MS, Sums()).add(value)
        parts = [(True, day * DAY_MS, of_day), *((False, *each) for each in of_hours.items())]
        for is_day, start_ms, sums in parts:
            made.append(table(project_id=project_id, name=name, is_day=is_day, hour_ms=start_ms, **sums.columns()))
        if len(made) >= BATCH:
            table.objects.bulk_create(made)
            made.clear()
    table.objects.bulk_create(made)


def sum_feedback(apps: Any, schema_editor: Any) -> None:
    table = apps.get_model("llmtraces", "FeedbackHour")
    hours = (
        apps.get_model("llmtraces", "Feedback")
        .objects.values("project_id", hour_ms=F("created_ms") - F("created_ms") % HOUR_MS)
        .annotate(positive=Count("pk", filter=Q(value=1)), negative=Count("pk", filter=Q(value=-1)))
        .order_by()
    )
    table.objects.bulk_create([table(**row) for row in hours.iterator(chunk_size=CHUNK)], batch_size=BATCH)


def hourly(*fields: tuple[str, Any]) -> list[tuple[str, Any]]:
    """The columns of a rollup."""
    project = models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="projects.project"
    )
    key = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
    return [("id", key), ("hour_ms", models.BigIntegerField()), *fields, ("project", project)]


class Migration(migrations.Migration):
    dependencies = [("llmtraces", "0004_durations_in_one_row"), ("projects", "0003_retention")]

    operations = [
        migrations.CreateModel(
            name="FeedbackHour",
            fields=hourly(("positive", models.BigIntegerField()), ("negative", models.BigIntegerField())),
            options={"abstract": False},
        ),
        migrations.CreateModel(
            name="ScoreSums",
            fields=hourly(
                ("is_day", models.BooleanField()),
                ("name", models.TextField()),
                *((f"fifth{at}", models.BigIntegerField()) for at in range(1, 6)),
                ("total_nanos", models.BigIntegerField()),
                ("lowest", models.FloatField()),
                ("highest", models.FloatField()),
                ("counts", models.BinaryField()),
            ),
            options={"abstract": False},
        ),
        migrations.AddConstraint(
            model_name="feedbackhour",
            constraint=models.UniqueConstraint(fields=("hour_ms", "project"), name="feedback_hour_once"),
        ),
        migrations.AddConstraint(
            model_name="scoresums",
            constraint=models.UniqueConstraint(fields=("is_day", "hour_ms", "project", "name"), name="score_sums_once"),
        ),
        migrations.AddConstraint(
            model_name="scoresums",
            constraint=models.CheckConstraint(condition=Q(lowest__lte=F("highest")), name="score_sums_in_order"),
        ),
        # Before the sums are made: on PostgreSQL nobody writes to these tables then, until all is done.
        migrations.RemoveIndex(model_name="feedback", name="feedback_by_time"),
        migrations.AddIndex(
            model_name="feedback",
            index=models.Index(fields=["project", "value", "created_ms"], name="feedback_by_value"),
        ),
        migrations.AddIndex(
            model_name="score",
            index=models.Index(fields=["project", "name", "value", "created_ms"], name="score_by_value"),
        ),
        migrations.RemoveIndex(model_name="retrieval", name="retrieval_by_start"),
        migrations.AddIndex(
            model_name="retrieval",
            index=models.Index(
                fields=["project", "top_relevance_micros", "started_ms"],
                name="retrieval_by_relevance",
                condition=Q(top_relevance_micros__isnull=False),
            ),
        ),
        migrations.RunPython(sum_scores, migrations.RunPython.noop),
        migrations.RunPython(sum_feedback, migrations.RunPython.noop),
    ]
