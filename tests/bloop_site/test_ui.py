import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.template import Context, Engine

from bloop_site.lib.clock import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from bloop_site.templatetags import ui

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
STYLES = sorted((ROOT / "static" / "css").glob("*.css"))
NOW_MS = 1_795_330_517_250  # 22 Nov 2026, 06:55:17.250 UTC
HOSTILE = "\"><script>alert('x')</script>&"
NBSP = "\N{NO-BREAK SPACE}"
DASH = "\N{EN DASH}"


def render(source: str, **values: object) -> str:
    engine = Engine(libraries={"ui": "bloop_site.templatetags.ui"}, builtins=["bloop_site.templatetags.ui"])
    return engine.from_string(source).render(Context(values))


# --- Icons and status ---


@pytest.mark.parametrize("name", sorted(ui.ICONS))
def test_every_icon_is_silent_and_has_neither_style_nor_script(name):
    drawn = render("{% icon name %}", name=name)

    assert drawn.startswith('<svg class="icon"')
    assert 'aria-hidden="true"' in drawn
    assert "style" not in drawn
    assert "script" not in drawn


@pytest.mark.parametrize("name", ["", "no-such-icon", HOSTILE])
def test_an_unknown_icon_is_a_dot(name):
    assert render("{% icon name %}", name=name) == ui.icon("dot")


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_templates_name_only_icons_that_exist(path):
    named = re.findall(r'\{% icon "([^"]+)" %\}', path.read_text())

    assert set(named) <= set(ui.ICONS)


@pytest.mark.parametrize(
    ("status", "regressed", "tone", "word"),
    [
        ("unresolved", False, "unresolved", "Unresolved"),
        ("unresolved", True, "regressed", "Regressed"),
        ("resolved", False, "resolved", "Resolved"),
        ("resolved", True, "resolved", "Resolved"),
        ("ignored", False, "ignored", "Ignored"),
        ("muted", False, "muted", "Muted"),
        ("odd", False, "ignored", "odd"),
    ],
)
def test_a_status_is_an_icon_and_a_word_beside_its_colour(status, regressed, tone, word):
    badge = render("{% status_badge status regressed=regressed %}", status=status, regressed=regressed)

    assert f"status--{tone}" in badge
    assert f"<span>{word}</span>" in badge
    assert "<svg" in badge


def test_a_compact_status_keeps_its_word_for_the_ear_and_on_hover():
    badge = render("{% status_badge 'muted' compact=True %}")

    assert 'title="Muted"' in badge
    assert '<span class="sr-only">Muted</span>' in badge


@pytest.mark.parametrize("compact", [True, False])
def test_a_hostile_status_is_escaped(compact):
    badge = render("{% status_badge status compact=compact %}", status=HOSTILE, compact=compact)

    assert "<script" not in badge
    assert "&lt;script&gt;" in badge


# --- Numbers ---


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, DASH),
        (0, "0"),
        (999, "999"),
        (1_000, "1,000"),
        (1_234_567, "1,234,567"),
        (-1_234, "-1,234"),
        (12.9, "12"),
    ],
)
def test_thousands_are_separated(number, shown):
    assert render("{{ n|thousands }}", n=number) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (None, DASH),
        (0, "0"),
        (9_999, "9,999"),
        (10_000, f"10{NBSP}K"),
        (12_431, f"12.4{NBSP}K"),
        (99_949, f"99.9{NBSP}K"),
        (123_456, f"123{NBSP}K"),
        (999_499, f"999{NBSP}K"),
        (999_500, f"1{NBSP}M"),
        (3_100_000, f"3.1{NBSP}M"),
        (10**9, f"1{NBSP}B"),
        (7 * 10**12, f"7{NBSP}T"),
        (10**16, f"10,000{NBSP}T"),
        (-12_431, f"-12.4{NBSP}K"),
    ],
)
def test_large_numbers_are_shortened(number, shown):
    assert render("{{ n|short_number }}", n=number) == shown


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, DASH),
        (0.0, f"0{NBSP}%"),
        (0.0025, f"<{NBSP}1{NBSP}%"),
        (0.724, f"72{NBSP}%"),
        (0.999, f">{NBSP}99{NBSP}%"),
        (1.0, f"100{NBSP}%"),
    ],
)
def test_shares_are_percentages_that_do_not_round_to_a_lie(share, shown):
    assert ui.percent(share) == shown


def test_a_percentage_is_escaped_like_any_text():
    assert render("{{ share|percent }}", share=0.001) == f"&lt;{NBSP}1{NBSP}%"


def test_a_short_count_carries_the_exact_one_on_hover_and_for_the_ear():
    drawn = render("{% count n %}", n=12_431)

    assert 'title="12,431"' in drawn
    assert f'<span aria-hidden="true">12.4{NBSP}K</span>' in drawn
    assert '<span class="sr-only">12,431</span>' in drawn


def test_a_count_that_is_exact_already_is_said_once():
    assert render("{% count 842 %}") == '<data class="number" value="842">842</data>'


@pytest.mark.parametrize(("share", "width"), [(0.5, "50.00"), (0, "0.00"), (7, "100.00"), (-1, "0.00")])
def test_a_share_bar_stays_inside_its_track(share, width):
    assert f'<rect class="share-bar__part" width="{width}"' in render("{% share_bar share %}", share=share)


# --- Times ---


@pytest.mark.parametrize(
    ("age_ms", "shown"),
    [
        (-5 * MINUTE_MS, "just now"),
        (0, "just now"),
        (59 * SECOND_MS, "just now"),
        (4 * MINUTE_MS, f"4{NBSP}min ago"),
        (HOUR_MS - 1, f"59{NBSP}min ago"),
        (HOUR_MS, f"1{NBSP}h ago"),
        (DAY_MS, f"1{NBSP}d ago"),
        (59 * DAY_MS, f"59{NBSP}d ago"),
        (60 * DAY_MS, f"2{NBSP}mo ago"),
        (730 * DAY_MS, f"2{NBSP}y ago"),
        (NOW_MS + 10**15, f"31766{NBSP}y ago"),
    ],
)
def test_a_relative_time_says_how_long_ago(age_ms, shown):
    assert f">{shown}</time>" in render("{% time_ago at now %}", at=NOW_MS - age_ms, now=NOW_MS)


def test_a_relative_time_carries_the_instant_for_machines_and_on_hover():
    assert render("{% time_ago at at %}", at=NOW_MS) == (
        '<time datetime="2026-11-22T06:55:17.250Z" title="22 Nov 2026, 06:55:17 UTC" data-time="ago">just now</time>'
    )


def test_a_relative_time_reads_the_clock_when_it_is_not_told(monkeypatch):
    monkeypatch.setattr("bloop_site.lib.clock.now_ms", lambda: NOW_MS)

    assert f">3{NBSP}h ago</time>" in render("{% time_ago at %}", at=NOW_MS - 3 * HOUR_MS)


@pytest.mark.parametrize(("age_ms", "shown"), [(0, "new"), (12 * DAY_MS, f"12{NBSP}d old")])
def test_an_age_says_how_old_something_is(age_ms, shown):
    assert f">{shown}</time>" in render("{% time_old at now %}", at=NOW_MS - age_ms, now=NOW_MS)


@pytest.mark.parametrize(
    ("left_ms", "shown"),
    [
        (-1, "ended"),
        (0, "ended"),
        (1, f"1{NBSP}min left"),
        (MINUTE_MS + 1, f"2{NBSP}min left"),
        (23 * HOUR_MS, f"23{NBSP}h left"),
        (7 * DAY_MS - 1, f"7{NBSP}d left"),
        (90 * DAY_MS - 1, f"3{NBSP}mo left"),
        (800 * DAY_MS, f"3{NBSP}y left"),
    ],
)
def test_what_is_to_come_is_counted_down_in_begun_units(left_ms, shown):
    assert f'data-time="left">{shown}</time>' in render("{% time_left at now %}", at=NOW_MS + left_ms, now=NOW_MS)


def test_what_has_no_end_never_ends():
    assert render("{% time_left nothing %}", nothing=None) == "never"


def test_an_absolute_time_is_in_utc_until_the_browser_knows_better():
    assert 'data-time="at">22 Nov 2026, 06:55:17 UTC</time>' in render("{% absolute_time at %}", at=NOW_MS)


@pytest.mark.parametrize("tag", ["time_ago", "time_old", "absolute_time"])
def test_no_instant_is_a_dash(tag):
    assert render(f"{{% {tag} nothing %}}", nothing=None) == DASH


# --- Small charts ---


def test_a_sparkline_is_one_column_an_hour_described_in_words():
    drawn = render("{% sparkline hourly %}", hourly=[0] * 22 + [5, 1_000])

    assert 'width="96" height="24"' in drawn
    assert 'aria-label="1,005 events in 24 hours, at most 1,000 in one hour"' in drawn
    assert drawn.count('class="spark__none"') == 22
    assert '<rect class="spark__some" x="92" y="0.00" width="3" height="24.00"/>' in drawn
    assert "style" not in drawn


def test_one_event_beside_a_thousand_is_still_seen():
    assert 'class="spark__some" x="0" y="22.00"' in render("{% sparkline hourly %}", hourly=[1, 1_000])


@pytest.mark.parametrize(
    ("hourly", "words"),
    [
        ([], "No events in 0 hours"),
        ([0] * 24, "No events in 24 hours"),
        ([1], "1 event in 1 hour, at most 1 in one hour"),
        ([-3, 2], "2 events in 2 hours, at most 2 in one hour"),
    ],
)
def test_odd_sparklines_are_described_too(hourly, words):
    assert f'aria-label="{words}"' in render("{% sparkline hourly %}", hourly=hourly)


def hours_of(*counts):
    return [SimpleNamespace(hour_ms=index * HOUR_MS, count=number) for index, number in enumerate(counts)]


def test_an_hour_chart_tells_its_total_and_its_peak():
    drawn = render("{% hour_chart hours %}", hours=hours_of(1, 7, 0))

    assert 'aria-label="8 events in 3 hours; most, 7, in the hour from 1 Jan 1970, 01:00:00 UTC"' in drawn
    assert drawn.count("hour-chart__some") == 2
    assert "style" not in drawn


@pytest.mark.parametrize("counts", [(), (0, 0)])
def test_an_empty_hour_chart_says_so(counts):
    assert 'aria-label="No events in ' in render("{% hour_chart hours %}", hours=hours_of(*counts))


def test_releases_are_marked_where_they_fall_into_the_hours_and_escaped():
    releases = [
        SimpleNamespace(release=HOSTILE, first_seen_ms=HOUR_MS),
        SimpleNamespace(release="before", first_seen_ms=-1),
        SimpleNamespace(release="after", first_seen_ms=2 * HOUR_MS),
    ]

    drawn = render("{% hour_chart hours releases %}", hours=hours_of(1, 1), releases=releases)

    assert drawn.count("hour-chart__release") == 1
    assert 'x1="360.00"' in drawn
    assert "<script" not in drawn


# --- Text from clients ---


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("two\nlines\tand a tab\r\n", "two\nlines\tand a tab\r\n"),
        ("\x00\x1b[31m\x7f", "\u2400\u241b[31m\u2421"),
        ("\x85", "\\x85"),
        ("abc\u202egnp.exe", "abc\\u202egnp.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("فشل الاتصال 🔥 👩\u200d👧", "فشل الاتصال 🔥 👩\u200d👧"),
        (404, "404"),
    ],
)
def test_control_and_direction_characters_become_visible(text, shown):
    assert ui.visible(text) == shown


@pytest.mark.parametrize(
    "expression",
    [
        "text|visible",
        "texts|release_span|visible",
        "texts|first_and_more|visible",
        "texts|comma_list|visible",
        "text|visible|truncatechars:20",
    ],
)
def test_text_from_clients_is_escaped_exactly_once(expression):
    drawn = render(f"{{{{ {expression} }}}}", text=HOSTILE, texts=[HOSTILE])

    assert drawn.startswith("&quot;&gt;&lt;script&gt;")
    assert "&amp;lt;" not in drawn


@pytest.mark.parametrize(
    ("releases", "shown"),
    [
        ([], "no release"),
        (["unknown"], "no release"),
        ([""], "no release"),
        (["1.4"], "1.4"),
        (["1.4", "1.3", "1.2"], f"1.2 {DASH} 1.4"),
        (["unknown", "1.4"], "1.4"),
    ],
)
def test_releases_are_told_as_a_span(releases, shown):
    assert ui.release_span(releases) == shown


@pytest.mark.parametrize(
    ("values", "shown"), [([], ""), (["production"], "production"), (["production", "qa", "dev"], "production +2")]
)
def test_of_many_values_the_first_is_named_and_the_others_counted(values, shown):
    assert ui.first_and_more(values) == shown


# --- House rules of templates and styles ---


@pytest.mark.parametrize(
    "path", [path for path in TEMPLATES if path.parent.name != "emails"], ids=lambda path: path.name
)
def test_templates_have_no_inline_style_script_or_handler(path):
    text = path.read_text()

    assert not re.search(r"\sstyle=|<style|\son\w+=|\shx-on|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script\b[^>]*>", text))


@pytest.mark.parametrize("path", [path for path in STYLES if path.name != "tokens.css"], ids=lambda path: path.name)
def test_only_the_tokens_hold_raw_colours(path):
    text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)

    assert not re.search(r"oklch\(|rgba?\(|hsl|#[0-9a-f]{3,8}\b", text)
    assert "!important" not in text


def test_styles_use_only_tokens_that_exist():
    text = "".join(path.read_text() for path in STYLES)
    used = set(re.findall(r"var\((--[\w-]+)", text))
    defined = set(re.findall(r"^\s*(--[\w-]+):", text, flags=re.MULTILINE))

    assert used <= defined
