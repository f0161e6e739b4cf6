"""pytest, taught four things: portable tests, `async def` tests, to say what ran where, and to let no secret out."""

import asyncio
import inspect

import pytest

from tests.harness import leaks, portable, summary

leaks.install()


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    leaks.begin(item)
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown():
    leaks.read_logs()  # before their folders go
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(call):
    report = yield
    if call.when == "teardown":
        leaks.finish(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session):
    leaks.finish_run(session)


def pytest_terminal_summary(terminalreporter):
    summary.write(terminalreporter)
    leaks.write(terminalreporter)
