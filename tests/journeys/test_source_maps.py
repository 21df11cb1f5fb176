"""A person uploads source maps, with scripts and without, and CI does; a real stack is then led back to its source."""

import subprocess
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser import Complaints, visit
from tests.journeys.server import Server
from tests.maps import CHECKOUT_MAP, CHECKOUT_STACK, big_map, encoded, source_map

pytestmark = [pytest.mark.journey, pytest.mark.browser]


def files_in(folder: Path) -> list[str]:
    """A good map, one that is cut off, and one that is too large to be sent as it is."""
    contents = {
        "checkout.js.map": CHECKOUT_MAP,
        "broken.js.map": CHECKOUT_MAP[:500],
        "vendor.js.map": big_map(6_000_000),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in contents]


def enter(page: Page, link: str) -> None:
    """Sign in by the link and open the page from the project's."""
    page.goto(f"{link}?next=/settings/projects/shop")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="its source maps").click()
    expect(page.get_by_role("heading", name="Source maps", level=1)).to_be_visible()


def assert_told(page: Page, release: str) -> None:
    """Each file is told about, refused ones first, and the list has the good ones."""
    told = page.get_by_role("list", name="What became of each file").get_by_role("listitem")
    refused = "broken.js.mapwas refused: input data was truncated"
    expect(told).to_have_text([refused, "checkout.js.map kept", "vendor.js.map kept"], timeout=60_000)
    group = page.locator(".release-maps").filter(has_text=release)
    expect(group).to_have_attribute("open", "")
    expect(group.get_by_role("row").filter(has_text="vendor.js.map")).to_be_visible()
    expect(group.get_by_role("row").filter(has_text="broken.js.map")).to_have_count(0)


@pytest.mark.parametrize("scripts", [True, False])
def test_maps_are_uploaded_used_and_deleted(
    scripts: bool,  # noqa: FBT001  pytest fills it by name
    shared_server: Server,
    complaints: Complaints,
    tmp_path: Path,
):
    link, release = shared_server.sign_in_link(), f"9.{uuid.uuid4().hex[:8]}"
    with visit(shared_server, complaints, scripts=scripts) as page:
        enter(page, link)
        page.get_by_label("Release", exact=True).fill(release)
        page.get_by_label("Files").set_input_files(files_in(tmp_path))
        page.get_by_role("button", name="Upload").click()
        assert_told(page, release)

        error = f"Mapped{uuid.uuid4().hex}"
        shared_server.send(error_type=error, release=release, stack=CHECKOUT_STACK)
        shared_server.sign_in()
        samples = shared_server.detail(shared_server.wait_for(error)["fingerprint"])["samples"]
        frames = samples[0]["deobfuscated_stack"]
        assert (frames[1]["original_file"], frames[1]["original_line"]) == ("cart.ts", 14)

        page.reload() if scripts else page.goto("/settings/projects/shop/sourcemaps")
        group = page.locator(".release-maps").filter(has_text=release)
        row = group.get_by_role("row").filter(has_text="vendor.js.map")
        row.get_by_text("Delete", exact=False).first.click()
        row.get_by_role("button", name="Delete map").click()
        expect(page.get_by_text("Deleted.")).to_be_visible()
        expect(page.locator(".release-maps").filter(has_text=release).get_by_role("row")).to_have_count(2)

    answered = (
        [] if scripts else [each for each in complaints.heard if "422" in each]
    )  # the form, with what was refused
    assert complaints.heard == answered
    assert len(answered) == (0 if scripts else 2)


def test_the_commands_for_ci_upload_what_a_build_left(shared_server: Server, complaints: Complaints, tmp_path: Path):
    link, release = shared_server.sign_in_link(), f"8.{uuid.uuid4().hex[:8]}"
    scopes = ("--scopes", "sourcemaps:read,sourcemaps:write")
    token = shared_server.home.manage_json("createtoken", "shop", "--name", "ci", *scopes, env=shared_server.env)[
        "token"
    ]
    build = tmp_path / "dist"
    build.mkdir()
    for name in ("a.js.map", "b.js.map"):
        (build / name).write_bytes(encoded(source_map()))
    with visit(shared_server, complaints) as page:
        enter(page, link)
        commands = page.locator("#map-curl").inner_text()

    (tmp_path / "upload.sh").write_text(commands, encoding="utf-8")
    environment = {"PATH": "/usr/bin:/bin", "BLOOP_TOKEN": token, "RELEASE": release}
    subprocess.run(
        ["sh", "-e", "upload.sh"], cwd=tmp_path, env=environment, check=True, timeout=180, capture_output=True
    )

    answer = shared_server.request(
        "GET", f"/v1/projects/shop/sourcemaps?release={release}", headers={"Authorization": f"Bearer {token}"}
    )
    assert {row["filename"] for row in answer.json} == {"a.js.map", "b.js.map"}


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()
