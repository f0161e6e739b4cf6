"""The first hour with a board, by no commands but those of docs/first_hour.rst."""
import json
import re
import shutil

import pytest

from . import commands, library
from .browser import Browser
from .pico import Pico

ROOT = library.ROOT
PAGE = (ROOT / 'docs' / 'first_hour.rst').read_text()
CONSOLE = ROOT / 'examples' / 'console'
PASSWORD = 'copper ladder on a green barn'
NEW_PASSWORD = 'tulip harbour nine lantern'
NEXT_PASSWORD = 'walnut kettle under an old bridge'


def documented(command):
    """The words of a command, which has to stand on the page."""
    assert f'\n   $ {command}\n' in PAGE, command
    return command.split()


class Desk:
    """A board on a cable, a terminal and a browser."""

    def __init__(self, pico, folder):
        self.pico = pico
        self.folder = folder
        self.browser = Browser(pico)
        self.told = {}

    def dotlatch(self, command, *more):
        """Run one with the board's port, since a computer of tests has others, and in JSON."""
        program, *words = documented(command)
        assert program == 'dotlatch'
        self.pico.printed.clear()
        result = commands.dotlatch(self.pico, *words, self.pico.port, *more, '--json', cwd=self.folder)
        assert result.code == 0, result.errors
        return json.loads(result.output)

    def console(self):
        """What `mpremote` shows of a board that has started."""
        assert documented('mpremote')
        return self.pico.wait_for('The console is on')

    def unplug(self):
        self.pico.power_off()
        self.pico.power_on()
        return self.console()

    def claim(self, code, password):
        return self.browser.post('/claim', code=code, username='anna', password=password, again=password)

    def log_in(self, password):
        self.browser.cookies.clear()
        return self.browser.post('/login', username='anna', password=password)


def code_in(printed):
    return re.search(r'type this code: (\S+)', printed)[1]


@pytest.fixture(scope='module')
def hour(board, tmp_path_factory):
    """All of it once; each test looks at a part."""
    folder = tmp_path_factory.mktemp('console')
    for name in ('main.py', 'keys.py', 'people.py'):
        shutil.copy(CONSOLE / name, folder)
    (folder / 'boot.py').write_text('import wire\n')  # in place of the Wi-Fi
    shutil.copy(library.ROOT / 'tests' / 'board' / 'wire.py', folder)
    with Pico() as pico:
        yield live_through(Desk(pico, folder))


def live_through(desk):
    browser, told = desk.browser, desk.told
    told['info'] = desk.dotlatch('dotlatch board info')
    told['deploy'] = desk.dotlatch('dotlatch deploy boot.py main.py --without people.py')
    told['first start'] = desk.console()
    told['before'] = browser.get('/')
    told['claim'] = desk.claim(code_in(told['first start']), PASSWORD)
    told['owner'] = browser.get('/')
    told['log in'] = desk.log_in(PASSWORD)
    told['change'] = browser.post('/account/password', current=PASSWORD, new=NEW_PASSWORD, again=NEW_PASSWORD)
    told['old password'] = desk.log_in(PASSWORD)
    told['new password'] = desk.log_in(NEW_PASSWORD)
    told['key'] = browser.post('/keys', name='curl', read='on', days='')
    key = re.search(r'<code>(console_\w+)</code>', told['key'].body)[1]
    browser.cookies.clear()
    told['by key'] = browser.get('/figures', X_API_Key=key)
    told['second start'] = desk.unplug()
    told['key after the reboot'] = browser.get('/figures', X_API_Key=key)
    told['after the reboot'] = desk.log_in(NEW_PASSWORD)
    told['reset'] = desk.dotlatch('dotlatch board reset', '--yes')
    told['third start'] = desk.console()
    told['old cookie'] = browser.get('/')
    told['key after the reset'] = browser.get('/figures', X_API_Key=key)
    told['next claim'] = desk.claim(code_in(told['third start']), NEXT_PASSWORD)
    told['next owner'] = browser.get('/')
    told['last owner'] = desk.log_in(NEW_PASSWORD)
    return told


def test_the_board_gets_what_its_program_needs(hour):
    assert hour['info']['dotlatch'] is None
    assert {'/main.py', '/keys.py', '/boot.py', '/lib/dotlatch/claim.mpy'} <= set(hour['deploy']['copied'])
    assert '/people.py' not in hour['deploy']['copied']


def test_V1_it_serves_nothing_until_it_has_an_owner(hour):
    assert (hour['before'].status, hour['before'].location) == (302, '/claim')


def test_V2_the_code_of_the_console_makes_an_owner(hour):
    assert (hour['claim'].status, hour['claim'].location) == (302, '/')
    assert hour['owner'].status == 200 and 'Logged in as anna' in hour['owner'].body


def test_the_owner_logs_in_and_changes_the_password(hour):
    assert hour['log in'].status == 302 and hour['change'].status == 303
    assert hour['old password'].status == 401 and hour['new password'].status == 302


def test_a_program_comes_in_by_a_key(hour):
    assert hour['key'].status == 200 and hour['by key'].status == 200
    assert json.loads(hour['by key'].body)['light'] == 'off'


def test_account_and_key_outlive_a_pulled_plug(hour):
    assert 'type this code' not in hour['second start']
    assert hour['after the reboot'].status == 302 and hour['key after the reboot'].status == 200


def test_V4_a_reset_leaves_nothing_of_the_owner_and_the_next_one_claims(hour):
    assert {'users.json', 'secret.key', 'keys.json'} <= set(hour['reset']['wiped'])
    assert (hour['old cookie'].status, hour['old cookie'].location) == (302, '/claim')
    assert hour['key after the reset'].status in (302, 503)
    assert code_in(hour['third start']) != code_in(hour['first start'])
    assert hour['next claim'].status == 302 and hour['next owner'].status == 200
    assert hour['last owner'].status == 401
