"""What clients call things, for templates that link by it."""

from django import template

register = template.Library()


@register.filter
def or_blank(value: str) -> str:
    """A name, or the word for one that is nothing but spaces: a link must have something to see and to press."""
    return value if value.strip() else "(blank)"
