"""The durations of an hour in one row, and of each UTC day in another."""

from itertools import groupby
from operator import itemgetter
from typing import Any

import django.db.models.deletion
import msgspec
from django.db import migrations, models

DAY_MS = 86_400_000
CHUNK = 2_000


def pack(apps: Any, schema_editor: Any) -> None:
    """Put the buckets of each hour together, and then the hours of each day."""
    old, new = apps.get_model("llmtraces", "DurationHour"), apps.get_model("llmtraces", "Durations")
    columns = ("project_id", "kind", "of", "by", "hour_ms")
    rows = old.objects.order_by(*columns).values_list(*columns, "bucket", "count").iterator(chunk_size=CHUNK)
    for named, of_name in groupby(rows, key=itemgetter(0, 1, 2, 3)):
        days: dict[int, dict[int, int]] = {}
        made = []
        for hour_ms, of_hour in groupby(of_name, key=itemgetter(4)):
            counts = {bucket: count for *_, bucket, count in of_hour if count}
            made.append(row_of(new, named, hour_ms, counts, is_day=False))
            day = days.setdefault(hour_ms - hour_ms % DAY_MS, {})
            for bucket, count in counts.items():
                day[bucket] = day.get(bucket, 0) + count
        made += [row_of(new, named, day_ms, counts, is_day=True) for day_ms, counts in days.items()]
        new.objects.bulk_create(made, batch_size=500)


def row_of(new: Any, named: tuple[str, str, str, str], start_ms: int, counts: dict[int, int], *, is_day: bool) -> Any:
    project_id, kind, of, by = named
    packed = msgspec.msgpack.encode(dict(sorted(counts.items())))
    return new(project_id=project_id, kind=kind, of=of, by=by, hour_ms=start_ms, is_day=is_day, counts=packed)


class Migration(migrations.Migration):
    dependencies = [("llmtraces", "0003_trace_words"), ("projects", "0003_retention")]

    operations = [
        migrations.CreateModel(
            name="Durations",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour_ms", models.BigIntegerField()),
                ("is_day", models.BooleanField()),
                ("kind", models.CharField(max_length=8)),
                ("of", models.TextField()),
                ("by", models.TextField()),
                ("counts", models.BinaryField()),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="projects.project",
                    ),
                ),
            ],
            options={"abstract": False},
        ),
        migrations.AddIndex(
            model_name="durations",
            index=models.Index(fields=["hour_ms"], name="durations_by_age"),
        ),
        migrations.AddConstraint(
            model_name="durations",
            constraint=models.UniqueConstraint(
                fields=("kind", "is_day", "hour_ms", "project", "of", "by"), name="durations_once"
            ),
        ),
        migrations.RunPython(pack, migrations.RunPython.noop),
        migrations.DeleteModel(name="DurationHour"),
    ]
