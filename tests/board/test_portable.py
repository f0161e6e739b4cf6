"""The portable tests once more, on a board with the memory of a board.

A file is run in parts, each on a board of its own: all of its tests together would fill the heap
as code before the first of them runs.
"""
import ast
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.portable import FOLDER, RUNNER, read_tests

from . import library
from .pico import BoardError, Pico

# The files that run here: what depends most on the port. All of them would take half an hour, and what stands on these
# runs on MicroPython's unix port; sessions and logins run here in the console.
FILES = ('test_files', 'test_identity', 'test_links', 'test_origin', 'test_portable', 'test_revoked', 'test_tokens')
# Tests that a Pico cannot run, and why.
LEFT_OUT = {
    'test_X6_a_very_long_target_is_no_error': 'needs 100 KB in one piece',
    'test_T2_every_change_of_one_character_is_refused': 'keeps thousands of tokens',
    'test_T4_a_token_that_nobody_would_read_is_not_made': 'needs 27 KB in one piece',
}
# Microdot's modules that the tests import.
EXTENSIONS = ('test_client', 'websocket', 'sse', 'multipart')
TESTS_PER_PART = 10
SECONDS_PER_PART = 600
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
    """Some tests of one file, which run together."""

    def __init__(self, path, tests):
        self.path = path
        self.tests = tests

    def files(self):
        """What goes to the board for it."""
        job = {'module': self.path.stem, 'path': ['/tests', '/lib'], 'collected': self.tests,
               'run': self.tests, 'results': '/results'}
        return {**with_tests(self.path, self.tests), '/job': json.dumps(job).encode()}

    def run(self, common_files):
        """{test: why it failed, or None} of all its tests."""
        with Pico({**common_files, **self.files()}) as pico:
            return self._run(pico)

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


def with_tests(path, tests):
    """A file compiled with empty lines for its other tests: what is left keeps its line numbers."""
    lines = path.read_text().splitlines()
    for node in ast.parse(path.read_text()).body:
        if getattr(node, 'name', '').startswith('test_') and node.name not in tests:
            for line in range(node.lineno - 1, node.end_lineno):
                lines[line] = ''
    with tempfile.NamedTemporaryFile('w', suffix='.py') as source:
        source.write('\n'.join(lines) + '\n')
        source.flush()
        return {f'/tests/{path.stem}.mpy': library.compiled_test(source.name, path.name)}


def parts():
    for name in FILES:
        path = FOLDER / f'{name}.py'
        tests = [test for test in read_tests(path) if test not in LEFT_OUT]
        for start in range(0, len(tests), TESTS_PER_PART):
            yield Part(path, tests[start:start + TESTS_PER_PART])


PARTS = list(parts())
TESTS = [pytest.param(part, test, id=f'{part.path.stem}-{test}')
         for part in PARTS for test in part.tests]


def common_files():
    files = {**library.dotlatch(), **library.microdot(*EXTENSIONS)}
    for path in [RUNNER, *FOLDER.glob('*.py')]:
        files.update(with_tests(path, []))  # test files too: some import from each other
    return files


@pytest.fixture(scope='module')
def outcomes(board, request):
    """{part: its outcome, to be waited for}: as many boards at a time as there are processors."""
    wanted = [item.callspec.params['part'] for item in request.session.items
              if getattr(item, 'originalname', '') == 'test_on_pico']
    files = common_files()
    boards = ThreadPoolExecutor(os.cpu_count())
    yield {part: boards.submit(part.run, files) for part in dict.fromkeys(wanted)}
    boards.shutdown(cancel_futures=True)


@pytest.mark.parametrize('part, test', TESTS)
def test_on_pico(outcomes, record_property, part, test):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')
    failure = outcomes[part].result()[test]
    if failure is not None:
        pytest.fail(failure, pytrace=False)


def test_portable_tests_were_found():
    assert TESTS


def test_what_is_left_out_is_there():
    assert set(LEFT_OUT) <= {test for name in FILES for test in read_tests(FOLDER / f'{name}.py')}
