"""examples/templates: an app's own login page by the real uTemplate, on both Pythons, and by the real Jinja."""

import asyncio
import json
import os
import shutil
import subprocess
import sys

import pytest

from dotlatch import pages, passwords
from dotlatch.users import FileUsers
from tests.harness.interpreters import PLAIN, ROOT, SOURCE, VENV
from tests.server.client import browser, log_in
from tests.server.conftest import KINDS, Server, command_for, environment_for, write_launcher

EXAMPLE = ROOT / "examples" / "templates"
UTEMPLATE = VENV / "sources" / "utemplate"
PASSWORD = "correct horse battery staple"
HOSTILE = "\"'></title><script>alert(1)</script>&lt;{{ 7 * 7 }}{% if %}"
# Jinja is a computer's.
CASES = [("with_utemplate", kind) for kind in KINDS] + [
    ("with_jinja", kind) for kind in KINDS if kind != "builtin-micropython"]


@pytest.fixture
def folder(tmp_path):
    """The example, with an account and the engine beside it."""
    folder = tmp_path / "templates"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("*_html.py", "__pycache__"))
    shutil.copytree(UTEMPLATE / "utemplate", folder / "utemplate")
    iterations, passwords.ITERATIONS = passwords.ITERATIONS, 2
    try:
        asyncio.run(FileUsers(str(folder / "users.json")).create("admin", PASSWORD))
    finally:
        passwords.ITERATIONS = iterations
    return folder


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def client(request, servers, folder):
    example, kind = request.param
    command = command_for(kind, "serve_for_tests.py", "serve_for_tests:app", "serve_for_tests:app")
    server = Server(kind, command, folder, folder, environment_for(kind))
    write_launcher(folder, folder / f"{example}.py", kind, server.port)
    servers.append(server)
    server.start()
    with browser(server) as client:
        yield client


def test_the_apps_own_page_logs_people_in(client):
    assert client.get("/").headers["location"] == "/login?next=/"
    page = client.get("/login?next=/")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=UTF-8"
    assert "<h1>Who goes there?</h1>" in page.text and "<title>Greenhouse</title>" in page.text
    assert "Remember me for 30 days" in page.text and 'role="alert"' not in page.text
    assert client.get("/login/style.css").headers["content-type"].startswith("text/css")
    assert log_in(client, PASSWORD).headers["location"] == "/"
    assert client.get("/").text == "Hello, admin"


def test_the_apps_own_page_says_what_was_wrong(client):
    answer = log_in(client, "a wrong guess")
    assert answer.status_code == 401
    assert '<p class="problem" role="alert">Name or password is wrong.</p>' in answer.text
    assert "What you sent was not carried out." in client.get("/login?again=lost").text


def test_the_other_pages_stay_as_they_are(client):
    log_in(client, PASSWORD)
    answer = client.get("/login?next=/&again=1")
    assert "<h1>Your password again</h1>" in answer.text and "<b>admin</b>" in answer.text


RENDER = """\
import json
import {example} as example
with open('context.json') as file:
    context = json.loads(file.read())
print(''.join(example.render('login', **context)))
"""


@pytest.mark.parametrize("example, variant", [
    pytest.param("with_utemplate", PLAIN[0], id="with_utemplate-cpython"),
    pytest.param("with_utemplate", PLAIN[1], id="with_utemplate-micropython"),
    pytest.param("with_jinja", PLAIN[0], id="with_jinja-cpython")])
def test_hostile_values_are_only_shown(example, variant, folder):
    (folder / "render.py").write_text(RENDER.format(example=example))
    path = ":".join([str(folder), str(SOURCE), str(variant.microdot())])
    path_of = "MICROPYPATH" if variant.micropython else "PYTHONPATH"
    context = dict.fromkeys(("title", "style", "problem", "home"), HOSTILE)
    context.update(lost=True, messages=[{"category": HOSTILE, "text": HOSTILE}])
    (folder / "context.json").write_text(json.dumps(context))
    page = subprocess.run(
        [*variant.command(), "render.py"], cwd=folder, check=True, timeout=60,
        env={**os.environ, path_of: path + (":.frozen" if variant.micropython else "")},
        stdout=subprocess.PIPE, stderr=sys.stderr, text=True).stdout
    # Jinja writes two of the entities in another way.
    shown = page.replace("&#34;", "&quot;").count(pages.escape(HOSTILE))
    assert shown == 4
    assert "<script" not in page and "49" not in page
