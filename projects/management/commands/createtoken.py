"""`createtoken PROJECT_SLUG --name N --scopes a,b [--expires-in-days D]`: an API token."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from bloop_site.lib.output import print_json
from projects.models import Project
from projects.services.tokens import TokenInvalid, issue_token


class Command(BaseCommand):
    help = "Make an API token of a project; print it as one JSON object."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project_slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--scopes", required=True, help="comma-separated, e.g. errors:read,errors:write")
        parser.add_argument("--expires-in-days", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["project_slug"], removing_at=None).first()
        if project is None:
            msg = "project not found"
            raise CommandError(msg)
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            new = issue_token(
                project=project,
                name=options["name"],
                scopes=scopes,
                created_by=None,
                now=timezone.now(),
                expires_in_days=options["expires_in_days"],
            )
        except TokenInvalid as error:
            raise CommandError(str(error)) from None
        print_json(
            self.stdout, id=new.token.pk, token=new.secret, scopes=new.token.scopes, project_id=new.token.project_id
        )
