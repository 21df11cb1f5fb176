"""The page of a project's source maps without its script, and the hint beside a stack."""

import gzip
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEntry, User
from bloop_site.lib.parsers import MAX_PAGE_UPLOAD
from errors.dashboard.sourcemaps import FILES_SHOWN, PAGE_SIZE, map_hint
from errors.models import SourceMap
from projects.services.projects import NewProject
from tests.errors.maps_of import put_map
from tests.factories import event_json, record
from tests.maps import CHECKOUT_MAP, CHECKOUT_STACK, encoded, source_map

URL = "/settings/projects/shop/sourcemaps"
MAP = encoded(source_map())
HOSTILE = "<script>alert(1)</script>\u202egnp.exe"


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def file(name: str = "app.js.map", content: bytes = MAP) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def upload(client: Client, *files: SimpleUploadedFile, release: str = "1.4.0", **more: Any) -> Any:
    return client.post(URL, {"release": release, "file": files}, **more)


# --- Upload -----------------------------------------------------------------------------------------------------------


def test_several_files_are_kept_at_once(admin_client: Client, admin: User, shop: NewProject):
    answer = upload(admin_client, file("a.js.map"), file("b.js.map"), file("c.js.map.gz", gzip.compress(MAP)))

    assert (answer.status_code, answer.headers["Location"]) == (302, URL)
    rows = SourceMap.objects.order_by("filename").values_list("filename", "release", "uploaded_by__username")
    assert list(rows) == [(f"{name}.js.map", "1.4.0", "ann") for name in "abc"]
    assert "3 source maps kept for 1.4.0." in text_of(admin_client.get(URL))
    assert AuditEntry.objects.filter(action="source_maps_uploaded").count() == 1


def test_each_file_is_told_about_by_itself_refused_ones_first_and_the_good_ones_are_kept(
    admin_client: Client, shop: NewProject
):
    answer = upload(admin_client, file("a.js.map"), file("b.js.map", b"nothing"), file("empty.js.map", b""))

    page = text_of(answer)
    assert answer.status_code == 422
    assert [(each.filename, bool(each.reason)) for each in answer.context["outcomes"]] == [
        ("b.js.map", True),
        ("empty.js.map", True),
        ("a.js.map", False),
    ]
    assert "JSON is malformed".lower() in page.lower()
    assert 'value="1.4.0"' in page, "the release need not be typed again"
    assert SourceMap.objects.get().filename == "a.js.map"


def test_a_script_that_sends_one_file_gets_a_line_about_it(admin_client: Client, shop: NewProject):
    good = upload(admin_client, file(), headers={"HX-Request": "true"})
    bad = upload(admin_client, file("b.js.map", b"no"), headers={"HX-Request": "true"})

    assert (good.status_code, bad.status_code) == (200, 200)
    assert text_of(good).startswith("<li")
    assert "outcome--bad" not in text_of(good)
    assert text_of(bad).count("<li") == text_of(bad).count("outcome--bad") == 1


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"file": file()}, "Say which release they are of."),
        ({"release": "  ", "file": file()}, "Say which release they are of."),
        ({"release": "1.0"}, "Choose at least one file."),
        ({"release": "x" * 257, "file": file()}, "at most 256 characters"),
    ],
)
def test_a_form_that_misses_something_says_what(
    form: dict[str, Any], reason: str, admin_client: Client, shop: NewProject
):
    answer = admin_client.post(URL, form)

    assert answer.status_code == 422
    assert reason in text_of(answer)
    assert not SourceMap.objects.exists()


def test_a_release_of_too_many_bytes_is_refused_with_its_file(admin_client: Client, shop: NewProject):
    answer = upload(admin_client, file(), release="é" * 200)

    assert answer.status_code == 422
    assert "the release is longer than 256 bytes" in text_of(answer)


def test_a_form_that_is_too_large_is_refused_unread(admin_client: Client, shop: NewProject):
    answer = admin_client.post(
        URL, b"x", content_type="multipart/form-data; boundary=b", CONTENT_LENGTH=str(MAX_PAGE_UPLOAD + 1)
    )

    assert answer.status_code == 413
    assert "larger than this page takes" in text_of(answer)


def test_a_form_without_its_token_is_not_read(admin: User, shop: NewProject):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin)

    assert upload(strict, file()).status_code == 403
    assert not SourceMap.objects.exists()
    strict.get(URL)
    token = strict.cookies["csrftoken"].value
    assert upload(strict, file(), headers={"X-CSRFToken": token}).status_code == 302


def test_a_member_sees_the_maps_and_no_way_to_change_them(member_client: Client, shop: NewProject):
    row = put_map(shop.project)

    page = text_of(member_client.get(URL))

    assert "app.js.map" in page
    assert 'type="file"' not in page
    assert "Delete map" not in page
    assert upload(member_client, file()).status_code == 403
    assert member_client.post(f"{URL}/{row.pk}/delete").status_code == 403
    assert SourceMap.objects.count() == 1


# --- List and delete --------------------------------------------------------------------------------------------------


def test_an_empty_project_says_how_maps_come_in(admin_client: Client, member_client: Client, shop: NewProject):
    page = text_of(admin_client.get(URL))

    assert "No source map yet" in page
    assert "/v1/projects/shop/sourcemaps" in page
    assert "sourcemaps:write" in page
    assert "Admins and the person who made the project upload them" in text_of(member_client.get(URL))


def test_maps_stand_under_their_release_the_newest_first_and_their_content_is_not_read(
    admin_client: Client, shop: NewProject
):
    for release in ("1.0", "2.0", "1.0"):
        put_map(shop.project, release=release, content=CHECKOUT_MAP, filename=f"{release}.js.map")

    with CaptureQueriesContext(connection) as captured:
        answer = admin_client.get(URL)

    rows = answer.context["releases"]
    assert [(row.name, row.count, row.size_bytes) for row in rows] == [
        ("1.0", 1, len(CHECKOUT_MAP)),
        ("2.0", 1, len(CHECKOUT_MAP)),
    ]
    assert not [query["sql"] for query in captured.captured_queries if '"content"' in query["sql"]]


def test_releases_have_pages_and_a_release_shows_its_first_files(admin_client: Client, shop: NewProject):
    values = SourceMap.objects.filter(pk=put_map(shop.project, filename="000.js.map").pk).values().get()
    names = [f"{number:03}.js.map" for number in range(1, FILES_SHOWN + 5)]
    SourceMap.objects.bulk_create(SourceMap(**{**values, "id": None, "filename": name}) for name in names)
    for number in range(PAGE_SIZE):
        put_map(shop.project, release=f"2.{number}")

    first, second = admin_client.get(URL), admin_client.get(f"{URL}?page=2")

    assert len(first.context["releases"]) == PAGE_SIZE
    (release,) = second.context["releases"]
    assert (release.count, len(release.files), release.files[0].filename) == (105, 100, "000.js.map")
    assert "The first 100 of 105 files by name" in text_of(second)


def test_the_list_alone_is_fetched_after_an_upload(admin_client: Client, shop: NewProject):
    put_map(shop.project)

    page = text_of(admin_client.get(URL, headers={"HX-Request": "true"}))

    assert page.startswith('<div class="flow" id="maps"')
    assert "<html" not in page


def test_a_map_and_a_whole_release_are_deleted(admin_client: Client, shop: NewProject, other: NewProject):
    one = put_map(shop.project, release="1.0")
    for number in range(25):
        put_map(shop.project, release="2.0", filename=f"{number}.js.map")
    theirs = put_map(other.project, release="2.0")

    admin_client.post(f"{URL}/{one.pk}/delete")
    admin_client.post(f"{URL}/release/delete", {"release": "2.0"})

    assert "25 source maps deleted." in text_of(admin_client.get(URL))
    assert list(SourceMap.objects.values_list("pk", flat=True)) == [theirs.pk]
    entries = AuditEntry.objects.filter(action="source_map_deleted").order_by("pk")
    assert [(each.target, each.detail) for each in entries] == [
        ("app.js.map of 1.0", {}),
        ("all of 2.0", {"maps": 25}),
    ]


def test_what_is_gone_already_is_said(admin_client: Client, shop: NewProject, other: NewProject):
    theirs = put_map(other.project)
    for path, form in (
        (f"{theirs.pk}/delete", {}),
        ("release/delete", {"release": "1.0"}),
        ("release/delete", {}),
        ("release/delete", {"release": "1\x00"}),
    ):
        assert admin_client.post(f"{URL}/{path}", form).status_code == 302

    page = text_of(admin_client.get(URL))
    assert "That source map was deleted already." in page
    assert "There was none of that release any more." in page
    assert SourceMap.objects.count() == 1
    assert not AuditEntry.objects.filter(action="source_map_deleted").exists()


def test_releases_that_events_spell_otherwise_are_pointed_out(admin_client: Client, shop: NewProject):
    for release in ("1.2.0", "v1.3.0", "9.9"):
        put_map(shop.project, release=release)
    for release in ("v1.2.0", "v1.3.0"):
        record(shop.project, event_json(release=release))

    answer = admin_client.get(URL)

    said = {row.name: (row.is_seen, row.near) for row in answer.context["releases"]}
    assert said == {"1.2.0": (False, ["v1.2.0"]), "v1.3.0": (True, []), "9.9": (False, [])}
    assert answer.context["suggested"] == ["v1.3.0", "v1.2.0"]
    assert "events say otherwise" in text_of(answer)
    assert "no event yet" in text_of(answer)


def test_hostile_names_are_shown_harmlessly(admin_client: Client, shop: NewProject):
    put_map(shop.project, release=HOSTILE, filename=f"../../etc/{HOSTILE}")
    record(shop.project, event_json(release=HOSTILE))

    page = text_of(admin_client.get(URL))

    assert "<script>alert" not in page
    shown = page.replace(f'value="{HOSTILE.replace("<", "&lt;").replace(">", "&gt;")}"', "")
    assert "\u202e" not in shown
    assert "../../etc/" in shown


# --- The hint beside a stack ------------------------------------------------------------------------------------------


def hint(
    shop: NewProject, release: str = "v1.2.0", stack: str | None = CHECKOUT_STACK, *, is_mapped: bool = False
) -> str:
    found = map_hint(shop.project, release=release, stack=stack, is_mapped=is_mapped)
    return " ".join(render_to_string("errors/_map_hint.html", {"map_hint": found}).split())


def test_a_near_miss_is_pointed_out(shop: NewProject):
    put_map(shop.project, release="1.2.0")

    assert 'Source maps were uploaded for <b dir="auto">1.2.0</b>; this event says <b dir="auto">v1.2.0</b>.' in hint(
        shop
    )
    assert f'href="{URL}"' in hint(shop)


def test_a_release_without_maps_and_maps_that_do_not_fit_are_told_apart(shop: NewProject):
    assert 'No source map was uploaded for <b dir="auto">v1.2.0</b>.' in hint(shop)
    assert "This event names no release" in hint(shop, release="unknown")

    put_map(shop.project, release="v1.2.0", filename="other.js.map")

    assert "None of the source maps of" in hint(shop)


@pytest.mark.parametrize(
    "stack",
    [
        None,
        "",
        'File "app.py", line 3, in f',
        "at f (Shop.java:12)",
        "main.go:10:2",
        "at f (src/main.rs:10:5)",
        "a\n" * 8_000,
    ],
)
def test_other_stacks_have_no_hint(stack: str | None, shop: NewProject):
    assert hint(shop, stack=stack) == ""


def test_a_mapped_stack_has_no_hint(shop: NewProject):
    assert hint(shop, is_mapped=True) == ""


def test_hostile_releases_in_a_hint_are_shown_harmlessly(shop: NewProject):
    put_map(shop.project, release=HOSTILE.upper())

    assert "<script" not in hint(shop, release=HOSTILE).lower()
    assert "\u202e" not in hint(shop, release=HOSTILE)
