"""Loaded by each CPython server of the tests: what tests/harness/watch.py finds there is printed into the log."""
import importlib.machinery
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))
import watch

sys.path.pop()
watch.tell()


class Finder:
    """Has the modules that are to be watched loaded as ever, and watched from then on."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name not in watch.MODULES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                watch.install()

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Finder)
