"""The pages Scores and Feedback, as people see them."""

import csv
import html
import json
import re
import shlex
from io import StringIO
from urllib.parse import quote

import pytest
from django.test import Client

from bloop_site.lib.clock import DAY_MS, now_ms
from llmtraces.dashboard.judging_view import fifth_bars, thumb_bars, tone_of
from llmtraces.models import Feedback, Score
from llmtraces.queries.judgements import Thumbs
from projects.services.projects import NewProject
from tests.factories import make_token
from tests.llmtraces.judging_of import make_trace, score, thumb

HOSTILE = '<script>alert(1)</script>\u202e"\x1b[31m'


def page(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def words(markup: str) -> str:
    """The text as it is read, tags and doubled spaces left out."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def rows_of(client: Client, path: str) -> list[list[str]]:
    answer = client.get(path)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.reader(StringIO(answer.content.decode())))


def judge(shop: NewProject, trace_id: str, value: float, *, name: str = "accuracy", comment: str = "") -> None:
    make_trace(shop.project, trace_id, name=f"name of {trace_id}")
    score(shop.project, trace_id, value, name=name, at=now_ms(), comment=comment)


# --- Scores -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "tone"), [(0.0, "low"), (0.29, "low"), (0.3, "middle"), (0.7, "middle"), (0.71, "high"), (1.0, "high")]
)
def test_an_average_is_red_below_03_amber_to_07_and_green_above(
    member_client: Client, shop: NewProject, value: float, tone: str
):
    """Seed, tab 8: "average value (with color-coded bar: red < 0.3, amber 0.3–0.7, green > 0.7)"."""
    judge(shop, "t1", value)

    seen = page(member_client, "/llm/scores")

    assert f"score-bar--{tone}" in seen
    assert tone_of(value)[1] in words(seen)


def test_each_card_shows_name_count_average_least_and_most(member_client: Client, shop: NewProject):
    """Seed, tab 8.

    "Score cards showing quality metrics attached to traces. Each card displays the score name, count, average value
    (with color-coded bar: red < 0.3, amber 0.3–0.7, green > 0.7), min, and max values."
    """
    for number, value in enumerate([0.1, 0.5, 0.9]):
        judge(shop, f"t{number}", value)
    judge(shop, "t0", 0.25, name="tone")

    accuracy, tone = re.findall(
        r'<article class="card score-card".*?</article>', page(member_client, "/llm/scores"), re.DOTALL
    )

    assert words(accuracy).startswith("accuracy 3 scores Average 0.50 Medium Lowest 0.10 Highest 0.90")
    assert "1 in 0.0-0.2, 0 in 0.2-0.4, 1 in 0.4-0.6, 0 in 0.6-0.8, 1 in 0.8-1.0" in words(accuracy)
    assert words(tone).startswith("tone 1 score Average 0.25 Low Lowest 0.25 Highest 0.25")
    assert 'href="?name=accuracy"' in accuracy


def test_a_card_leads_to_its_traces_the_worst_first_and_each_to_its_page(member_client: Client, shop: NewProject):
    for number, value in enumerate([0.9, 0.1, 0.5]):
        judge(shop, f"t/{number} x", value, comment=HOSTILE if number == 1 else "")

    worst = page(member_client, "/llm/scores?name=accuracy")
    newest = page(member_client, "/llm/scores?name=accuracy&sort=newest")

    assert re.findall(r'href="(/llm/trace/[^"]*)"', worst) == [f"/llm/trace/shop?id=t%2F{at}+x" for at in (1, 2, 0)]
    assert re.findall(r"name of t/\d", newest) == ["name of t/2", "name of t/1", "name of t/0"]
    assert "<script>alert" not in worst
    assert "<script>alert(1)</script>\\u202e" in html.unescape(worst)
    assert "\x1b" not in worst


def test_a_scores_traces_come_in_pages_and_htmx_gets_the_part_alone(member_client: Client, shop: NewProject):
    for number in range(26):
        judge(shop, f"t{number}", number / 26)

    second = page(member_client, "/llm/scores?name=accuracy&page=2", **{"HX-Request": "true"})

    assert "<html" not in second
    assert "26 to 26 of 26" in words(second)
    assert "name of t25" in second
    assert "Previous" in second


def test_scores_are_had_as_csv_all_or_one(member_client: Client, shop: NewProject):
    judge(shop, "t1", 0.25, comment="=1+1")

    cards = rows_of(member_client, "/llm/scores?format=csv")
    traces = rows_of(member_client, "/llm/scores?name=accuracy&format=csv&page=7")

    assert cards[1] == ["accuracy", "1", "0.25", "0.25", "0.25", "0", "1", "0", "0", "0"]
    assert traces[1][:7] == ["t1", "name of t1", "shop", "accuracy", "0.25", "api", "'=1+1"]


def test_a_score_that_nobody_gave_says_so_whatever_its_name(member_client: Client, shop: NewProject):
    seen = page(member_client, f"/llm/scores?name={quote(HOSTILE)}")

    assert "No such score in this window" in words(seen)
    assert "<script>alert" not in seen


def test_another_projects_scores_are_not_seen(member_client: Client, shop: NewProject, other: NewProject):
    judge(other, "t1", 0.5, name="secret")
    thumb(other.project, "t1", 1, at=now_ms(), comment="secret")

    for path in ("/llm/scores", "/llm/scores?name=secret", "/llm/feedback"):
        seen = page(member_client, path)
        assert " in this window" in words(seen), path
        assert "name of t1" not in seen, path
    assert "secret" not in page(member_client, "/llm/scores") + page(member_client, "/llm/feedback")


# --- Feedback ---------------------------------------------------------------------------------------------------------


def test_feedback_is_counted_drawn_and_listed_with_words(member_client: Client, shop: NewProject):
    make_trace(shop.project, "t/1", name="chat")
    for number, value in enumerate([1, 1, -1, 1]):
        thumb(shop.project, "t/1", value, user=f"user-{number}", at=now_ms() - number * DAY_MS, comment=HOSTILE)

    seen = page(member_client, "/llm/feedback?hours=168")

    read = words(seen)
    assert "Positive rate 75 % Total 4 Positive 3 Negative 1" in read
    assert "Feedback each day" in read
    assert 'aria-label="3 positive and 1 negative; at most 1 in one day"' in seen
    assert re.findall(r"user-\d(?=</bdi>)", seen) == ["user-0", "user-1", "user-2", "user-3"]
    assert 'href="/llm/trace/shop?id=t%2F1"' in seen
    assert "<script>alert" not in seen
    assert "\u202e" not in seen


@pytest.mark.parametrize(
    ("value", "users", "word"), [("1", ["a"], "Positive"), ("-1", ["b"], "Negative"), ("7", ["b", "a"], "")]
)
def test_feedback_is_narrowed_to_one_kind_and_the_totals_stay(
    member_client: Client, shop: NewProject, value: str, users: list[str], word: str
):
    make_trace(shop.project)
    thumb(shop.project, "t1", 1, user="a", at=now_ms() - 1)
    thumb(shop.project, "t1", -1, user="b", at=now_ms())

    seen = page(member_client, f"/llm/feedback?value={value}")

    assert re.findall(r"<bdi>([ab])</bdi>", seen) == users
    assert "Total 2" in words(seen)
    assert re.findall(r'aria-label="Remove filter Feedback: (\w+)"', seen) == ([word] if word else [])
    assert [row[3] for row in rows_of(member_client, f"/llm/feedback?value={value}&format=csv")[1:]] == users


def test_no_feedback_of_the_chosen_kind_says_so(member_client: Client, shop: NewProject):
    make_trace(shop.project)
    thumb(shop.project, "t1", 1, at=now_ms())

    assert "No negative feedback in this window" in words(page(member_client, "/llm/feedback?value=-1"))


# --- Empty, and the pictures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "model"), [("scores", Score), ("feedback", Feedback)])
def test_an_empty_page_shows_a_command_that_works(
    member_client: Client, shop: NewProject, path: str, model: type[Score | Feedback]
):
    make_trace(shop.project)
    token = make_token(shop.project, scopes=("llm:write",)).secret
    seen = page(member_client, f"/llm/{path}")
    command = html.unescape(re.search(r"<pre[^>]*>(curl.*?)</pre>", seen, re.DOTALL)[1])  # type: ignore[index]

    _, url, *options = shlex.split(command.replace("TRACE_ID", "t1").replace("TOKEN", token))
    headers = dict(options[at + 1].split(": ", 1) for at, option in enumerate(options) if option == "-H")
    body = options[options.index("-d") + 1]
    answer = Client(headers=headers).post("/" + url.split("/", 3)[3], body, content_type=headers["Content-Type"])

    assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "ok"})
    assert model.objects.filter(trace__trace_id="t1").exists()
    assert "<pre" not in page(member_client, f"/llm/{path}")


def test_a_bar_is_seen_where_something_is_and_negative_stands_on_positive():
    fifths = fifth_bars((1000, 0, 1, 0, 500))
    up_and_down, none = thumb_bars([Thumbs(3, 1, 5), Thumbs()])

    assert [bar.height for bar in fifths] == [40.0, 0.0, 2.0, 0.0, 20.0]
    assert (up_and_down.height, up_and_down.below_height, up_and_down.below_y, up_and_down.y) == (75.0, 25.0, 0.0, 25.0)
    assert (none.height, none.below_height) == (0.0, 0.0)
    assert thumb_bars([]) == []
