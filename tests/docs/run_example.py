"""Run a page's examples and their check, on the Python that runs this: CPython or MicroPython.

    PYTHON tests/docs/run_example.py JOB.json

The job names the import path, the code of the examples, in order, and the check of the last. What a check shows is
printed as a line of its own, for the page to be searched for it; `done` is printed when all went well.
"""
import asyncio
import json
import sys

MICROPYTHON = sys.implementation.name == 'micropython'


class Example:
    """What the examples have left behind: `app`, what they printed, and each name by `example['name']`."""

    def __init__(self):
        self.printed = []
        self.served = []
        self.names = {'__name__': '__main__', 'print': self._print}

    def __getitem__(self, name):
        return self.names[name]

    @property
    def app(self):
        return self.names['app']

    def client(self):
        from microdot.test_client import TestClient
        return TestClient(self.app)

    def shows(self, text):
        """Have the page searched for this text."""
        print('shows ' + json.dumps(text))

    def fails(self, f, *args):
        """Have the page searched for the last line of the traceback that this call ends in."""
        try:
            f(*args)
        except Exception as error:
            self.shows(type(error).__name__ + ': ' + str(error))
        else:
            raise AssertionError('this was to fail')

    async def fails_later(self, awaitable):
        try:
            await awaitable
        except Exception as error:
            self.shows(type(error).__name__ + ': ' + str(error))
        else:
            raise AssertionError('this was to fail')

    def run(self, code):
        import microdot
        example = self

        def run(app, *args, **kwargs):
            example.served.append(kwargs)  # the check is the visitor: nothing listens

        microdot.Microdot.run = run
        exec(code, self.names)

    def _print(self, *values):
        self.printed.append(' '.join([str(value) for value in values]))


def main(job_path):
    with open(job_path) as f:
        job = json.loads(f.read())
    sys.path[:] = job['path'] + (['.frozen'] if MICROPYTHON else sys.path[1:])
    import checks
    from harness import watch
    before = getattr(checks, 'before_' + job['check'], None)
    if before:
        before()
    example = Example()
    for code in job['code']:
        example.printed.clear()
        example.run(code)
    watch.install()
    if MICROPYTHON:
        asyncio.new_event_loop()  # an example may have had this one, and left something in it
    asyncio.run(getattr(checks, job['check'])(example))
    leaks = watch.taken()
    assert not leaks, 'a secret came out: %r' % leaks
    print('done')


if __name__ == '__main__':
    main(sys.argv[1])
