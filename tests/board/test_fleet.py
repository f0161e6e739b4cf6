"""examples/fleet with a board on the emulated Pico: what the central app issues opens this board and no other."""
import json
from pathlib import Path

import pytest

from dotlatch import fleet, fleetlogin, tokens
from dotlatch.portable import b64url_decode
from tests.server.fleet import FLEET, Fleet

from . import library
from .pico import Pico

CLIENT = Path(__file__).with_name('fleet_client.py')
PICO, UNIX = 'pico-1', 'pump-7'


def board_files(board_json):
    files = {**library.dotlatch(), **library.microdot()}
    files['/main.py'] = (FLEET / 'board.py').read_bytes()
    files['/board.json'] = board_json.encode()
    files['/lib/fleet_client.mpy'] = library.compiled_test(CLIENT, CLIENT.name)
    return files


class Visit:
    """What both boards answer: the Pico before and after its clock was set, and the unix port meanwhile."""

    def __init__(self, folder):
        self.fleet = Fleet(folder, {UNIX: 'builtin-micropython'})
        self.board_json = self.fleet.command('board', PICO, 'http://pico-1.lan')
        self.pico_key = b64url_decode(json.loads(self.board_json)['key'])
        try:
            self.fleet.start()
            self.answers = self.run()
        finally:
            self.fleet.stop()

    def run(self):
        origin = self.fleet.central.url
        with Pico(board_files(self.board_json)) as pico:
            pico.wait_for('The board is on')
            unset = self.ask(pico, [
                bearer('clock unset', self.fleet.token(PICO)),
                form('clock unset, browser', self.fleet.login_token(PICO), origin)])
            pico.set_clock()
            token = self.fleet.token(PICO)
            # The program on the board starts with the visit, and takes no token that may have been used before.
            coming = tokens.decode(self.fleet.login_token(PICO), self.pico_key, fleetlogin.TYP, PICO)
            coming['iat'] += 30
            login_token = tokens.encode(coming, self.pico_key, fleetlogin.TYP)
            claims = tokens.decode(token, self.pico_key, fleet.TYP, PICO)
            unix_key = b64url_decode(self.fleet.key(UNIX))
            ended = claims.copy()
            ended['exp'] = claims['iat'] - 1
            stolen = claims.copy()
            stolen['sub'] = 'thief'
            answers = self.ask(pico, [
                bearer('a token', token),
                bearer('for another board', self.fleet.token(UNIX)),
                bearer('made with a key that was stolen elsewhere', tokens.encode(stolen, unix_key, fleet.TYP)),
                bearer('ended', tokens.encode(ended, self.pico_key, fleet.TYP)),
                bearer('changed', token[:-5] + ('A' if token[-5] != 'A' else 'B') + token[-4:]),
                bearer('for a browser', login_token),
                bearer('bert looks', self.fleet.token(PICO, 'bert')),
                bearer('bert touches', self.fleet.token(PICO, 'bert'), 'POST', '/valve'),
                ['a stranger', 'GET', '/', {'Accept': 'text/html'}, ''],
                form('a page of somebody else', login_token, 'http://evil.lan'),
                form('a token for scripts', token, origin),
                form('another boards', self.fleet.login_token(UNIX), origin),
                form('anna comes', login_token, origin),
                ['anna is in', 'GET', '/', {'Accept': 'text/html'}, ''],
                ['a page of another board touches', 'POST', '/valve', {'Origin': 'http://board.lan:81'}, 'valve=open'],
                ['anna touches', 'POST', '/valve', {'Origin': 'http://board.lan'}, 'valve=open'],
                form('the same once more', login_token, origin)])
        self.unix = [self.fleet.ask(UNIX, found).status_code for found in (self.fleet.token(UNIX), token)]
        return {answer['step']: answer for answer in unset + answers}

    def ask(self, pico, steps):
        printed = pico.run(f'import fleet_client\nfleet_client.run({steps!r})', timeout=300)
        return json.loads(printed.splitlines()[-1])


def bearer(step, token, method='GET', path='/state'):
    return [step, method, path, {'Authorization': 'Bearer ' + token, 'Accept': 'application/json'}, '']


def form(step, token, origin):
    return [step, 'POST', '/fleet', {'Origin': origin}, 'token=' + token]


@pytest.fixture(scope='module')
def visit(board, tmp_path_factory):
    return Visit(tmp_path_factory.mktemp('fleet'))


@pytest.fixture(autouse=True)
def on_micropython(record_property):
    record_property('python', 'MicroPython on an emulated Raspberry Pi Pico')


@pytest.mark.parametrize('step, status', [
    ('clock unset', 401),
    ('clock unset, browser', 503),
    ('a token', 200),
    ('for another board', 401),
    ('made with a key that was stolen elsewhere', 401),
    ('ended', 401),
    ('changed', 401),
    ('for a browser', 401),
    ('bert looks', 200),
    ('bert touches', 403),
    ('a stranger', 302),
    ('a page of somebody else', 403),
    ('a token for scripts', 401),
    ('another boards', 401),
    ('anna comes', 303),
    ('anna is in', 200),
    ('a page of another board touches', 403),
    ('anna touches', 303),
    ('the same once more', 401),
])
def test_T8_what_the_board_answers(visit, step, status):
    assert visit.answers[step]['status'] == status, visit.answers[step]


def test_T8_the_other_board_takes_its_own_tokens_and_not_the_picos(visit):
    assert visit.unix == [200, 401]


def test_it_says_why_no_token_counts_while_its_clock_is_not_set(visit):
    assert 'error_description="the clock of this device is not set"' in visit.answers['clock unset']['challenge']
    assert visit.answers['clock unset, browser']['body'] == 'The clock of this device is not set'


def test_R3_a_missing_scope_is_named(visit):
    assert 'error="insufficient_scope", scope="write"' in visit.answers['bert touches']['challenge']


def test_it_knows_who_comes(visit):
    assert json.loads(visit.answers['a token']['body']) == {'board': PICO, 'valve': 'shut'}
    assert 'Hello, anna.' in visit.answers['anna is in']['body']


def test_strangers_are_sent_to_the_central_app(visit):
    assert visit.answers['a stranger']['location'] == f'{visit.fleet.central.url}/boards/{PICO}?next=/'
