"""pytest, taught three things: portable tests, `async def` tests, and to say what ran where."""

import asyncio
import inspect

import pytest

from tests.harness import portable, summary


def pytest_addoption(parser):
    parser.addini(
        portable.TIMEOUT, "seconds one portable file may take on one Python", default="300")


def pytest_pycollect_makemodule(module_path, parent):
    if portable.is_portable(module_path):
        return portable.PortableFile.from_parent(parent, path=module_path)
    return None


def pytest_collection_finish(session):
    portable.select(session.items)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run an `async def test_*` in a loop of its own; its fixtures are plain ones."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


def pytest_terminal_summary(terminalreporter):
    summary.write(terminalreporter)
