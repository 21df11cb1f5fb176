"""Gives every six hours with counts a row of PackedHours; flushes make those that come from now on."""

from typing import Any

from django.db import migrations

HOUR_MS = 3_600_000
SPAN_MS = 6 * HOUR_MS
STEP = 500


def add_rows(apps: Any, schema_editor: Any) -> None:
    counts = apps.get_model("errors", "ProjectHourlyCount").objects.order_by()
    packs = apps.get_model("errors", "PackedHours").objects
    hours = counts.values_list("project_id", "hour_ms").distinct()
    spans = sorted({(project_id, hour_ms - hour_ms % SPAN_MS) for project_id, hour_ms in hours.iterator()})
    rows = (packs.model(project_id=project_id, start_ms=start_ms) for project_id, start_ms in spans)
    packs.bulk_create(rows, batch_size=STEP)


class Migration(migrations.Migration):
    dependencies = [
        ("errors", "0008_alerting"),
    ]

    operations = [
        migrations.RunPython(add_rows, migrations.RunPython.noop, elidable=True),
    ]
