"""Session stores with the real servers behind them, which the tests start and stop.

`stores` makes stores of each kind that a test is for: all six, or those of a mark:
`@pytest.mark.parametrize("stores", SERVERS, indirect=True)`. They are closed in the event loop of
the test, which has a time limit. A fault is for a server that is up when the next test begins.
"""

import asyncio
import inspect
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.harness.debian import SetupError
from tests.harness.interpreters import ROOT
from tests.stores import kinds, servers

sys.path.append(str(ROOT / "tests" / "portable"))  # where the cases are that all stores keep

# After the path, where it finds the client. Its fixtures are here for all modules of this folder.
from tests.stores.django_project import (
    django_on_postgresql as django_on_postgresql,
)
from tests.stores.django_project import django_on_sqlite as django_on_sqlite
from tests.stores.django_project import project as project

TEST_SECONDS = 30
MEMORY = "/dev/shm"


def _run(server_class):
    try:
        server = server_class()
    except (servers.Missing, SetupError) as reason:
        pytest.fail(str(reason), pytrace=False)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def redis_server():
    yield from _run(servers.Redis)


@pytest.fixture(scope="session")
def valkey_server():
    yield from _run(servers.Valkey)


@pytest.fixture(scope="session")
def postgresql_server():
    yield from _run(servers.PostgreSQL)


@pytest.fixture
def folder(tmp_path):
    """In memory where there is such a place: no test waits for a disk, or loses its power."""
    with tempfile.TemporaryDirectory(dir=MEMORY if os.path.isdir(MEMORY) else tmp_path) as path:
        yield Path(path)


@pytest.fixture(params=kinds.ALL)
def stores(request, folder):
    kind = request.param
    if kind in (*kinds.PORTABLE, "sqlite"):
        address = f"sqlite+aiosqlite:///{folder}/sessions.db" if kind == "sqlite" else folder
        yield kinds.Stores(kind, address)
        return
    server = request.getfixturevalue(kind + "_server")
    server.start()
    yield kinds.Stores("redis" if kind in kinds.REDIS else kind, server.url, server)
    server.thaw()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    stores = pyfuncitem.funcargs.get("stores")
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return (yield)

    async def in_time(**arguments):
        try:
            await asyncio.wait_for(test(**arguments), TEST_SECONDS)
        finally:
            if stores is not None:
                await asyncio.wait_for(stores.close(), TEST_SECONDS)

    pyfuncitem.obj = in_time
    try:
        return (yield)
    finally:
        pyfuncitem.obj = test
