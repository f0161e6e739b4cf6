import pytest

from .setup import set_up


@pytest.fixture(scope='session')
def board():
    """The emulator and its firmware; where they are missing, set-up says what it installs."""
    set_up()
