"""The portable tests once more, on a board with the memory of a board.

A file is run in parts, each on a board of its own: all of its tests together would fill the heap
as code before the first of them runs.
"""
import ast
import json
import tempfile

import pytest

from tests.harness.portable import FOLDER, RUNNER, read_tests

from . import library
from .pico import BoardError, Pico

# Files and tests that a Pico cannot run, and why. Every other one runs there.
LEFT_OUT = {
    'test_runner_itself': 'looks for the folders of this machine',
    'test_vectors': 'reads files that are larger than the heap',
}
# Microdot's modules that the tests import.
EXTENSIONS = ('test_client', 'websocket', 'sse', 'multipart')
TESTS_PER_PART = 10
SECONDS_PER_PART = 300
# The tests may write where they stand.
RUN_PART = '''
import os, sys
os.mkdir('/scratch')
os.chdir('/scratch')
sys.path.append('/tests')
import run_portable
run_portable.main('/job')
'''


class Part:
    """Some tests of one file, run together the first time one of them is asked for."""

    def __init__(self, path, tests):
        self.path = path
        self.tests = tests
        self.failures = None  # {test: why it failed, or None}

    def files(self):
        """What goes to the board for it."""
        with tempfile.NamedTemporaryFile('w', suffix='.py') as source:
            source.write(without_other_tests(self.path.read_text(), self.tests))
            source.flush()
            code = library.compiled(source.name, self.path.name)
        job = {'module': self.path.stem, 'path': ['/tests', '/lib'], 'collected': self.tests,
               'run': self.tests, 'results': '/results'}
        files = {f'/tests/{self.path.stem}.mpy': code, '/job': json.dumps(job).encode()}
        for helper in helpers_of(self.path):
            files[f'/tests/{helper.stem}.mpy'] = library.compiled(helper, helper.name)
        return files

    def failure(self, test, common_files):
        """Why the test failed, or None."""
        if self.failures is None:
            with Pico({**common_files, **self.files()}) as pico:
                self.failures = self._run(pico)
        return self.failures[test]

    def _run(self, pico):
        try:
            printed = pico.run(RUN_PART, timeout=SECONDS_PER_PART)
        except BoardError as error:
            printed = str(error)
            pico.power_off()  # whatever it is doing; what it wrote is in its flash
            pico.power_on()
        failures = dict.fromkeys(self.tests, 'it did not run\n' + printed)
        for line in pico.read('/results').splitlines():
            event = json.loads(line)
            if event['event'] == 'import_failed':
                return dict.fromkeys(self.tests, event['detail'] + printed)
            if event['event'] == 'end':
                passed = event['outcome'] == 'passed'
                failures[event['test']] = None if passed else event['detail'] + printed
        return failures


def helpers_of(path):
    """The modules beside a test file that it imports, and those that they import."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            helper = FOLDER / f'{node.module}.py'
            if helper.exists() and helper not in found:
                found += [helper, *(other for other in helpers_of(helper) if other not in found)]
    return found


def without_other_tests(source, tests):
    """The source with empty lines in place of all other tests, so that the rest keep their lines."""
    lines = source.splitlines()
    for node in ast.parse(source).body:
        if getattr(node, 'name', '').startswith('test_') and node.name not in tests:
            for line in range(node.lineno - 1, node.end_lineno):
                lines[line] = ''
    return '\n'.join(lines) + '\n'


def parts():
    for path in sorted(FOLDER.glob('test_*.py')):
        tests = [] if path.stem in LEFT_OUT else [t for t in read_tests(path) if t not in LEFT_OUT]
        for start in range(0, len(tests), TESTS_PER_PART):
            yield Part(path, tests[start:start + TESTS_PER_PART])


PARTS = list(parts())
TESTS = [pytest.param(part, test, id=f'{part.path.stem}-{test}')
         for part in PARTS for test in part.tests]


@pytest.fixture(scope='module')
def common_files(board):
    files = {**library.dotlatch(), **library.microdot(*EXTENSIONS)}
    files[f'/tests/{RUNNER.stem}.mpy'] = library.compiled(RUNNER, RUNNER.name)
    return files


@pytest.mark.parametrize('part, test', TESTS)
def test_on_pico(common_files, record_property, part, test):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')
    failure = part.failure(test, common_files)
    if failure is not None:
        pytest.fail(failure, pytrace=False)


def test_portable_tests_were_found():
    assert TESTS


def test_what_is_left_out_is_there():
    known = {path.stem for path in FOLDER.glob('test_*.py')}
    known.update(test for path in FOLDER.glob('test_*.py') for test in read_tests(path))
    assert set(LEFT_OUT) <= known
