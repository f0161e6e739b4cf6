"""examples/console on a board: it boots as main.py, and a browser on the board itself visits it."""
import json
from pathlib import Path

import pytest

from . import library
from .pico import Pico

CONSOLE = library.ROOT / 'examples' / 'console'
CLIENT = Path(__file__).with_name('console_client.py')
PASSWORD = 'copper ladder on a green barn'
NEW_PASSWORD = 'tulip harbour nine lantern'
LOGIN = '/login?next=/'


def board_files():
    files = {**library.dotlatch(), **library.microdot()}
    for name in ('main.py', 'keys.py'):  # people.py takes more memory than there is
        files['/' + name] = (CONSOLE / name).read_bytes()
    files['/lib/console_client.mpy'] = library.compiled_test(CLIENT, CLIENT.name)
    return files


def code_in(printed):
    """What who is to own the board has to type: it is on the serial console."""
    return printed.split('type this code: ')[1].split()[0]


class Visit:
    """What a board said at its first start, to a browser, and after it was unplugged."""

    def __init__(self, pico, clock):
        self.first_start = pico.wait_for('The console is on')
        if clock == 'set':
            pico.set_clock()
        printed = pico.run(
            f'import console_client\nconsole_client.run({PASSWORD!r}, {NEW_PASSWORD!r})',
            timeout=300)
        lines = [json.loads(line) for line in printed.splitlines() if line.startswith('{')]
        self.claim = next(line for line in lines if 'modules' in line)
        self.steps = {line['step']: line for line in lines if 'status' in line}
        for step in self.steps.values():
            body = ''.join([line['piece'] for line in lines if 'piece' in line and line['step'] == step['step']])
            step['body'] = body.split('<main>')[-1]
        pico.power_off()
        self.flash = pico.flash.read_bytes()
        pico.power_on()
        self.second_start = pico.wait_for('The console is on')
        self.reset = pico.run('import os, main\nmain.reset()\nprint(os.listdir())')
        pico.power_off()
        pico.power_on()
        self.third_start = pico.wait_for('The console is on')


@pytest.fixture(scope='module', params=['unset', 'set'], ids=['clock-unset', 'clock-set'])
def visit(board, request):
    with Pico(board_files()) as pico:
        return Visit(pico, request.param)


@pytest.fixture(autouse=True)
def on_micropython(record_property):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')


@pytest.mark.parametrize('step, status, location', [
    ('before there is an owner', 302, '/claim'),
    ('the login before there is an owner', 302, '/claim'),
    ('the claim page', 200, None),
    ('a wrong code', 403, None),
    ('the code', 302, '/'),
    ('the page of the owner', 200, None),
    ('the claim page afterwards', 404, None),
    ('the code once more', 404, None),
    ('a stranger', 302, LOGIN),
    ('the login page', 200, None),
    ('a wrong password', 401, None),
    ('the password', 302, '/'),
    ('the figures', 200, None),
    ('the page', 200, None),
    ('the light', 303, '/'),
    ('the page with the light on', 200, None),
    ('a common password', 400, None),
    ('another password', 303, '/account'),
    ('after the change', 200, None),
    ('the cookie from before the change', 302, LOGIN),
    ('no keys yet', 200, None),
    ('a new key', 200, None),
    ('the figures by key', 200, None),
    ('the light by key', 403, None),
    ('the keys', 200, None),
    ('revoke the key', 303, '/keys'),
    ('the figures by a revoked key', 401, None),
    ('log out', 303, '/login'),
    ('after the logout', 302, LOGIN),
    ('the cookie from before the logout', 302, LOGIN),
    ('the old password', 401, None),
    ('the new password', 302, '/'),
    ('the page again', 200, None),
])
def test_a_visit_to_the_console(visit, step, status, location):
    answer = visit.steps[step]
    assert (answer['status'], answer['location']) == (status, location), answer['body']


def test_the_figures_are_the_boards(visit):
    figures = json.loads(visit.steps['the figures']['body'])
    assert figures['temperature'].startswith('27')  # what the emulator's thermometer shows
    assert figures['light'] == 'off'
    assert figures['memory'].endswith(' KB')


def test_the_light_is_switched(visit):
    assert 'Switch the light on' in visit.steps['the page']['body']
    assert 'Switch the light off' in visit.steps['the page with the light on']['body']


def test_the_cookies_are_gone_after_the_logout(visit):
    assert visit.steps['after the change']['cookies'] == ['session']
    assert visit.steps['log out']['cookies'] == []


def test_V2_the_code_is_shown_until_there_is_an_owner(visit):
    assert len(code_in(visit.first_start)) == 11
    assert 'type this code' not in visit.second_start


def test_V4_the_claim_leaves_no_module_behind(visit):
    assert visit.claim['modules'] == []
    print('figure: free memory of the console when it has been claimed: %d KB' % (visit.claim['free'] // 1024))


def test_V4_a_reset_at_the_boards_prompt_makes_it_a_new_one(visit):
    for name in ('users', 'secret', 'keys', 'throttle', 'revoked'):
        assert "'" + name + '.' not in visit.reset.replace("'keys.py'", ''), visit.reset
    assert "'main.py'" in visit.reset
    assert code_in(visit.third_start) != code_in(visit.first_start)


def test_a_key_is_shown_once_and_there_is_memory_left(visit):
    secret = visit.steps['a new key']['body'].split('<code>console_')[1][13:45]
    assert len(secret) == 32 and secret not in visit.steps['the keys']['body']
    assert 'Weather display' in visit.steps['the keys']['body']
    assert 'Last used: ' in visit.steps['the keys']['body'] and 'never<br>' not in visit.steps['the keys']['body']
    free = json.loads(visit.steps['the figures by key']['body'])['memory']
    print('figure: free memory of the console after all its pages: ' + free)
    assert int(free.split()[0]) > 12  # kilobytes; the browser that asks for it takes some, too
    assert b'keys.json' in visit.flash and secret.encode() not in visit.flash


def test_no_password_is_in_the_flash(visit):
    assert b'users.json' in visit.flash
    for password in (PASSWORD, NEW_PASSWORD):
        assert password.encode() not in visit.flash


def test_V2_V5_every_board_has_a_code_and_a_key_of_its_own(board, visit):
    with Pico(board_files()) as another:
        assert code_in(another.wait_for('The console is on')) != code_in(visit.first_start)
