"""Finds the regressions of a release without reading every status change since it appeared."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("errors", "0005_list_indexes")]

    operations = [
        migrations.AddIndex(
            model_name="transition",
            index=models.Index(
                condition=models.Q(("cause", "regression")),
                fields=["project", "release", "issue"],
                name="transition_regressed_in",
            ),
        ),
    ]
