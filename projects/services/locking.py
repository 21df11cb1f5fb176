"""Holds a project still while something that hangs on it is made, so that nothing is made for one that goes."""

from projects.models import Project


class ProjectGone(Exception):
    """The project does not exist any more."""


def locked_project(project_id: str) -> Project:
    """The project, locked until the caller's transaction ends. Raises ProjectGone, also for one being removed.

    The lock lets events of the project be written: they only need it to stay (PostgreSQL's KEY SHARE).
    """
    project = Project.objects.select_for_update(no_key=True).filter(pk=project_id, removing_at=None).first()
    if project is None:
        raise ProjectGone
    return project
