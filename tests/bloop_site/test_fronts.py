"""Addresses that people type: the front of a part of the site, with or without its slash."""

import pytest
from django.test import Client


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ("/settings", "/settings/projects"),
        ("/settings/", "/settings/projects"),
        ("/settings?a=1&b=%2F%2Fevil", "/settings/projects?a=1&b=%2F%2Fevil"),
        ("/settings?//evil.example", "/settings/projects?//evil.example"),
        ("/admin", "/admin/"),
        ("/admin?next=//evil.example", "/admin/?next=//evil.example"),
    ],
)
def test_an_address_without_its_slash_leads_on_with_its_query(asked: str, target: str, admin_client: Client):
    answer = admin_client.get(asked)

    assert (answer.status_code, answer.headers["Location"]) == (302, target)


@pytest.mark.parametrize("asked", ["/settings", "/admin"])
def test_nothing_is_posted_to_the_front_of_a_part(asked: str, admin_client: Client):
    assert admin_client.post(asked).status_code == 405
