"""A Django project for tests, and a Microdot app beside it: `project` is a fixture, which conftest.py has.

The Django is a real one in a process that is kept for the whole run, with a SQLite of each test's own, or one
PostgreSQL for all.
"""

import itertools
import json
import os
import shutil
import subprocess
import sys
from urllib.parse import urlencode

import pytest
from client import Client  # of tests/portable: conftest.py puts that folder on the path
from microdot import Microdot

from dotlatch.accountpages import AccountPages
from dotlatch.login import Login
from dotlatch.loginpages import LoginPages
from dotlatch.server.django import DjangoSessions, DjangoUsers
from dotlatch.server.django_hashers import hasher_named
from dotlatch.session import Session, with_session
from tests.harness.interpreters import ROOT, SOURCE
from tests.stores.kinds import PATIENCE
from tests.stores.users import PASSWORD

KEY = "django-insecure-of-these-tests-0123456789abcdefghijkl"
ITERATIONS = 1000  # as the worker's hasher has them

_numbers = itertools.count(1)


def new_name():
    return f"anna{next(_numbers):05}"  # in the order of their letters, too


class Worker:
    """The process that has a Django."""

    def __init__(self, folder, database, **environment):
        environment = dict(os.environ, SHOP_DATA=str(folder), SHOP_DATABASE=database,
                           PYTHONPATH=f"{SOURCE}:{ROOT}", PYTHONWARNINGS="ignore", **environment)
        self._log = (folder / "worker.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.stores.django_worker"], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log)

    def ask(self, name, *arguments, **settings):
        settings.setdefault("SECRET_KEY", KEY)
        self._process.stdin.write(json.dumps([name, arguments, settings]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "Django has ended: " + open(self._log.name).read()[-2000:]
        said = json.loads(line)
        assert "error" not in said, said
        return said["answer"]

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._log.close()


class Project:
    """The project, and how a Microdot app of a test opens its tables."""

    def __init__(self, worker, stores, address=None):
        self.ask = worker.ask
        self.stores = stores  # which closes what was opened, in the loop of the test
        self.address = address or stores.address

    def users(self, **options):
        options.setdefault("hasher", hasher_named("pbkdf2_sha256", iterations=ITERATIONS))
        users = DjangoUsers(self.address, timeout=PATIENCE, **options)
        self.stores.opened.append(users)
        return users

    def sessions(self, users=None, key=KEY, **options):
        return DjangoSessions(users or self.users(), key, **options)

    def add(self, password=PASSWORD, **fields):
        """A new user of Django's: the name."""
        name = new_name()
        self.ask("add_user", name, password, fields)
        return name

    def site(self, store=None, **options):
        """A Microdot app with a login, in front of the same tables."""
        store = store or self.sessions()
        app = Microdot()
        Session(app, store=store, **options)
        login = Login("/login", users=store.users)
        AccountPages(LoginPages(app, login, remember=0))

        @app.get("/who")
        async def who(request):
            user = await login.get_current_user(request)
            return user.name if user else "nobody"

        @app.get("/state")
        async def state(request):
            await login.get_current_user(request)
            return request.g.login_state

        @app.get("/fresh")
        @login.fresh
        async def fresh(request):
            return "fresh"

        @app.get("/cart")
        @with_session
        async def cart(request, session):
            return ",".join(session.get("cart", []))

        @app.get("/add")
        @with_session
        async def add(request, session):
            session["cart"] = [*session.get("cart", []), request.args["item"]]
            session.save()
            return "added"

        return app


class Browser(Client):
    """One browser, one jar, two apps on one host."""

    def __init__(self, app, project):
        super().__init__(app)
        self.project = project

    def copy(self, app=None):
        other = Browser(app or self.app, self.project)
        other.jar = self.jar.copy()
        return other

    @property
    def key(self):
        return self.value("sessionid")

    async def log_in(self, name, password=PASSWORD):
        """By the Microdot app's form."""
        return await self.post("/login", form=urlencode({"username": name, "password": password}))

    def django(self, path, **settings):
        """A page of Django's: its text."""
        return self._ask("GET", path, {}, settings)["text"]

    def django_posts(self, path, form, **settings):
        """A form of Django's, with its CSRF token: the status."""
        self._ask("GET", "/accounts/login/", {}, settings)
        token = self.value("csrftoken")
        return self._ask("POST", path, {"csrfmiddlewaretoken": token, **form}, settings)["status"]

    def django_logs_in(self, name, password=PASSWORD, **settings):
        return self.django_posts("/accounts/login/", {"username": name, "password": password}, **settings)

    def django_knows(self, **settings):
        """The name that Django has for the visitor, or None."""
        return self.django("/", **settings).partition("Django knows you as ")[2].partition(".")[0] or None

    def _ask(self, method, path, form, settings):
        cookies = {name: self.value(name) for name in self.names()}
        answer = self.project.ask("request", method, path, urlencode(form), cookies, **settings)
        for name, value in answer["cookies"].items():
            if value:
                self.jar[(name, "/")] = (value, False, True)
            else:
                self.jar.pop((name, "/"), None)
        return answer


@pytest.fixture(scope="session")
def django_on_sqlite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("django")
    template = folder / "empty.db"
    worker = Worker(folder, f"sqlite:///{template}")
    worker.ask("migrate")
    yield worker, template
    worker.close()


@pytest.fixture(scope="session")
def django_on_postgresql(tmp_path_factory, postgresql_server):
    folder = tmp_path_factory.mktemp("django")
    worker = Worker(folder, postgresql_server.url.replace("+asyncpg", ""))
    worker.ask("migrate")
    yield worker
    worker.close()


@pytest.fixture
def project(request, stores):
    """A project on the database that `stores` is at."""
    if stores.kind == "postgresql":
        return Project(request.getfixturevalue("django_on_postgresql"), stores)
    worker, template = request.getfixturevalue("django_on_sqlite")
    path = stores.address.partition(":///")[2]
    shutil.copy(template, path)
    worker.ask("use", path)
    return Project(worker, stores)
