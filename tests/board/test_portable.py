"""The portable tests once more, on a board with the memory of a board."""
import json

import pytest

from tests.harness.portable import FOLDER, RUNNER, read_tests

from . import library
from .pico import BoardError, Pico

# Files that a Pico cannot run, and why. Every other one runs there.
LEFT_OUT = {
    'test_runner_itself': 'it looks for the folders of this machine',
}
# Microdot's modules that the tests import.
EXTENSIONS = ('test_client',)
SECONDS_PER_FILE = 300
# The tests may write where they stand.
RUN_FILE = '''
import os, sys
os.mkdir('/scratch-{0}')
os.chdir('/scratch-{0}')
sys.path.append('/tests')
import run_portable
run_portable.main('/jobs/{0}')
'''

FILES = [path for path in sorted(FOLDER.glob('test_*.py')) if path.stem not in LEFT_OUT]
TESTS = [(path.stem, test) for path in FILES for test in read_tests(path)]


@pytest.fixture(scope='module')
def pico(board):
    files = {**library.dotlatch(), **library.microdot(*EXTENSIONS)}
    for path in [RUNNER, *FOLDER.glob('*.py')]:
        files[f'/tests/{path.stem}.mpy'] = library.compiled(path, path.name)
    for path in FILES:
        tests = list(read_tests(path))
        files[f'/jobs/{path.stem}'] = json.dumps({
            'module': path.stem, 'path': ['/tests', '/lib'], 'collected': tests, 'run': tests,
            'results': '/results'}).encode()
    with Pico(files) as pico:
        yield pico


@pytest.fixture(scope='module')
def outcomes(pico):
    """A function that runs a file's tests the first time one of them is asked for."""
    known = {}

    def outcome(file, test):
        if file not in known:
            known[file] = run_file(pico, file)
        return known[file](test)

    return outcome


def run_file(pico, file):
    """Run one file's tests; returns a function that tells why a test failed, or None."""
    try:
        printed = pico.run(RUN_FILE.format(file), timeout=SECONDS_PER_FILE)
    except BoardError as error:
        printed = str(error)
        pico.power_off()  # whatever it is doing; what it wrote is in its flash
        pico.power_on()
    events = [json.loads(line) for line in pico.read('/results').splitlines()]
    ended = {event['test']: event for event in events if event['event'] == 'end'}
    import_error = [event['detail'] for event in events if event['event'] == 'import_failed']

    def failure(test):
        if test not in ended:
            return '\n'.join(['it did not run', *import_error, printed])
        if ended[test]['outcome'] != 'passed':
            return ended[test]['detail'] + printed
        return None

    return failure


@pytest.mark.parametrize('file, test', TESTS, ids=['-'.join(pair) for pair in TESTS])
def test_on_pico(outcomes, record_property, file, test):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')
    failure = outcomes(file, test)
    if failure is not None:
        pytest.fail(failure, pytrace=False)


def test_portable_tests_were_found():
    assert TESTS
