"""`createinvite [--admin]`: an invite for one new account, valid for 7 days."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from accounts.models import Role
from accounts.services.invites import issue_invite
from bloop_site.lib.output import print_json


class Command(BaseCommand):
    help = "Print an invite link as one JSON object."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--admin", action="store_true", help="the new account is an admin")

    def handle(self, *args: Any, **options: Any) -> None:
        role = Role.ADMIN if options["admin"] else Role.MEMBER
        invite = issue_invite(role=role, created_by=None, now=timezone.now())
        print_json(self.stdout, url=invite.url, token=invite.token, expires_at=int(invite.expires_at.timestamp()))
