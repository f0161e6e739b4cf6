"""Run the tests of one file on the Python that runs this: CPython or MicroPython.

    PYTHON tests/run_portable.py JOB.json

The job names the import path, the module, the tests to run and the file for the results, which
gets one JSON line per event, so that a crash or a hang still leaves what came before it:

    {"event": "python", "name": "MicroPython 1.29.0", "microdot": "/where/it/came/from"}
    {"event": "start", "test": "test_x"}
    {"event": "end", "test": "test_x", "outcome": "passed", "detail": "", "leaks": [], "secrets": []}
    {"event": "finished"}

`import_failed` takes the place of the tests when the module cannot be used at all. What the tests print comes after
a line with their name, which begins with MARK.
"""
import asyncio
import io
import json
import sys

try:
    from harness import watch
except ImportError:  # a board has no room for it, and its console is read all the same
    class watch:
        def install():
            pass

        begin = install

        def taken():
            return []

        secrets = taken

MICROPYTHON = sys.implementation.name == 'micropython'
MARK = '\x1e'


def main(job_path):
    with open(job_path) as f:
        job = json.loads(f.read())
    sys.path[:] = job['path'] + (['.frozen'] if MICROPYTHON else sys.path[1:])
    with open(job['results'], 'w') as results:
        def report(**event):
            results.write(json.dumps(event) + '\n')
            results.flush()

        report(event='python', name=python_name(), microdot=where_is('microdot'))
        try:
            tests = load(job)
        except BaseException as exc:
            report(event='import_failed', detail=describe(exc))
            return
        for name in job['run']:
            report(event='start', test=name)
            say(MARK + name)
            watch.install()  # a test may have loaded more
            watch.begin()
            outcome, detail = run(tests[name])
            report(event='end', test=name, outcome=outcome, detail=detail, leaks=watch.taken(), secrets=watch.secrets())
        report(event='finished')


def say(line):
    """Print a line, after what else was printed so far."""
    print(line)
    if not MICROPYTHON:
        sys.stdout.flush()


def load(job):
    """Import the module; its tests must be those that the collector read in its source."""
    if not MICROPYTHON:
        explain_asserts(job['module'])
    module = __import__(job['module'])
    found = [name for name in dir(module) if name.startswith('test_')]
    unseen = [name for name in found if name not in job['collected']]
    if unseen:
        raise ImportError('these would never run; write them as plain top-level functions: '
                          + ', '.join(unseen))
    return {name: getattr(module, name) for name in job['collected']}


def run(test):
    try:
        result = test()
        if hasattr(result, 'send'):
            # A new loop for every test: one that was left running belongs to the test before.
            asyncio.new_event_loop()
            result = asyncio.run(result)
        if result is not None:
            raise TypeError('a test returns nothing, this one returned {!r}'.format(result))
    except BaseException as exc:
        return 'failed', describe(exc)
    return 'passed', ''


def describe(exc):
    if MICROPYTHON:
        text = io.StringIO()
        sys.print_exception(exc, text)
        return text.getvalue()
    import traceback
    frames = exc.__traceback__
    while frames.tb_next and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return ''.join(traceback.format_exception(type(exc), exc, frames))


def explain_asserts(module):
    """On CPython a failed `assert a == b` shows both sides, as pytest does it."""
    try:
        from _pytest.assertion import rewrite
    except ImportError:
        return
    import ast
    import importlib.util

    class Loader(importlib.machinery.SourceFileLoader):
        def source_to_code(self, data, path, *, _optimize=-1):
            tree = ast.parse(data, path)
            rewrite.rewrite_asserts(tree, data, path)
            return compile(tree, path, 'exec', dont_inherit=True)

        def get_code(self, fullname):
            # No byte code is kept: it would be taken for the plain module's.
            return self.source_to_code(self.get_data(self.path), self.path)

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != module:
                return None
            plain = importlib.machinery.PathFinder.find_spec(name, path, target)
            if plain is None or plain.origin is None:
                return None
            return importlib.util.spec_from_loader(name, Loader(name, plain.origin))

    sys.meta_path.insert(0, Finder)


def python_name():
    version = list(sys.implementation.version)
    name = '.'.join([str(part) for part in version[:3]])
    if MICROPYTHON:
        return 'MicroPython ' + '-'.join([name] + [part for part in version[3:] if part])
    return 'CPython ' + name


def where_is(module):
    try:
        return __import__(module).__file__
    except ImportError as exc:
        return str(exc)


if __name__ == '__main__':
    main(sys.argv[1])
