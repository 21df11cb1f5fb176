"""How far the pricing of a project's traces anew is."""

from llmtraces.models import Recalculation


def latest_recalculation(project_id: str) -> Recalculation | None:
    """The project's last one, running or finished. One query."""
    return Recalculation.objects.filter(project_id=project_id).order_by("-pk").first()
