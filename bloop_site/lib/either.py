"""A route that scripts and a form share."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_protect

View = Callable[..., HttpResponseBase]


def json_or_page(api_view: View, page: View) -> View:
    """One view of two: JSON goes to `api_view`, everything else to `page`.

    The page keeps its check of the form's token, which JSON needs not: no form of another site can send it.
    """
    protected = csrf_protect(page)

    @wraps(page)
    def either(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        chosen = api_view if request.content_type == "application/json" else protected
        return chosen(request, *args, **kwargs)

    vars(either).update(csrf_exempt=True, cls=vars(api_view)["cls"], initkwargs=vars(api_view)["initkwargs"])
    return either
