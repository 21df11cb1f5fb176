"""`createproject NAME`: a project and its API key."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.text import slugify

from bloop_site.lib.output import print_json
from projects.services.projects import ProjectInvalid, create_project


class Command(BaseCommand):
    help = "Make a project; print it with its API key as one JSON object."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--slug", help="default: made from the name")
        parser.add_argument("--api-key", help="default: a new random key")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"] if options["slug"] is not None else slugify(options["name"])
        try:
            new = create_project(
                name=options["name"], slug=slug, created_by=None, now=timezone.now(), api_key=options["api_key"]
            )
        except ProjectInvalid as error:
            raise CommandError(str(error)) from None
        print_json(self.stdout, id=new.project.pk, slug=slug, name=new.project.name, api_key=new.api_key)
