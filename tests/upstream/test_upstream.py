"""Microdot's own tests for its session, auth, login and csrf pass against dotlatch's, on both Pythons.

Their sources come from the sdist of the installed Microdot; nothing but the imports is changed.
Each unittest method becomes a portable test, so that the portable runner runs it.
"""

import ast
import re
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.harness.interpreters import PLAIN, SOURCE, VENV
from tests.harness.portable import RUNNER
from tests.harness.process import run_tests

HERE = Path(__file__).parent
SOURCES = VENV / "sources" / f"microdot-{version('microdot')}" / "tests"
MODULES = ("session", "auth", "login", "csrf")
TIMEOUT = 300


def methods(module):
    """`TestSession.test_session_async` and the like, in the order they are written."""
    for node in ast.parse((SOURCES / f"test_{module}.py").read_text()).body:
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if getattr(item, "name", "").startswith("test"):
                    yield f"{node.name}.{item.name}"


CASES = [(module, method) for module in MODULES for method in methods(module)]


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    @cache
    def run(module, variant):
        folder = tmp_path_factory.mktemp("upstream")
        names = write_tests(folder, module)
        path = [folder, HERE, SOURCE] + ([HERE / "shim"] if variant.micropython else [])
        job = {"module": f"test_{module}", "path": [str(entry) for entry in path],
               "collected": names, "run": names}
        return run_tests(variant, RUNNER, job, TIMEOUT)
    return run


@pytest.mark.parametrize("variant", PLAIN, ids=lambda variant: variant.name)
@pytest.mark.parametrize(("module", "method"), CASES)
def test_microdots_own(module, method, variant, run, record_property):
    outcome = run(module, variant)
    record_property("python", outcome.python)
    failure = outcome.failure(portable_name(method))
    if failure is not None:
        pytest.fail(failure, pytrace=False)


def write_tests(folder, module):
    """Microdot's module with its imports changed, and a portable test for each of its methods."""
    source = (SOURCES / f"test_{module}.py").read_text()
    changed, count = re.subn(
        r"^from microdot\.(session|auth|login|csrf) import", r"from dotlatch.\1 import",
        source, flags=re.MULTILINE)
    assert count, f"test_{module}.py imports none of the modules it tests"
    (folder / f"microdots_{module}.py").write_text(changed)
    lines = [f"import microdots_{module} as upstream", "from run_case import run_case"]
    names = []
    for case, name in (method.split(".") for method in methods(module)):
        names.append(portable_name(f"{case}.{name}"))
        lines.append(f"def {names[-1]}(): run_case(upstream.{case}, {name!r})")
    (folder / f"test_{module}.py").write_text("\n".join(lines) + "\n")
    return names


def portable_name(method):
    return "test_" + method.replace(".", "_")
