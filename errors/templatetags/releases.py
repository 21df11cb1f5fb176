"""Links to releases."""

from django import template

from errors import links

register = template.Library()


@register.simple_tag
def release_url(project_slug: str, name: str) -> str:
    """The address of a release's page, whatever its name: `{% release_url project.slug release %}`."""
    return links.release_url(project_slug, name)
