"""A request of a signed-in person, as page views see it. For type checkers; nothing is of this class at run time."""

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from accounts.models import User


class PageRequest(HttpRequest):
    """What the sign-in and htmx middleware leave behind."""

    user: User
    htmx: HtmxDetails
