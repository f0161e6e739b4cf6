"""Password hashes that cost little, for tests that do not depend on what they cost."""
from dotlatch import passwords


class Cheap:
    """So many iterations inside a ``with``, for all hashes that are made there."""
    def __init__(self, iterations=2):
        self.iterations = iterations

    def __enter__(self):
        self._kept = passwords.ITERATIONS
        passwords.ITERATIONS = self.iterations

    def __exit__(self, *error):
        passwords.ITERATIONS = self._kept
