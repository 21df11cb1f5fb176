"""Source maps over HTTP (contract 5.6) and what they add to an error's samples (contract 4.3)."""

import gzip
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import AuditEntry, User
from bloop_site.lib.clock import now_ms
from bloop_site.lib.parsers import MAX_UPLOAD
from errors.models import SourceMap
from errors.queries.sourcemaps import MAPS_AT_ONCE, near_misses, originals_of, parsed_maps
from errors.sourcemap import read_map
from projects.models import Project
from projects.services.projects import NewProject
from tests.errors.maps_of import put_map
from tests.factories import event_json, make_token, make_user, record
from tests.ingest.conftest import at_once
from tests.maps import CHECKOUT_MAP, CHECKOUT_STACK, encoded, index_map, source_map

URL = "/v1/projects/shop/sourcemaps"
BOUNDARY = "b0undary"
KEYS = {"id", "project_id", "project_slug", "release", "filename", "uploaded_at", "size_bytes"}
MAP = encoded(source_map())
STACK = "TypeError: x\n    at f (https://x/static/app.js:1:5)\n\n    at g (other.js:1:5)\n"


@pytest.fixture(autouse=True)
def fresh_cache() -> Iterator[None]:
    parsed_maps.clear()
    yield
    parsed_maps.clear()


def with_token(project: Project, *scopes: str) -> Client:
    token = make_token(project, scopes=scopes)
    return Client(headers={"Authorization": f"Bearer {token.secret}"})


@pytest.fixture
def api(shop: NewProject) -> Client:
    return with_token(shop.project, "sourcemaps:read", "sourcemaps:write", "errors:read")


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + content + b"\r\n"


def post(client: Client, *parts: bytes, url: str = URL, **headers: str) -> Any:
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return client.post(url, body, content_type=f"multipart/form-data; boundary={BOUNDARY}", headers=headers)


def upload(client: Client, content: bytes = MAP, *, release: str = "1.4.0", filename: str = "app.js.map") -> Any:
    return post(client, part("release", release.encode()), part("file", content, filename))


# --- Upload -----------------------------------------------------------------------------------------------------------


def test_an_upload_is_answered_with_the_documented_keys_and_the_size_before_compression(api: Client, shop: NewProject):
    answer = upload(api, CHECKOUT_MAP)

    stored = SourceMap.objects.get()
    assert answer.status_code == 200
    assert answer.json() == {
        "id": stored.pk,
        "project_id": shop.project.pk,
        "project_slug": "shop",
        "release": "1.4.0",
        "filename": "app.js.map",
        "uploaded_at": int(stored.uploaded_at.timestamp()),
        "size_bytes": len(CHECKOUT_MAP),
    }
    assert abs(answer.json()["uploaded_at"] * 1000 - now_ms()) < 60_000, "seconds, not milliseconds"
    assert gzip.decompress(bytes(stored.content)) == CHECKOUT_MAP
    assert stored.stored_bytes == len(bytes(stored.content)) < stored.size_bytes


def test_an_index_map_is_taken(api: Client):
    assert upload(api, encoded(index_map((0, 0, source_map())))).status_code == 200


def test_a_second_upload_takes_the_place_of_the_first_and_keeps_its_id(api: Client):
    first = upload(api).json()

    second = upload(api, CHECKOUT_MAP).json()

    assert second["id"] == first["id"]
    assert second["size_bytes"] == len(CHECKOUT_MAP)
    assert [row["id"] for row in api.get(URL).json()] == [first["id"]]
    assert SourceMap.objects.get().sha256 != ""


def test_another_release_or_filename_is_another_map(api: Client):
    answers = [upload(api), upload(api, release="1.4.1"), upload(api, filename="b.js.map")]

    assert len({answer.json()["id"] for answer in answers}) == 3


def test_a_file_sent_as_gzip_is_kept_under_the_name_of_the_map(api: Client):
    answer = upload(api, gzip.compress(MAP), filename="app.js.map.gz").json()

    assert (answer["filename"], answer["size_bytes"]) == ("app.js.map", len(MAP))


@pytest.mark.parametrize(
    "filename", ["app.js.map", "static/js/app.js.map", "../../etc/app.js.map", "C:\\x\\app.js.map", "größe ✓.js.map"]
)
def test_a_filename_is_kept_as_it_was_sent(filename: str, api: Client):
    assert upload(api, filename=filename).json()["filename"] == filename


def test_the_release_is_kept_but_for_blanks_around_it(api: Client):
    assert upload(api, release=" ../x?y#z \n").json()["release"] == "../x?y#z"


def test_other_parts_are_ignored_and_the_last_of_a_name_counts(api: Client):
    answer = post(
        api,
        part("comment", b"x" * 10_000),
        part("other", b"not a map", "x.map"),
        part("release", b"1.0"),
        part("release", b"1.1"),
        part("file", MAP, "app.js.map"),
    )

    assert (answer.status_code, answer.json()["release"]) == (200, "1.1")
    assert SourceMap.objects.count() == 1


MISSING = [
    ([], "missing 'release' field"),
    ([part("file", MAP, "app.js.map")], "missing 'release' field"),
    ([part("release", b" "), part("file", MAP, "app.js.map")], "missing 'release' field"),
    ([part("release", b"1.0", "release.txt"), part("file", MAP, "app.js.map")], "missing 'release' field"),
    ([part("release", b"1.0")], "missing file with filename"),
    ([part("release", b"1.0"), part("file", MAP)], "missing file with filename"),
    ([part("release", b"1.0"), part("file", MAP, "")], "missing file with filename"),
    ([part("release", b"1.0"), part("map", MAP, "app.js.map")], "missing file with filename"),
]


@pytest.mark.parametrize(("parts", "reason"), MISSING)
def test_what_is_missing_is_named(parts: list[bytes], reason: str, api: Client):
    answer = post(api, *parts)

    assert (answer.status_code, answer.json()) == (400, {"error": reason})
    assert not SourceMap.objects.exists()


BAD = [
    (b"", "truncated"),
    (b"no map at all", "malformed"),
    (MAP[:-10], "truncated"),
    (MAP.replace(b'"version": 3', b'"version": 2'), "version is not 3"),
    (encoded(source_map(names=[7])), "names"),
    (encoded(source_map(mappings="!!")), "vlq"),
    (encoded(source_map(sources=["x"] * 1_000_000)), "more than 100000 sources"),
    (gzip.compress(b" " * 200_000_000, compresslevel=9), "larger than 33554432 bytes unpacked"),
    (gzip.compress(MAP)[:-9], "truncated gzip"),
    (b"\x1f\x8b\x08garbage", "gzip"),
]


@pytest.mark.parametrize(("content", "reason"), BAD, ids=[each[1] for each in BAD])
def test_a_file_that_is_no_usable_map_is_refused_with_the_reason(content: bytes, reason: str, api: Client):
    answer = upload(api, content)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("invalid source map: ")
    assert reason in answer.json()["error"]
    assert not SourceMap.objects.exists()


@pytest.mark.parametrize(
    ("release", "filename", "reason"), [("x" * 257, "a.map", "release"), ("1.0", "x" * 513, "filename")]
)
def test_names_that_are_too_long_are_refused(release: str, filename: str, reason: str, api: Client):
    answer = upload(api, release=release, filename=filename)

    assert answer.status_code == 400
    assert f"the {reason} is longer than" in answer.json()["error"]


def test_a_nul_never_reaches_the_database(api: Client):
    assert upload(api, release="1.0\x00").status_code == 400
    assert upload(api, filename="a\x00b.js.map").json()["filename"] == "ab.js.map"


def test_a_request_of_more_than_five_mebibytes_is_refused_unread(api: Client):
    answer = upload(api, b" " * (6 * 1024 * 1024))

    assert (answer.status_code, answer.json()) == (413, {"error": f"body exceeds {MAX_UPLOAD} bytes"})


def test_a_request_of_exactly_five_mebibytes_is_read(api: Client):
    overhead = len(part("release", b"1.0") + part("file", b"", "a.map")) + len(BOUNDARY) + 6

    answer = upload(api, MAP + b" " * (MAX_UPLOAD - overhead - len(MAP)), release="1.0", filename="a.map")

    assert answer.status_code == 200, answer.json()


def test_what_is_no_form_is_refused(api: Client):
    json_body = api.post(URL, {"release": "1.0"}, content_type="application/json")
    no_boundary = api.post(URL, b"x", content_type="multipart/form-data")
    cut_off = api.post(URL, part("release", b"1")[:30], content_type=f"multipart/form-data; boundary={BOUNDARY}")
    packed = post(api, part("release", b"1.0"), part("file", MAP, "app.js.map"), Content_Encoding="gzip")

    assert [each.status_code for each in (json_body, no_boundary, cut_off, packed)] == [415, 400, 400, 415]
    assert all(each.json()["error"] for each in (json_body, no_boundary, cut_off, packed))


@pytest.mark.parametrize("count", [150, 1_500])
def test_a_form_of_very_many_parts_is_an_answer_and_no_failure(count: int, api: Client):
    files = post(api, *(part(f"f{n}", b"x", "x") for n in range(count)))
    fields = post(api, *(part(f"f{n}", b"x") for n in range(count)))

    assert files.status_code == fields.status_code == 400


# --- List and delete --------------------------------------------------------------------------------------------------


def test_the_list_has_the_same_shape_newest_first(api: Client):
    uploaded = [upload(api, release=f"1.{number}").json() for number in range(3)]

    answer = api.get(URL)

    assert answer.json() == uploaded[::-1]
    assert {frozenset(row) for row in answer.json()} == {frozenset(KEYS)}
    assert answer.headers["X-Total-Count"] == "3"


def test_the_list_can_be_narrowed_to_a_release_and_paged(api: Client):
    for number in range(3):
        upload(api, filename=f"{number}.js.map")
    upload(api, release="2.0")

    assert {row["release"] for row in api.get(f"{URL}?release=1.4.0").json()} == {"1.4.0"}
    assert [row["filename"] for row in api.get(f"{URL}?release=1.4.0&limit=1&offset=1").json()] == ["1.js.map"]
    assert len(api.get(f"{URL}?limit=0").json()) == 1
    assert api.get(f"{URL}?limit=x").status_code == 400


def test_no_list_reads_what_is_in_the_maps(api: Client, django_assert_num_queries: Any):
    upload(api)

    with django_assert_num_queries(3) as captured:  # the token, the count, the rows
        api.get(URL)

    assert not [query["sql"] for query in captured.captured_queries if '"content"' in query["sql"]]


def test_a_deleted_map_is_gone(api: Client):
    made = upload(api).json()["id"]

    answer = api.delete(f"{URL}/{made}")

    assert (answer.status_code, answer.json()) == (200, {"deleted": made})
    assert api.get(URL).json() == []
    assert (api.delete(f"{URL}/{made}").status_code) == 404


@pytest.mark.parametrize("name", ["4", "0", "-1", "x", "9" * 30, "99999999999999999999", "4%2F5", "١"])
def test_a_map_that_is_not_there_is_not_found(name: str, api: Client):
    answer = api.delete(f"{URL}/{name}")

    assert answer.status_code == 404
    if "%" not in name:
        assert answer.json() == {"error": f"source map {name} not found"}


# --- Who may ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("slug", ["unknown", "other", "Shop", "%F0%9F%8D%B5"])
def test_a_project_out_of_reach_is_not_found(slug: str, api: Client, other: NewProject):
    theirs = put_map(other.project)

    for answer in (
        api.get(f"/v1/projects/{slug}/sourcemaps"),
        post(api, part("release", b"1"), part("file", MAP, "a"), url=f"/v1/projects/{slug}/sourcemaps"),
        api.delete(f"/v1/projects/{slug}/sourcemaps/{theirs.pk}"),
    ):
        assert (answer.status_code, answer.json()) == (404, {"error": "project not found"})
    assert SourceMap.objects.count() == 1


def test_a_map_of_another_project_is_not_found(api: Client, other: NewProject):
    theirs = put_map(other.project)

    assert api.delete(f"{URL}/{theirs.pk}").status_code == 404
    assert SourceMap.objects.filter(pk=theirs.pk).exists()


@pytest.mark.parametrize("scope", ["sourcemaps:write", "sourcemaps:upload"])
def test_either_name_of_the_scope_uploads_and_deletes(scope: str, shop: NewProject):
    client = with_token(shop.project, scope)

    made = upload(client)

    assert made.status_code == 200
    assert client.get(URL).json() == {"error": "token lacks required scope: sourcemaps:read"}
    assert client.delete(f"{URL}/{made.json()['id']}").status_code == 200


def test_who_may_only_read_changes_nothing(shop: NewProject):
    client, kept = with_token(shop.project, "sourcemaps:read", "errors:write"), put_map(shop.project)

    assert [row["id"] for row in client.get(URL).json()] == [kept.pk]
    for answer in (upload(client), client.delete(f"{URL}/{kept.pk}")):
        assert (answer.status_code, answer.json()) == (403, {"error": "token lacks required scope: sourcemaps:write"})
    assert SourceMap.objects.count() == 1


def test_a_member_sees_the_maps_and_a_manager_changes_them(member_client: Client, admin_client: Client):
    made = upload(admin_client).json()["id"]

    assert [row["id"] for row in member_client.get(URL).json()] == [made]
    for answer in (upload(member_client), member_client.delete(f"{URL}/{made}")):
        assert answer.json() == {"error": "only an admin or the project's creator may do this"}
        assert answer.status_code == 403
    assert admin_client.delete(f"{URL}/{made}").status_code == 200


# --- What is noted ----------------------------------------------------------------------------------------------------


def test_the_row_says_who_uploaded_it(admin_client: Client, admin: User, shop: NewProject):
    upload(admin_client)
    assert SourceMap.objects.get().uploaded_by == admin

    token = make_token(shop.project, scopes=("sourcemaps:write",)).token
    type(token).objects.filter(pk=token.pk).update(created_by=None)
    upload(with_token(shop.project, "sourcemaps:write"))
    assert SourceMap.objects.get().uploaded_by is None


def test_the_audit_log_tells_the_first_of_a_release_what_replaced_another_and_what_was_deleted(
    api: Client, shop: NewProject
):
    made = upload(api).json()["id"]
    upload(api, filename="b.js.map")
    upload(api)  # the same again
    upload(api, CHECKOUT_MAP)
    api.delete(f"{URL}/{made}")

    entries = AuditEntry.objects.exclude(action__in=("project_created", "token_created")).order_by("pk")

    assert [(entry.action, entry.target, entry.detail) for entry in entries] == [
        ("source_maps_uploaded", "1.4.0 of Shop", {"token": "ci"}),
        ("source_map_replaced", "app.js.map of 1.4.0", {"token": "ci"}),
        ("source_map_deleted", "app.js.map of 1.4.0", {"token": "ci"}),
    ]
    assert {entry.project_id for entry in entries} == {shop.project.pk}


@pytest.mark.usefixtures("shared_database")
def test_one_file_uploaded_at_once_is_one_map():
    from tests.factories import make_project

    shop = make_project(slug="shop").project
    secret = make_token(shop, scopes=("sourcemaps:write",)).secret

    def send() -> Any:
        answer = upload(Client(headers={"Authorization": f"Bearer {secret}"}))
        return answer.status_code, answer.json().get("id")

    answers = at_once([send] * 6)

    assert set(answers) == {(200, SourceMap.objects.get().pk)}


# --- What samples say -------------------------------------------------------------------------------------------------


def samples(client: Client, fingerprint: str = "fp") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v1/errors/{fingerprint}").json()["samples"]
    return found


def raw(line: str) -> dict[str, Any]:
    return dict.fromkeys(("original_file", "original_line", "original_column", "original_name")) | {"raw_frame": line}


def test_a_sample_has_an_entry_for_each_line_of_its_stack(api: Client, shop: NewProject):
    upload(api, encoded(source_map([(4, 0, 9, 6, 0)], names=["loadUser"])))
    record(shop.project, event_json(fingerprint="fp", stack=STACK))

    assert samples(api)[0]["deobfuscated_stack"] == [
        raw("TypeError: x"),
        {
            "original_file": "src/a.ts",
            "original_line": 10,
            "original_column": 6,
            "original_name": "loadUser",
            "raw_frame": "at f (https://x/static/app.js:1:5)",
        },
        raw("at g (other.js:1:5)"),
    ]


def test_a_real_stack_of_a_real_bundle_is_led_back_to_its_source(api: Client, shop: NewProject):
    upload(api, CHECKOUT_MAP, filename="checkout.js.map")
    record(shop.project, event_json(fingerprint="fp", stack=CHECKOUT_STACK))

    found = [(frame["original_file"], frame["original_line"]) for frame in samples(api)[0]["deobfuscated_stack"]]

    assert found == [
        (None, None),
        ("cart.ts", 14),
        ("cart.ts", 9),
        (None, None),
        ("cart.ts", 9),
        ("checkout.ts", 7),
        ("checkout.ts", 12),
    ]


@pytest.mark.parametrize(
    "stack",
    [
        None,
        "",
        "   \n ",
        "TypeError: x",
        "at f (other.js:1:5)",
        "at f (app.js:1:1)",
        "at f (app.js:0:5)",
        "a\n" * 4_000,
    ],
)
def test_without_a_mapped_line_there_is_no_such_key(stack: str | None, api: Client, shop: NewProject):
    upload(api)
    record(shop.project, event_json(fingerprint="fp", stack=stack))

    assert "deobfuscated_stack" not in samples(api)[0]


def test_each_sample_is_read_by_the_maps_of_its_own_release(api: Client, shop: NewProject):
    for line, release in ((1, "1.0"), (2, "2.0")):
        upload(api, encoded(source_map([(0, 0, line, 0)])), release=release)
    for release in ("1.0", "2.0", "3.0"):
        record(shop.project, event_json(fingerprint="fp", release=release, stack="at f (app.js:1:1)"))

    lines = {
        each["release"]: each["deobfuscated_stack"][0]["original_line"] if "deobfuscated_stack" in each else None
        for each in samples(api)
    }

    assert lines == {"1.0": 2, "2.0": 3, "3.0": None}


def test_another_projects_map_of_the_same_release_says_nothing(api: Client, shop: NewProject, other: NewProject):
    put_map(other.project, release="1.4.0")
    record(shop.project, event_json(fingerprint="fp", stack=STACK))

    assert "deobfuscated_stack" not in samples(api)[0]


def test_a_replaced_map_is_read_anew_and_a_deleted_one_says_nothing(api: Client, shop: NewProject):
    record(shop.project, event_json(fingerprint="fp", stack=STACK))
    made = upload(api).json()["id"]
    first = samples(api)[0]["deobfuscated_stack"][1]["original_line"]
    upload(api, encoded(source_map([(4, 0, 41, 6)])))
    second = samples(api)[0]["deobfuscated_stack"][1]["original_line"]
    api.delete(f"{URL}/{made}")

    assert (first, second) == (10, 42)
    assert "deobfuscated_stack" not in samples(api)[0]


def test_a_map_is_parsed_once_for_all_who_look(api: Client, shop: NewProject, monkeypatch: pytest.MonkeyPatch):
    reads = []
    upload(api)

    def counted(data: bytes) -> Any:
        reads.append(1)
        return read_map(data)

    monkeypatch.setattr("errors.queries.sourcemaps.read_map", counted)
    for number in range(5):
        record(shop.project, event_json(fingerprint="fp", stack=f"{STACK}{number}"))

    assert all("deobfuscated_stack" in each for each in samples(api))
    samples(api)

    assert len(reads) == 1


def test_a_map_that_the_database_has_broken_leaves_the_stack_raw(api: Client, shop: NewProject):
    upload(api)
    record(shop.project, event_json(fingerprint="fp", stack=STACK))
    for content in (b"", b"\x1f\x8bjunk", gzip.compress(b"{}")):
        SourceMap.objects.update(content=content)
        assert "deobfuscated_stack" not in samples(api)[0]


def test_a_stack_over_very_many_maps_reads_only_so_many_at_once(shop: NewProject):
    for number in range(MAPS_AT_ONCE + 5):
        put_map(shop.project, filename=f"chunk{number}.js.map", content=encoded(source_map([(4, 0, number, 0)])))
    stack = "\n".join(f"at f (chunk{number}.js:1:5)" for number in range(MAPS_AT_ONCE + 5))

    first = originals_of(project_id=shop.project.pk, release="1.4.0", stack=stack)
    second = originals_of(project_id=shop.project.pk, release="1.4.0", stack=stack)

    assert (len(first), len(second)) == (MAPS_AT_ONCE, MAPS_AT_ONCE + 5)


def test_two_threads_that_want_one_cold_map_parse_it_once(shared_database: None, monkeypatch: pytest.MonkeyPatch):
    from tests.factories import make_project

    shop, reads, begun = make_project(slug="shop").project, [], threading.Event()
    put_map(shop, content=CHECKOUT_MAP, filename="checkout.js.map")

    def slowly(data: bytes) -> Any:
        reads.append(1)
        begun.wait(0.2)
        return read_map(data)

    monkeypatch.setattr("errors.queries.sourcemaps.read_map", slowly)

    found = at_once([lambda: originals_of(project_id=shop.pk, release="1.4.0", stack=CHECKOUT_STACK)] * 4)

    assert [len(each) for each in found] == [5] * 4
    assert len(reads) == 1


# --- Near misses ------------------------------------------------------------------------------------------------------


def test_maps_of_a_release_by_almost_the_same_name_are_pointed_out(shop: NewProject, other: NewProject):
    for release in ("1.2.0", "shop@1.2.0", "1.2.1"):
        put_map(shop.project, release=release)
    put_map(other.project, release="V1.2.0")

    assert near_misses(shop.project.pk, "v1.2.0") == ["1.2.0", "shop@1.2.0"]
    assert near_misses(shop.project.pk, "2.0.0") == []
    assert near_misses(shop.project.pk, "1.2.1") == []


def test_an_upload_of_now_is_the_newest(shop: NewProject):
    before = timezone.now()

    assert put_map(shop.project).uploaded_at >= before


def test_a_stranger_sees_no_map(shop: NewProject):
    put_map(shop.project)
    client = Client()
    client.force_login(make_user())

    assert client.get(URL).json() == {"error": "project not found"}
