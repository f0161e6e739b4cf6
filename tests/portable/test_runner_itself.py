"""What every portable test may rely on, on either Python. That the runner tells failures,
crashes and hangs apart from success is shown in tests/test_runner.py."""
import asyncio
import os
import sys

left_over = []
traces = []


def test_a_false_assert_is_an_error():
    try:
        assert left_over is None
    except AssertionError:
        return
    raise Exception('asserts are switched off: every test would pass')


async def test_an_async_test_is_awaited():
    await asyncio.sleep(0)
    left_over.append(asyncio.create_task(leave_a_trace()))


async def test_tasks_of_another_test_do_not_go_on_in_this_one():
    await asyncio.sleep(0.02)
    assert traces == []


async def leave_a_trace():
    await asyncio.sleep(0.001)
    traces.append('here')


def test_microdot_and_dotlatch_are_there():
    import microdot.test_client  # noqa: F401

    import dotlatch
    assert dotlatch.__file__.endswith('src/dotlatch/__init__.py')


def test_micropython_sees_no_package_of_cpython():
    if sys.implementation.name == 'micropython':
        for name in ('pytest', 'jwt', 'functools', 'typing'):
            try:
                __import__(name)
            except ImportError:
                continue
            raise AssertionError(name + ' comes from CPython')


def test_the_current_folder_is_empty_and_writable():
    assert os.listdir('.') == []
    with open('scratch', 'w') as f:
        f.write('x')
    os.remove('scratch')
