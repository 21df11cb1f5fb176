"""Indexes for the orders and filters of the list of traces. Each is written once a trace, when that is known."""

from django.db import migrations, models
from django.db.models import F, Q

KNOWN = Q(is_known=True)


def by_value(column: str, name: str) -> migrations.AddIndex:
    columns = (F(column).desc(), F("id").desc(), F("project"), F("started_ms"), F("is_known"))
    return migrations.AddIndex(model_name="trace", index=models.Index(*columns, condition=KNOWN, name=name))


class Migration(migrations.Migration):
    dependencies = [("llmtraces", "0005_sums_of_judgements")]

    operations = [
        migrations.RemoveIndex(model_name="trace", name="trace_by_cost"),
        by_value("cost_micros", "trace_by_cost"),
        by_value("latency_ms", "trace_by_latency"),
        by_value("total_tokens", "trace_by_tokens"),
        migrations.AddIndex(
            model_name="trace",
            index=models.Index(
                *(F("user_id"), F("started_ms").desc(), F("id").desc(), F("project")),
                condition=Q(user_id__isnull=False),
                name="trace_by_user",
            ),
        ),
        migrations.AddIndex(
            model_name="trace",
            index=models.Index(
                *(F("started_ms").desc(), F("id").desc(), F("project")),
                condition=KNOWN & (Q(status="error") | Q(error_count__gt=0)),
                name="trace_by_error",
            ),
        ),
    ]
