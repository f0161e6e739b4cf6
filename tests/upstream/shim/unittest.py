"""The little of unittest that Microdot's tests use, for MicroPython, which has none.

An assert method that is missing here is an AttributeError, and so a failure of the test.
"""

import io
import sys


class TestCase:
    def __init__(self, name):
        self.name = name

    @classmethod
    def setUpClass(cls):
        pass

    def assertEqual(self, first, second):
        if not first == second:
            raise AssertionError('{!r} != {!r}'.format(first, second))

    def assertTrue(self, value):
        if not value:
            raise AssertionError('{!r} is not true'.format(value))

    def assertFalse(self, value):
        if value:
            raise AssertionError('{!r} is not false'.format(value))

    def assertIn(self, member, container):
        if member not in container:
            raise AssertionError('{!r} is not in {!r}'.format(member, container))

    def assertRaises(self, expected, f, *args):
        try:
            f(*args)
        except expected:
            return
        raise AssertionError('{} was not raised'.format(expected.__name__))


class TestResult:
    def __init__(self):
        self.testsRun = 0
        self.errors = []
        self.failures = []
        self.skipped = []


class TestSuite:
    def __init__(self, tests):
        self.tests = tests

    def run(self, result):
        for test in self.tests:
            result.testsRun += 1
            try:
                test.setUpClass()
                getattr(test, test.name)()
            except Exception as exc:
                kept = result.failures if isinstance(exc, AssertionError) else result.errors
                text = io.StringIO()
                sys.print_exception(exc, text)
                kept.append((test, text.getvalue()))
