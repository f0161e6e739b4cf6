"""Collect `tests/portable`: one pytest item for each test on each Python and each Microdot.

The tests are read from the source without importing it, since MicroPython is where half of
them run; each file is then run once per variant, in an interpreter of its own.
"""

import ast
from importlib.metadata import version

import pytest

from tools.sources import oldest_microdot

from .interpreters import ROOT, SOURCE, all_variants
from .process import run_tests
from .summary import FIGURE

FOLDER = ROOT / "tests" / "portable"
RUNNER = ROOT / "tests" / "run_portable.py"
TIMEOUT = "portable_timeout"


class PortableFile(pytest.File):
    def collect(self):
        tests = read_tests(self.path)
        for variant in all_variants():
            batch = Batch(self.path, variant, list(tests), float(self.config.getini(TIMEOUT)))
            for name, line in tests.items():
                yield PortableItem.from_parent(
                    self, name=f"{name}[{variant.name}]", batch=batch, test=name, line=line)


class PortableItem(pytest.Item):
    def __init__(self, *, batch, test, line, **kwargs):
        super().__init__(**kwargs)
        self.batch = batch
        self.test = test
        self.line = line

    def runtest(self):
        outcome = self.batch.outcome()
        self.user_properties.append(("python", self.batch.label()))
        for text in self.batch.take_figures():
            self.add_report_section("call", "stdout", FIGURE + text + "\n")
        failure = outcome.failure(self.test)
        if failure is not None:
            raise PortableFailure(failure)

    def repr_failure(self, excinfo, style=None):
        if isinstance(excinfo.value, PortableFailure):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, self.line - 1, self.name


class PortableFailure(Exception):
    """What the other interpreter said."""


class Batch:
    """The tests of one file on one variant, run together the first time one is asked for."""

    def __init__(self, path, variant, collected, timeout):
        self.path = path
        self.variant = variant
        self.collected = collected
        self.timeout = timeout
        self.wanted = []
        self._outcome = None

    def outcome(self):
        if self._outcome is None:
            job = {"module": self.path.stem, "path": [str(self.path.parent), str(SOURCE)],
                   "collected": self.collected, "run": self.wanted}
            self._outcome = run_tests(self.variant, RUNNER, job, self.timeout)
        return self._outcome

    def take_figures(self):
        """What its tests counted, once: who printed what is not known."""
        figures, self.outcome().figures = self.outcome().figures, []
        return figures

    def label(self):
        microdot = oldest_microdot() if self.variant.oldest else version("microdot")
        return f"{self.outcome().python or self.variant.name} with microdot {microdot}"


def select(items):
    """Once pytest knows what is to run: each batch runs those and no others."""
    for item in items:
        if isinstance(item, PortableItem):
            item.batch.wanted.append(item.test)


def is_portable(path):
    return path.parent == FOLDER


def read_tests(path):
    """The names of a file's tests and their lines; what would silently not run is an error."""
    tests = {}
    for node in ast.parse(path.read_bytes(), str(path)).body:
        name = getattr(node, "name", "")
        if isinstance(node, ast.ClassDef) and name.startswith("Test"):
            raise pytest.Collector.CollectError(
                f"{path}:{node.lineno}: portable tests are plain functions, not classes")
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if not name.startswith("test_"):
            continue
        if name in tests:
            raise pytest.Collector.CollectError(
                f"{path}:{node.lineno}: {name} is already defined in line {tests[name]}")
        tests[name] = node.lineno
    return tests
