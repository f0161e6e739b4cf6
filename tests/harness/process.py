"""Run a runner script in an interpreter of its own and read back what it says of each test."""

import json
import linecache
import os
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import leaks
from .interpreters import Missing
from .summary import figures_in

# What a developer's shell may have set, and tests must not see.
MARK = "\x1e"  # begins the line that a runner prints before each test
FOREIGN = ("PYTHONPATH", "PYTHONOPTIMIZE", "PYTHONHOME", "MICROPYPATH", "MICROPYINSPECT")


@dataclass
class Outcome:
    """What became of each test, and on which Python it was."""

    python: str = ""
    failures: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    figures: list[str] = field(default_factory=list)

    def failure(self, test):
        """Why the test failed, or None. A test that nobody heard of again has failed."""
        if test in self.failures:
            return self.failures[test]
        return None if test in self.passed else "nothing is known of this test: it never ran"


def run_tests(variant, runner, job, timeout):
    """Run `job["run"]` with the script `runner`; every way it can go wrong fails its tests."""
    try:
        command = [*variant.command(), str(runner)]
        job = dict(job, path=[*job["path"], str(variant.microdot())])
    except Missing as reason:
        return Outcome(failures=dict.fromkeys(job["run"], str(reason)))
    with tempfile.TemporaryDirectory(prefix="portable-") as folder:
        results = Path(folder) / "results"
        job_file = Path(folder) / "job.json"
        job_file.write_text(json.dumps(dict(job, results=str(results))))
        # The tests may write where they stand: it is theirs alone and goes with them.
        here = Path(folder) / "cwd"
        here.mkdir()
        ending, output = _run([*command, str(job_file)], here, timeout)
        events = _read(results)
    return _judge(job, variant, events, ending, output)


def _run(command, cwd, timeout):
    """The interpreter's ending in words ('' when it was a good one), and what it printed."""
    environment = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True)
    try:
        output, _ = leaks.communicate(process, timeout=timeout)
        ending = _describe_exit(process.returncode)
    except subprocess.TimeoutExpired:
        # The whole group: a test may have started something that holds the pipe open.
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = leaks.communicate(process)
        ending = f"hung: it was stopped after {timeout} seconds"
    return ending, output.decode(errors="replace")


def _describe_exit(code):
    if code < 0:
        return f"crashed: {signal.Signals(-code).name}"
    return f"ended with exit code {code}" if code else ""


def _read(results):
    """Every whole line; a crash may have cut the last one."""
    lines = results.read_text(errors="replace").split("\n")[:-1] if results.exists() else []
    return [json.loads(line) for line in lines]


def _judge(job, variant, events, ending, output):
    printed = _by_test(output)
    output = "".join(text for _, text in printed)
    outcome = Outcome(figures=figures_in(output))
    found, secrets = {}, {}
    started, finished, reason = None, False, ""
    for event in events:
        kind = event["event"]
        if kind == "python":
            outcome.python = event["name"]
            reason = _wrong_microdot(event["microdot"], variant)
        elif kind == "start":
            started = event["test"]
        elif kind == "end":
            started = None
            found[event["test"]] = [tuple(leak) for leak in event["leaks"]]
            secrets[event["test"]] = event["secrets"]
            if event["outcome"] == "passed":
                outcome.passed.add(event["test"])
            else:
                detail = _quote_source(event["detail"]) if variant.micropython else event["detail"]
                outcome.failures[event["test"]] = _with_output(detail, output)
        elif kind == "import_failed":
            reason = reason or "the file could not be imported:\n" + event["detail"]
        elif kind == "finished":
            finished = True
    if reason or (finished and ending):
        # What passed did so in the wrong place, or in an interpreter that broke afterwards.
        outcome.passed.clear()
    if reason or ending or not finished:
        _blame_the_rest(outcome, job["run"], started, reason or _interpreter(ending), output)
    for test, text in printed:
        found.setdefault(test or job["run"][0], []).extend(
            ("what was printed", excerpt) for excerpt in leaks.leaks_in(text, secrets.get(test, ())))
    _fail_those_that_leak(outcome, found)
    return outcome


def _by_test(output):
    """Pairs of a test and what was printed while it ran; '' for what came before the first."""
    before, *rest = output.split(MARK)
    parts = [("", before)]
    for part in rest:
        test, _, text = part.partition("\n")
        parts.append((test, text))
    return parts


def _fail_those_that_leak(outcome, found):
    for test, excerpts in found.items():
        if excerpts:
            text = leaks.describe(dict.fromkeys(excerpts))
            outcome.passed.discard(test)
            outcome.failures[test] = "\n".join(filter(None, [outcome.failures.get(test), text]))


def _wrong_microdot(found, variant):
    expected = (variant.microdot() / "microdot").resolve()
    if Path(found).resolve().parent == expected:
        return ""
    return f"microdot was to come from {expected}, but: {found}"


def _interpreter(ending):
    return f"the interpreter {ending or 'ended before its time'}"


def _blame_the_rest(outcome, names, started, reason, output):
    for name in names:
        if name in outcome.passed or name in outcome.failures:
            continue
        where = f"it did not run: in {started}, before it, " if started not in (None, name) else ""
        outcome.failures[name] = _with_output(where + reason, output)


def _quote_source(traceback):
    """MicroPython's traceback names lines; show what is written there, as CPython does."""
    def quote(frame):
        line = linecache.getline(frame["file"], int(frame["line"])).strip()
        return f"{frame[0]}\n    {line}" if line else frame[0]
    return re.sub(r'  File "(?P<file>[^"]+)", line (?P<line>\d+).*', quote, traceback)


def _with_output(text, output):
    return f"{text}\n--- printed by the file's tests ---\n{output}" if output.strip() else text
