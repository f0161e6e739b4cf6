"""Times functions in turn, round after round, so that a machine whose speed drifts slows all of them alike."""
import statistics
import time
from collections.abc import Callable

ROUNDS = 15


def compare(functions: 'dict[str, Callable[[], object]]', number: int) -> 'dict[str, float]':
    """Return the median microseconds of one call of each, by CPU time."""
    taken: 'dict[str, list[float]]' = {name: [] for name in functions}
    for f in functions.values():  # the first calls fill caches
        for _ in range(number // 10 + 1):
            f()
    for _ in range(ROUNDS):
        for name, f in functions.items():
            start = time.process_time_ns()
            for _ in range(number):
                f()
            taken[name].append((time.process_time_ns() - start) / number / 1000)
    return {name: statistics.median(times) for name, times in taken.items()}


def table(figures: 'dict[str, float]', to: str, unit: str = 'us') -> None:
    """Print each figure and its ratio to the one named ``to``."""
    for name, value in figures.items():
        print('%-44s %8.2f %s   %5.2f x' % (name, value, unit, value / figures[to]))
