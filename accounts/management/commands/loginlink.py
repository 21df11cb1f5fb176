"""`loginlink USERNAME`: a sign-in link, one use, 5 minutes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.models import User
from accounts.services.links import issue_login_link
from bloop_site.lib.output import print_json


class Command(BaseCommand):
    help = "Print a one-time sign-in link for a user as one JSON object."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            link = issue_login_link(username=options["username"], now=timezone.now())
        except User.DoesNotExist:
            msg = f"no active user named {options['username']!r}"
            raise CommandError(msg) from None
        print_json(self.stdout, url=link.url, expires_at=int(link.expires_at.timestamp()))
