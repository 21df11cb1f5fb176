"""Names of things as templates show them."""

import pytest

from bloop_site.lib.admin import cut_text
from bloop_site.templatetags.names import or_blank


@pytest.mark.parametrize(("text", "shown"), [(" a ", " a "), ("", "(blank)"), (" \t\u3000", "(blank)")])
def test_a_name_of_nothing_but_spaces_is_told_as_such(text: str, shown: str):
    assert or_blank(text) == shown
    assert (">(blank)<" in cut_text(text, limit=50)) is (shown == "(blank)"), "in the Django admin too"
