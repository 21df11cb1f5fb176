import pytest
from hypothesis import given
from hypothesis import strategies as st

from errors.search_words import MAX_CHARACTERS, MAX_QUERY_WORDS, MAX_WORDS, query_words, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("TypeError", "typeerror type error"),
        ("Cannot read property 'id' of undefined", "cannot read property id of undefined"),
        ("at loadUserById (app.js:10:4)", "at loaduserbyid load user by id app js 10 4"),
        ("HTTPServer v2beta", "httpserver http server v2beta v 2 beta"),
        ("snake_case.path/users", "snake case path users"),
        ("Größe überschritten", "größe überschritten"),
        ("数据库错误", "数 据 库 错 误"),
        ("ключ не найден", "ключ не найден"),
        ("", ""),
        ("… —", ""),
        ("x" * 41 + " y", "y"),
    ],
)
def test_a_text_is_found_by_its_identifiers_and_their_parts(text: str, words: str):
    assert words_of([text]) == words


def test_there_is_an_end_to_the_words_of_an_issue():
    found = words_of([" ".join(f"w{number}" for number in range(3 * MAX_WORDS))]).split()

    assert len(found) == MAX_WORDS
    assert len(set(found)) == MAX_WORDS


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("TypeError", ["typeerror"]),
        ("  read  prop ", ["read", "prop"]),
        ("app.js:10", ["app", "js", "10"]),
        ("数据", ["数", "据"]),
        ("' OR 1=1 --", ["or", "1"]),
        ('"*', []),
    ],
)
def test_a_query_asks_for_the_beginnings_of_words(query: str, words: list[str]):
    assert query_words(query) == words


@given(st.text(), st.text(max_size=300))
def test_any_text_gives_words_without_spaces_within_bounds(text: str, query: str):
    found = words_of([text, None]).split(" ")

    assert all(len(word) <= MAX_CHARACTERS for word in found)
    assert len(query_words(query)) <= MAX_QUERY_WORDS
    assert "" not in query_words(query)


@given(st.text(alphabet=st.characters(categories=("Lu", "Ll", "Nd", "Lo")), min_size=1, max_size=20))
def test_an_identifier_is_found_by_itself(name: str):
    found = words_of([f"cannot find {name} here"]).split()

    assert all(any(word.startswith(wanted) for word in found) for wanted in query_words(name))
