"""Run one method of a unittest.TestCase, with CPython's unittest or the shim for MicroPython."""

import unittest


def run_case(case, name):
    result = unittest.TestResult()
    unittest.TestSuite([case(name)]).run(result)
    for _, problem in result.errors + result.failures + result.skipped:
        raise AssertionError(problem)
    # A suite that ran nothing is not a test that passed.
    assert result.testsRun == 1
