"""How often the rules of a project may be tested: a test is up to twenty messages, which somebody gets, and waits."""

from accounts.throttle import Limit, Throttle
from alerts.models import AlertRule

tests = Throttle(Limit("alert_test", rate=1 / 6, burst=10))
ALL_PROJECTS = "*"  # no project's id


class TooManyTests(Exception):
    """Tests came too fast. wait: seconds until the next may."""

    def __init__(self, wait: int) -> None:
        super().__init__(f"too many tests, wait for {wait}s")
        self.wait = wait


def take_test(rule: AlertRule) -> None:
    """Take one test of the rule's project; rules of all projects have a bucket of their own. Raises TooManyTests."""
    if wait := tests.wait_seconds(rule.project_id or ALL_PROJECTS):
        raise TooManyTests(wait)
