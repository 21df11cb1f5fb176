"""The lines that a project's page offers, run as they stand on the page: each sends an error that arrives."""

import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.journeys.server import Server

pytestmark = pytest.mark.journey

# How each is run, for those that a machine of ours has.
RUNS: dict[str, tuple[str, Callable[[Path], list[str]], str]] = {
    "shell": ("Hello from the shell", lambda path: ["sh", str(path)], "snippet.sh"),
    "python": ("Hello from Python", lambda path: ["python3", "-I", str(path)], "snippet.py"),
    "javascript": ("Hello from JavaScript", lambda path: ["node", str(path)], "snippet.mjs"),
    "ruby": ("Hello from Ruby", lambda path: ["ruby", str(path)], "snippet.rb"),
}
TOOLS = {"shell": ("sh", "openssl", "curl"), "python": ("python3",), "javascript": ("node",), "ruby": ("ruby",)}


def snippets_with_a_key(server: Server) -> dict[str, str]:
    """Rotate the shop's key on its page, as a person does, and read the lines that have the new key filled in."""
    server.page("/settings/projects/shop")  # signs in
    before = server.request("GET", "/settings/projects/shop", headers={"Cookie": server.cookie})
    csrf = re.search(r"csrftoken=\w+", before.headers["Set-Cookie"])
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', before.text)
    assert csrf is not None
    assert token is not None
    form = urlencode({"csrfmiddlewaretoken": token.group(1), "grace": "86400"})
    headers = {"Cookie": f"{server.cookie}; {csrf.group()}", "Content-Type": "application/x-www-form-urlencoded"}
    rotated = server.request("POST", "/settings/projects/shop/key", form, headers)
    assert rotated.status == 302, rotated.status
    page = server.page("/settings/projects/shop")
    found = re.findall(r'<code id="snippet-(\w+)">(.*?)</code>', page, re.DOTALL)
    return {slug: unescape(code) for slug, code in found}


@pytest.fixture(scope="module")
def snippets(shared_server: Server) -> dict[str, str]:
    return snippets_with_a_key(shared_server)


@pytest.mark.parametrize("language", RUNS)
def test_a_snippet_sends_an_error_as_it_stands(
    language: str, snippets: dict[str, str], shared_server: Server, tmp_path: Path
):
    if missing := [tool for tool in TOOLS[language] if shutil.which(tool) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    message, argv, name = RUNS[language]
    path = tmp_path / name
    path.write_text(snippets[language], encoding="utf-8")

    done = subprocess.run(argv(path), cwd=tmp_path, capture_output=True, text=True, timeout=180, check=False)

    assert done.returncode == 0, done.stderr
    assert '{"status":"accepted"}' in done.stdout
    assert shared_server.wait_for(message)["error_type"] == "HelloError"


def test_every_language_has_the_key_and_the_address(snippets: dict[str, str], shared_server: Server):
    assert set(snippets) == {"shell", "python", "javascript", "ruby", "swift", "kotlin"}
    for code in snippets.values():
        assert re.search(r"bloop_[0-9a-f]{64}", code)
        assert f"{shared_server.origin}/v1/ingest" in code
