"""Digest attacked: a parser against a slow one, counts and nonces at the end of every scale."""
from client import raises
from clock import FakeClock
from test_digest import PASSWORD, REALM, Visitor, guarded, is_stale, make

from dotlatch.digest import DigestAuth, make_userhash
from dotlatch.digestheader import MAX_PARAMETERS, parse
from dotlatch.nonces import GOOD, REPLAY, STALE, Nonces

TOKEN = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!#$%&'*+^`|~"


# --- the parser ----------------------------------------------------------------------------------------

class Slow:
    """RFC 9110 sections 5.6.1 to 5.6.4 and 11.2, a byte at a time."""
    def __init__(self, text):
        self.source = text.encode()
        self.at = 0
        if not self.source or [c for c in self.source if (c < 32 and not c == 9) or c == 127]:
            raise ValueError('empty, or a control character')

    def next(self):
        return self.source[self.at:self.at + 1]

    def blanks(self):
        while self.next() in (b' ', b'\t'):
            self.at += 1

    def token(self):
        start = self.at
        while self.next() and self.next() in TOKEN:
            self.at += 1
        if start == self.at:
            raise ValueError('no token')
        return self.source[start:self.at]

    def expect(self, *allowed):
        if self.next() not in allowed:
            raise ValueError('something else')
        self.at += 1

    def quoted(self):
        self.expect(b'"')
        value = b''
        while not self.next() == b'"':
            if self.next() == b'\\':
                self.at += 1
            if not self.next():
                raise ValueError('no end')
            value += self.next()
            self.at += 1
        self.at += 1
        return value

    def parameters(self):
        found = {}
        while True:
            self.blanks()
            if not self.next():
                return found
            if not self.next() == b',':
                name = self.token().lower()
                self.blanks()
                self.expect(b'=')
                self.blanks()
                is_quoted = self.next() == b'"' and not name == b'username*'
                value = self.quoted() if is_quoted else self.token()
                if name in found or len(found) == MAX_PARAMETERS:
                    raise ValueError('twice, or too many')
                found[name] = value
                self.blanks()
            if self.next():
                self.expect(b',')


def verdict(f):
    try:
        return f()
    except ValueError:
        return 'refused'


PIECES = ('"', '"', '\\', '\\\\', '\\"', ',', ',', '=', '=', ' ', '\t', 'a', 'b', 'username', 'username*', 'USERNAME*',
          'Realm', 'nonce', '\x01', '\x02', '\x7f', '\0', '\xe9', '\U0001f511', '"a"', 'a="b"', 'c=d', "UTF-8''%41",
          'a=', '"=', '/', '@', 'x="', '",', 'd="\\"', ', e=')


def test_D4_the_parser_agrees_with_a_slow_one_on_texts_of_all_kinds():
    seed = 7
    taken = 0
    for _ in range(10000):
        text = ''
        seed = (seed * 1103515245 + 12345) & 0x3fffffff
        for _ in range((seed >> 16) % 13):
            seed = (seed * 1103515245 + 12345) & 0x3fffffff
            text += PIECES[(seed >> 12) % len(PIECES)]
        expected = verdict(lambda text=text: Slow(text).parameters())
        taken += not expected == 'refused'
        assert verdict(lambda text=text: parse(text)) == expected, text
    assert taken > 100, taken


def test_D4_an_extended_name_has_no_quotes_in_any_case():
    for name in ('username*', 'USERNAME*', 'Username*', ' \tuserName* '):
        assert raises(ValueError, parse, name + '="UTF-8\'\'anna"')
        assert parse(name + "=UTF-8''anna") == {b'username*': b"UTF-8''anna"}


def test_D4_sixteen_parameters_are_read_and_no_more():
    for count in (15, 16):
        assert len(parse(','.join(['p%d=1' % i for i in range(count)]))) == count
    for count in (17, 300):
        for form in ('p%d=1', 'p%d="1"', 'P%d = "\\1"'):
            assert raises(ValueError, parse, ','.join([form % i for i in range(count)]))


# --- D3: counts --------------------------------------------------------------------------------------------

async def test_D3_a_count_of_more_than_8_digits_is_a_400_with_the_right_password_too():
    visitor = Visitor(make())
    await visitor.ask()
    for nc in ('100000000', 'fffffffff', 'f' * 16, '1' + '0' * 300):
        assert (await visitor.send(nc=nc)).status_code == 400, nc
    assert (await visitor.send(nc='ffffffff')).status_code == 200
    assert (await visitor.send(nc='FFFFFFFF')).status_code == 401
    assert (await visitor.send(nc='fffffffe')).status_code == 200


def test_D3_the_window_stays_small_however_far_a_count_leaps():
    nonces = Nonces(300, 1)
    nonce = nonces.new()
    for count in (1, 1 << 31, (1 << 32) - 1):
        assert nonces.use(nonce, count) == GOOD
        assert nonces.use(nonce, count) == REPLAY
    assert nonces.use(nonce, 1) == STALE and nonces.use(nonce, (1 << 32) - 65) == STALE
    assert nonces.use(nonce, (1 << 32) - 64) == GOOD


# --- D2: time -----------------------------------------------------------------------------------------------

async def test_D2_a_nonce_lives_and_ends_across_the_moment_when_ticks_begin_anew():
    for before in (1, 1000, 150000, 299999):
        with FakeClock(ticks=(1 << 30) - before) as clock:
            visitor = Visitor(make())
            assert (await visitor.visit()).status_code == 200
            clock.advance(299)
            assert (await visitor.send()).status_code == 200, before
            clock.advance(1)
            assert is_stale(await visitor.send()), before


def test_D2_nonces_of_years_of_uptime_are_as_good_as_new_ones():
    with FakeClock(ticks_mask=(1 << 62) - 1) as clock:
        nonces = Nonces(300, 4)
        for years in (1, 10, 100):
            clock.advance(years * 31557600)
            nonce = nonces.new()
            assert nonces.use(nonce, 1) == GOOD and nonces.use(nonce, 1) == REPLAY, years


# --- D3: threads ----------------------------------------------------------------------------------------------

def test_D3_the_floor_never_falls_and_nothing_below_it_comes_back():
    with FakeClock():
        nonces = Nonces(300, 3)
        made = [nonces.new() for _ in range(30)]
        used = set()
        floor = 0
        seed = 3
        for _ in range(600):
            seed = (seed * 1103515245 + 12345) & 0x3fffffff
            number = (seed >> 12) % len(made)
            said = nonces.use(made[number], 1)
            assert nonces._floor >= floor and len(nonces._used) <= 3
            floor = nonces._floor
            if said is GOOD:
                assert number not in used, number
                used.add(number)


# --- hidden names ---------------------------------------------------------------------------------------------

async def test_D4_a_table_of_hidden_names_that_cannot_be_asked_is_a_503():
    auth = DigestAuth(REALM)
    app = guarded(auth)
    broken = []

    @auth.find_username
    async def find(request, userhash):
        if broken:
            raise OSError(5)
        return 'anna'

    visitor = Visitor(app)
    await visitor.ask()
    hidden = {'username': make_userhash('anna', REALM), 'userhash': 'true'}
    assert (await visitor.send(**hidden)).status_code == 200
    broken.append(True)
    res = await visitor.send(**hidden)
    assert (res.status_code, res.headers.get('Retry-After')) == (503, '2')
    broken.clear()
    assert (await visitor.send(**hidden)).status_code == 200
    assert PASSWORD not in str(res.headers)
