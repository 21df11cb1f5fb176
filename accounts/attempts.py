"""How often somebody may try to get in: from one address (contract 9.1), and into one account from anywhere."""

from django.conf import settings
from django.http import HttpRequest

from accounts.secret import hashed
from accounts.throttle import Limit, Throttle
from bloop_site.lib.network import client_address

by_address = Throttle(
    Limit("auth", settings.BLOOP.rate_limit.auth_per_second, settings.BLOOP.rate_limit.auth_burst_size)
)
by_account = Throttle(Limit("account", rate=1 / 6, burst=10))


class TooOften(Exception):
    """An account was tried too often. wait: seconds until the next attempt counts."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"wait {wait} s")
        self.wait = wait


def wait_for_address(request: HttpRequest) -> int:
    """Take one attempt of the request's address. Returns 0, or the seconds to wait."""
    return by_address.wait_seconds(client_address(request))


def take_for_account(kind: str, name: str) -> None:
    """Take one attempt at what `name` stands for, whether anybody is called so or not. Raises TooOften.

    kind: each way in has buckets of its own, so that guessing at one does not shut the others.
    """
    if wait := by_account.wait_seconds(f"{kind}:{hashed(name)}"):
        raise TooOften(wait)
