"""The runner of portable tests reports every way a test can fail, on both Pythons."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.harness import interpreters
from tests.harness.interpreters import PLAIN, ROOT
from tests.harness.portable import Batch, read_tests
from tests.harness.process import Outcome

pytestmark = pytest.mark.parametrize("variant", PLAIN, ids=lambda variant: variant.name)


@pytest.fixture
def run(tmp_path, variant):
    """Write a throwaway file of tests, run it, and return what became of them."""
    def run(source, timeout=60, only=None) -> Outcome:
        path = tmp_path / "test_throwaway.py"
        path.write_text(source)
        batch = Batch(path, variant, list(read_tests(path)), timeout)
        batch.wanted = only or batch.collected
        return batch.outcome()
    return run


def test_a_test_that_passes_has_passed(run, variant):
    outcome = run("def test_x(): pass\nasync def test_y(): pass\n")
    assert outcome.passed == {"test_x", "test_y"}
    assert outcome.failures == {}
    assert outcome.python.lower().startswith(variant.name)


def test_a_false_assert_fails_and_says_where(run):
    outcome = run("def test_x():\n    one = 1\n    assert one == 2\ndef test_y(): pass\n")
    assert outcome.passed == {"test_y"}
    assert "assert one == 2" in outcome.failure("test_x")
    assert "line 3" in outcome.failure("test_x")


def test_an_async_test_fails_too(run):
    outcome = run("async def test_x():\n    assert False\n")
    assert "AssertionError" in outcome.failure("test_x")


def test_what_was_printed_is_shown_with_a_failure(run):
    assert "a clue" in run("def test_x():\n    print('a clue')\n    assert 0\n").failure("test_x")


@pytest.mark.parametrize("leave", ["raise SystemExit(0)", "raise KeyboardInterrupt"])
def test_leaving_the_test_is_no_success(run, leave):
    outcome = run(f"def test_x(): {leave}\ndef test_y(): pass\n")
    assert outcome.failure("test_x")
    assert outcome.passed == {"test_y"}


def test_a_returned_verdict_is_not_taken_for_an_assert(run):
    assert "returns nothing" in run("def test_x(): return 1 == 2\n").failure("test_x")


KILL_SELF = {
    "cpython": "import os\ndef die(): os.abort()\n",
    # A read through a null pointer.
    "micropython": "import uctypes\ndef die(): uctypes.bytearray_at(0, 1)[0]\n",
}


def test_a_crash_fails_its_test_and_those_after_it(run, variant):
    outcome = run(KILL_SELF[variant.name] + "def test_a(): pass\ndef test_b(): die()\n"
                  "def test_c(): pass\n")
    assert outcome.passed == {"test_a"}
    assert "crashed: SIG" in outcome.failure("test_b")
    assert "in test_b, before it" in outcome.failure("test_c")


def test_a_hang_is_stopped_and_fails(run):
    outcome = run("def test_a(): pass\ndef test_b():\n    while True: pass\n"
                  "def test_c(): pass\n", timeout=2)
    assert outcome.passed == {"test_a"}
    assert "hung" in outcome.failure("test_b")
    assert "in test_b, before it" in outcome.failure("test_c")


def test_an_import_that_fails_fails_every_test(run):
    outcome = run("import no_such_module\ndef test_x(): pass\ndef test_y(): pass\n")
    assert outcome.passed == set()
    assert "no_such_module" in outcome.failure("test_x")
    assert "no_such_module" in outcome.failure("test_y")


def test_a_syntax_that_only_cpython_has_fails_on_micropython(run, variant):
    outcome = run("def test_x():\n    assert {**{'a': 1}} == {'a': 1}\n")
    assert bool(outcome.failure("test_x")) == variant.micropython


def test_a_test_the_collector_cannot_see_is_an_error(run):
    outcome = run("def test_x(): pass\nif True:\n    def test_hidden(): pass\n")
    assert "test_hidden" in outcome.failure("test_x")


def test_a_missing_interpreter_is_a_failure(run, variant, monkeypatch):
    def missing(_):
        raise interpreters.Missing("not here")
    monkeypatch.setattr(interpreters.Variant, "command", missing)
    assert run("def test_x(): pass\n").failure("test_x") == "not here"


def test_the_wrong_microdot_is_a_failure(run, variant, tmp_path):
    (tmp_path / "microdot").mkdir()
    (tmp_path / "microdot" / "__init__.py").write_text("")
    assert "microdot was to come from" in run("def test_x(): pass\n").failure("test_x")


def test_only_the_wanted_tests_run(run):
    outcome = run("def test_x(): pass\ndef test_y(): assert False\n", only=["test_x"])
    assert outcome.passed == {"test_x"}
    assert outcome.failures == {}


def test_the_oldest_microdot_is_the_one_that_is_used(run, variant, tmp_path):
    path = tmp_path / "test_oldest.py"
    path.write_text("import microdot\ndef test_x(): assert 'microdot-' in microdot.__file__\n")
    batch = Batch(path, replace(variant, oldest=True), ["test_x"], 60)
    batch.wanted = ["test_x"]
    assert batch.outcome().failures == {}


@pytest.mark.parametrize("source", [
    "def test_x(): pass\ndef test_x(): pass\n",
    "class TestX:\n    def test_x(self): pass\n",
])
def test_what_would_silently_not_run_is_not_collected(source, variant, tmp_path):
    path = tmp_path / "test_throwaway.py"
    path.write_text(source)
    with pytest.raises(pytest.Collector.CollectError):
        read_tests(path)


CONFTEST = """\
from pathlib import Path
from tests.harness import portable
portable.FOLDER = Path(__file__).parent
from tests.conftest import *
"""


def test_pytest_itself_fails_and_counts(variant, tmp_path):
    """From the outside: the exit code, one result per test and variant, and the summary."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {ROOT}\n")
    (tmp_path / "test_throwaway.py").write_text(
        "import sys\ndef test_good(): print('figure: 7 of 7 bits')\n"
        f"def test_bad(): assert sys.implementation.name != {variant.name!r}\n")
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", tmp_path],
        capture_output=True, text=True, cwd=tmp_path)
    assert finished.returncode == 1, finished.stdout + finished.stderr
    assert f"FAILED test_throwaway.py::test_bad[{variant.name}]" in finished.stdout
    assert "2 failed, 6 passed" in finished.stdout
    assert "2 on MicroPython" in finished.stdout
    shown = [line for line in finished.stdout.splitlines() if "7 of 7 bits (on " in line]
    assert len(shown) == 1 and shown[0].count("MicroPython") == 2, finished.stdout


async def test_an_async_test_outside_the_portable_folder_is_awaited(variant, request):
    assert "async" in request.node.name
