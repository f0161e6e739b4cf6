"""Digest: the password never travels, no request counts twice, and nobody without a password fills a table."""
import gc
import hashlib
from binascii import hexlify, unhexlify

from client import Client, Warnings, b64, basic, partial, raises, shapes
from clock import FakeClock
from microdot import Microdot, abort

from dotlatch import nonces, portable
from dotlatch.digest import DigestAuth, make_ha1, make_userhash
from dotlatch.digestheader import extended
from dotlatch.digestheader import parse as parse_bytes
from dotlatch.nonces import GOOD, REPLAY, STALE, Nonces
from dotlatch.portable import MICROPYTHON
from dotlatch.strictjson import loads
from dotlatch.throttle import Throttle

VECTORS = __file__.rsplit('/', 2)[0] + '/vectors/rfc7616_digest.json'
REALM = 'Greenhouse'
PASSWORD = 'correct horse'
JOHN = 'J\xe4s\xf8n Doe'


def H(*parts, algorithm='SHA-256'):
    """The hash of section 3.4, by this file's own hand."""
    new = {'SHA-256': 'sha256', 'MD5': 'md5', 'SHA-512-256': 'sha512_256'}[algorithm]
    text = ':'.join(parts).encode()
    h = getattr(hashlib, new)(text) if hasattr(hashlib, new) else hashlib.new(new, text)
    return hexlify(h.digest()).decode()


def parse(text):
    """The parameters of a header, as text."""
    given = parse_bytes(text)
    return {name.decode(): given[name].decode() for name in given}


def quoted(text):
    return '"' + text.replace('\\', '\\\\').replace('"', '\\"') + '"'


class Visitor(Client):
    """A client that answers challenges. ``send`` takes parameters that differ from the right ones; None leaves out."""
    def __init__(self, app, username='anna', password=PASSWORD):
        super().__init__(app)
        self.username = username
        self.password = password
        self.challenge = {}
        self.count = 0

    async def ask(self, url='/', method='GET'):
        """Get a challenge."""
        return self.hear(await self.request(method, url))

    def hear(self, res):
        if res.status_code in (400, 401):
            given = res.headers['WWW-Authenticate']
            given = given[0] if isinstance(given, list) else given  # one line for each algorithm
            self.challenge = parse(given[len('Digest '):])
            self.count = 0
        return res

    def credentials(self, url='/', method='GET', **changes):
        self.count += 1
        given = {'username': self.username, 'realm': self.challenge['realm'], 'nonce': self.challenge['nonce'],
                 'uri': url, 'algorithm': self.challenge['algorithm'], 'qop': 'auth', 'nc': '%08x' % self.count,
                 'cnonce': 'a cnonce'}
        given.update(changes)
        if 'response' not in given:
            p = {name: given[name] or '' for name in given}
            a = 'MD5' if given['algorithm'] == 'MD5' and hasattr(hashlib, 'md5') else 'SHA-256'
            ha1 = H(self.username, p['realm'], self.password, algorithm=a)
            given['response'] = H(ha1, p['nonce'], p['nc'], p['cnonce'], p['qop'],
                                  H(method, p['uri'], algorithm=a), algorithm=a)
        return given

    def header(self, given):
        bare = ('algorithm', 'qop', 'nc', 'username*', 'userhash')
        return 'Digest ' + ', '.join([name + '=' + (given[name] if name in bare else quoted(given[name]))
                                      for name in sorted(given) if given[name] is not None])

    async def send(self, url='/', method='GET', **changes):
        return await self.raw(self.header(self.credentials(url, method, **changes)), url, method)

    async def raw(self, header, url='/', method='GET', body=b''):
        return await self.request(method, url, {'Authorization': header}, body)

    async def visit(self, url='/', method='GET'):
        """What a browser does: ask, and answer."""
        await self.ask(url, method)
        return await self.send(url, method)


def is_stale(res):
    assert res.status_code == 401
    return ', stale=true' in str(res.headers['WWW-Authenticate'])  # a list, where several algorithms are offered


def guarded(auth, **users):
    """An app with a locked page, one that takes credentials or does without, and one for each path below /any/."""
    app = Microdot()
    app.users = users or {'anna': {'id': 'anna', 'digest_ha1': auth.make_ha1('anna', PASSWORD)}}
    app.asked = []
    app.auth = auth

    @auth.authenticate
    async def find(request, username):
        app.asked.append(username)
        return app.users.get(username)

    async def page(request, rest=''):
        user = request.g.current_user
        return 'in: ' + user['id'] if user else 'nobody'

    app.route('/', methods=['GET', 'POST'])(auth(page))
    app.get('/any/<path:rest>')(auth(page))
    app.get('/optional')(auth.optional(page))
    return app


def make(**options):
    options.setdefault('realm', REALM)
    return guarded(DigestAuth(**options))


def vectors():
    with open(VECTORS, 'rb') as file:
        return loads(file.read())


# --- D1: algorithms -----------------------------------------------------------------------------------------

async def verdict_of_row(row, algorithm, algorithms=('SHA-256',)):
    """What the app says of a row's credentials: 'right', for a nonce that is not its own, 'wrong' or a status."""
    auth = DigestAuth(realm=row['realm'], algorithms=algorithms)
    ha1 = auth.make_ha1(row['username'], row['password'])
    app = guarded(auth, **{row['username']: {'id': 'x', 'digest_ha1': ha1}})

    @app.route('/<path:any>', methods=['GET', 'POST'])
    @auth
    async def page(request, any):
        return 'in'

    if row.get('userhash'):
        @auth.find_username
        async def find(request, userhash):
            return row['username'] if userhash == row['userhash_value'] else None

    given = {name: row.get(name) for name in ('username', 'realm', 'uri', 'nonce', 'nc', 'cnonce', 'qop', 'response',
                                              'opaque')}
    given['algorithm'] = algorithm
    if row.get('userhash'):
        given['userhash'] = 'true'
        given['username'] = row['userhash_value']
    visitor = Visitor(app)
    res = await visitor.raw(visitor.header(given), row['uri'], row['method'])
    if res.status_code != 401:
        return res.status_code
    return 'right' if is_stale(res) else 'wrong'


async def test_D1_the_rows_of_the_RFCs_are_right():
    document = vectors()
    seen = {'right': 0, 'wrong': 0}
    for row in document['cases']:
        offered = ('SHA-256', 'MD5')
        try:
            DigestAuth(algorithms=offered)
        except ValueError:  # no MD5 in this MicroPython
            offered = ('SHA-256',)
        served = row['qop'] == 'auth' and row['algorithm'] in offered
        assert await verdict_of_row(row, row['algorithm'], offered) == ('right' if served else 'wrong'), row['id']
        bent = row.copy()
        bent['response'] = ('0' if row['response'][0] != '0' else '1') + row['response'][1:]
        assert await verdict_of_row(bent, row['algorithm'], offered) == 'wrong', row['id']
        seen['right' if served else 'wrong'] += 1
    assert seen['right'] + seen['wrong'] == 9 and seen['right'] >= 5 and seen['wrong'] >= 2, seen


async def test_D1_the_userhash_example_of_the_RFC_is_right_with_every_hash_there_is():
    row = vectors()['rfc7616_3_9_2_userhash']
    for algorithm in ('SHA-256', 'SHA-512-256'):
        try:
            DigestAuth(algorithms=(algorithm,))
        except ValueError:
            assert MICROPYTHON and algorithm != 'SHA-256'
            continue
        computed = row['recomputed'][algorithm]
        assert make_userhash(row['username'], row['realm'], algorithm) == computed['userhash']
        case = row.copy()
        case.update({'userhash': True, 'userhash_value': computed['userhash'], 'response': computed['response']})
        assert await verdict_of_row(case, algorithm, (algorithm,)) == 'right', algorithm


async def test_D1_MD5_is_off_by_default_and_refused():
    app = make()
    visitor = Visitor(app)
    challenge = (await visitor.ask()).headers['WWW-Authenticate']
    assert challenge.startswith('Digest realm="Greenhouse", qop="auth", algorithm=SHA-256, nonce="')
    assert 'MD5' not in challenge
    for algorithm in ('MD5', 'md5', 'MD5-sess', 'SHA-512-256', 'SHA-256-sess', 'SHA-1', 'sha256', 'none', None):
        res = await visitor.send(algorithm=algorithm)
        assert res.status_code == 401 and not is_stale(res), algorithm
    assert (await visitor.send(algorithm='sha-256')).status_code == 200


async def test_D1_a_qop_that_is_missing_or_not_offered_is_refused():
    visitor = Visitor(make())
    await visitor.ask()
    for qop in (None, 'auth-int', 'AUTH', 'auth,auth-int', 'token'):
        res = await visitor.send(qop=quoted(qop) if qop and ',' in qop else qop)
        assert res.status_code == 401 and not is_stale(res), qop
    old = H(H('anna', REALM, PASSWORD), visitor.challenge['nonce'], H('GET', '/'))  # RFC 2069
    res = await visitor.send(qop=None, nc=None, cnonce=None, response=old)
    assert res.status_code == 401 and not is_stale(res)


def test_D1_an_algorithm_that_is_not_to_be_had_is_refused_at_the_start():
    for algorithms in (('SHA-1',), ('SHA-256', 'none'), ('MD5-sess',), ('SHA-256-sess',), (), 'SHA-256', ('md5',)):
        raises(ValueError, DigestAuth, algorithms=algorithms)
    raises(ValueError, make_ha1, 'anna', REALM, 'x', 'SHA-1')
    if MICROPYTHON:
        raises(ValueError, DigestAuth, algorithms=('SHA-512-256',))


async def test_D1_several_algorithms_are_offered_in_the_order_that_was_asked_for():
    second = 'MD5' if hasattr(hashlib, 'md5') else 'SHA-256'
    app = make(algorithms=('SHA-256', second))
    visitor = Visitor(app)
    offered = (await visitor.ask()).headers['WWW-Authenticate']
    assert 'algorithm=SHA-256' in offered[0] and 'algorithm=' + second in offered[1] and len(offered) == 2
    for number, algorithm in ((1, 'SHA-256'), (2, second)):
        res = await visitor.send(algorithm=algorithm, nc='%08x' % number)
        assert res.text == 'in: anna', algorithm


# --- D2: nonces ---------------------------------------------------------------------------------------------

async def test_D2_a_nonce_ends_and_only_a_right_digest_is_told_that_it_is_stale():
    for seconds in (300, 10):
        with FakeClock(ticks=(1 << 30) - 5000) as clock:  # the ticks start again while it lasts
            visitor = Visitor(make(nonce_seconds=seconds))
            await visitor.ask()
            clock.advance(seconds - 1)
            assert (await visitor.send()).text == 'in: anna'
            clock.advance(1)
            for wrong in ({'response': '0' * 64}, {'response': 'x'}, {'username': 'ben'}):
                assert not is_stale(await visitor.send(**wrong)), wrong
            res = await visitor.send()
            assert is_stale(res)
            visitor.hear(res)
            assert (await visitor.send()).text == 'in: anna'


async def test_D2_a_challenge_is_not_stale_for_a_stranger():
    visitor = Visitor(make())
    assert not is_stale(await visitor.ask())
    assert not is_stale(await visitor.raw('Digest realm="Greenhouse"'.replace('Greenhouse', 'other')))


async def test_D2_setting_the_clock_neither_ends_nor_prolongs_a_nonce():
    with FakeClock() as clock:
        visitor = Visitor(make())
        await visitor.ask()
        for year in (-30, 30):
            clock.set(clock.time + year * 31557600)
            assert (await visitor.send()).status_code == 200
        clock.advance(300)
        clock.set(0)
        assert is_stale(await visitor.send())


async def test_D2_a_nonce_of_another_boot_or_of_nobody_opens_nothing():
    visitor = Visitor(make())
    await visitor.ask()
    nonce = visitor.challenge['nonce']
    other = Visitor(make())
    await other.ask()
    bent = nonce[:-1] + ('A' if nonce[-1] != 'A' else 'B')
    for made_up in (other.challenge['nonce'], bent, 'A' * 36, 'A', 'x' * 1200, nonce + 'A', nonce[:-4], nonce.upper(),
                    nonce + '=', ' ' + nonce, 'caf\xe9', '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v'):
        res = await visitor.send(nonce=made_up)
        assert res.status_code == 401 and 'in:' not in res.text, made_up
    assert len(visitor.app.auth._nonces._used) == 0


def test_D2_no_two_nonces_are_equal_and_none_can_be_foretold():
    with FakeClock():  # time stands still
        one, two = Nonces(300, 8), Nonces(300, 8)
        made = [one.new() for _ in range(500)] + [two.new() for _ in range(500)]
    assert len(set(made)) == 1000
    assert len({nonce[16:] for nonce in made}) == 1000  # the signatures alone
    assert all(len(nonce) == 36 for nonce in made)
    for nonce in made[:20]:
        assert two.use(nonce, 1) == STALE


def test_D2_a_nonce_has_one_spelling():
    kept = Nonces(300, 8)
    nonce = kept.new()
    for other in (nonce + '=', nonce + 'AAAA', nonce[:-1], '', ' ' + nonce, nonce + '\n', nonce.lower() + 'A'):
        assert kept.use(other, 1) == STALE, other
    assert kept.use(nonce, 1) == GOOD


# --- D3: counts ---------------------------------------------------------------------------------------------

async def test_D3_a_replay_is_refused():
    app = make()
    visitor = Visitor(app)
    await visitor.ask()
    first = visitor.header(visitor.credentials())
    assert (await visitor.raw(first)).text == 'in: anna'
    assert (await visitor.send()).text == 'in: anna'
    for _ in range(3):
        res = await visitor.raw(first)
        assert res.status_code == 401 and not is_stale(res)


async def test_D3_requests_that_overtake_each_other_pass_once():
    visitor = Visitor(make())
    await visitor.ask()
    headers = [visitor.header(visitor.credentials()) for _ in range(8)]
    for turn in (1, 0, 5, 3, 2, 7, 4, 6):
        assert (await visitor.raw(headers[turn])).text == 'in: anna', turn
    for turn in range(8):
        assert (await visitor.raw(headers[turn])).status_code == 401, turn


def test_D3_counts_within_the_window_pass_once_and_older_ones_never():
    for size in (1, 2, 29, 30, 31, 62, 63, 64, 65, 100, 4000, 0xfffffffe):
        kept = Nonces(300, 8)
        nonce = kept.new()
        assert kept.use(nonce, 1) == GOOD
        assert kept.use(nonce, 1 + size) == GOOD
        assert kept.use(nonce, 1 + size) == REPLAY, size
        assert kept.use(nonce, 1) == (REPLAY if size < 64 else STALE), size
        assert kept.use(nonce, 0) != GOOD
        if size > 1:
            assert kept.use(nonce, size) == GOOD
            assert kept.use(nonce, size) == REPLAY
        assert kept.use(nonce, 1 + size) == REPLAY, size


async def test_D3_a_count_that_is_malformed_is_a_400():
    visitor = Visitor(make())
    await visitor.ask()
    for nc in (None, '1', '0000001', '000000001', '0000000g', '-0000001', '+0000001', '0x000001', '00000000',
               '"0000 001"', '"\u0661\u0661\u0661\u0661\u0661\u0661\u0661\u0661"', '0000_001', '" 0000001"'):
        res = await visitor.send(nc=nc)
        assert (res.status_code, visitor.app.asked) == (400, []), nc
    assert (await visitor.send(nc='0000000A')).status_code == 200  # as it was sent, so it is hashed
    assert (await visitor.send(nc='0000000a')).status_code == 401


def test_D3_no_order_of_requests_and_evictions_lets_one_pass_twice():
    chance = Chance(7)
    for room in (1, 2, 3, 8):
        with FakeClock() as clock:
            kept = Nonces(300, room)
            made, passed, good = [], set(), 0
            for _ in range(2000):
                what = chance.below(10)
                if what == 0 or not made:
                    made.append(kept.new())
                    continue
                if what == 1:
                    clock.advance(chance.below(20))
                nonce = made[max(0, len(made) - 1 - chance.below(2 * room + 2))]
                count = 1 + chance.below(5)
                if kept.use(nonce, count) == GOOD:
                    assert (nonce, count) not in passed
                    passed.add((nonce, count))
                    good += 1
                assert len(kept._used) <= room
            assert good > 100, good


class Chance:
    """Numbers that are the same on both Pythons."""
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) % 2147483648
        return (self.state >> 8) % n


async def test_D3_when_the_table_is_full_the_oldest_makes_room_and_is_stale_for_good():
    app = make(max_nonces=4)
    visitors = []
    for _ in range(6):
        visitor = Visitor(app)
        assert (await visitor.visit()).text == 'in: anna'
        visitors.append(visitor)
    for visitor in visitors[:2]:
        for count in (1, 2, 3):
            assert is_stale(await visitor.send(nc='%08x' % count)), count
    for visitor in visitors[2:]:
        assert (await visitor.send()).text == 'in: anna'
        assert (await visitor.send(nc='00000001')).status_code == 401
    assert len(app.auth._nonces._used) == 4


async def test_D3_ten_thousand_nonces_requested_leave_nothing_behind():
    app = make()
    anna = Visitor(app)
    assert (await anna.visit()).text == 'in: anna'
    stranger = Visitor(app, password='wrong')

    async def ask(times):
        for _ in range(times):
            app.auth._nonces.new()
        for _ in range(10):
            await stranger.ask()
            assert (await stranger.send()).status_code == 401
            assert (await stranger.send(username='ben')).status_code == 401

    await ask(100)
    gc.collect()
    before = gc.mem_alloc() if MICROPYTHON else 0
    await ask(10000)
    gc.collect()
    assert list(app.auth._nonces._used) == [anna.challenge['nonce']]
    assert not MICROPYTHON or gc.mem_alloc() - before < 2000
    assert (await anna.send()).text == 'in: anna'


async def test_D3_who_has_no_password_evicts_nobody():
    app = make(max_nonces=2)
    anna = Visitor(app)
    await anna.visit()
    for password, username in (('wrong', 'anna'), (PASSWORD, 'ben')):
        for _ in range(20):
            stranger = Visitor(app, username, password)
            assert (await stranger.visit()).status_code == 401
    assert (await anna.send()).text == 'in: anna'


# --- D4: the address, the realm, names and quoting ----------------------------------------------------------

async def test_D4_the_digest_of_one_address_opens_no_other():
    visitor = Visitor(make())
    await visitor.ask()
    urls = ('/any/a', '/any/a?x=1', '/any/a?x=2', '/any/a?', '/any/%61', '/any/b', '/any/a%20b?q=%2F&r=a+b',
            '/any/%C3%A9', '/any//a', '/any/a/../b', '/any/a;b=c,d')
    for url in urls:
        assert (await visitor.send(url)).text == 'in: anna', url
        for other in urls:
            if other != url:
                res = await visitor.raw(visitor.header(visitor.credentials(other)), url)
                assert res.status_code == 400 and 'in:' not in res.text, (url, other)
    for uri in ('', None, '*', 'http://device.lan/any/a', '//device.lan/any/a', '/any/a#x', '/any/A', ' /any/a',
                '/any/a ', '/any/caf\xe9', '/any/a"', 'x' * 3000):
        res = await visitor.raw(visitor.header(visitor.credentials(uri=uri)), '/any/a')
        assert res.status_code == 400, uri


async def test_D4_the_digest_of_one_method_opens_no_other():
    visitor = Visitor(make())
    for method in ('GET', 'HEAD', 'POST'):
        assert (await visitor.visit('/', method)).status_code == 200, method
        for other in ('GET', 'HEAD', 'POST'):
            if other != method:
                res = await visitor.raw(visitor.header(visitor.credentials('/', other)), '/', method)
                assert res.status_code == 401, (method, other)


async def test_D4_another_realm_is_refused():
    visitor = Visitor(make())
    await visitor.ask()
    for realm in ('other', 'greenhouse', 'Greenhouse ', '', None):
        assert (await visitor.send(realm=realm)).status_code == 401, realm


async def test_D4_a_realm_and_a_name_with_quotes_and_commas_are_read():
    for realm in ('a "b", c', 'back\\slash', '$a$b$', 'x=y, nc=00000009', ''):
        for name in ('a"b\\c', 'x, qop=auth-int', '=', "o'brien", JOHN, '\u2603', 'SHA-256$x$', 'a b'):
            auth = DigestAuth(realm=realm)
            app = guarded(auth, **{name: {'id': 'x', 'digest_ha1': auth.make_ha1(name, PASSWORD)}})
            assert (await Visitor(app, name).visit()).text == 'in: x', (realm, name)


async def test_D4_a_name_is_utf8_and_the_challenge_says_so():
    auth = DigestAuth(realm=REALM)
    app = guarded(auth, **{JOHN: {'id': 'john', 'digest_ha1': auth.make_ha1(JOHN, 'S\xe4cret, or not?')}})
    visitor = Visitor(app, JOHN, 'S\xe4cret, or not?')
    res = await visitor.ask()
    assert ', charset=UTF-8' in res.headers['WWW-Authenticate']
    assert (await visitor.send()).text == 'in: john'
    for coded in ("UTF-8''J%C3%A4s%C3%B8n%20Doe", "utf-8'en'J%c3%a4s%c3%b8n%20Doe", "Utf-8''%4a%C3%A4s%C3%B8n%20Doe"):
        changes = {'username': None, 'username*': coded}
        assert (await visitor.send(**changes)).text == 'in: john', coded


async def test_D4_a_name_that_is_malformed_or_comes_twice_is_a_400():
    visitor = Visitor(make())
    await visitor.ask()
    for changes in ({'username': None}, {'username': ''}, {'username': 'a\x7fb'}, {'username': 'a\tb'},
                    {'username*': "UTF-8''anna"}, {'username*': "UTF-8''anna", 'userhash': 'true'},
                    {'username': None, 'username*': "UTF-8''anna", 'userhash': 'true'},
                    {'username': None, 'username*': 'anna'}, {'username': None, 'username*': "UTF-8'anna"},
                    {'username': None, 'username*': "ISO-8859-1''anna"}, {'username': None, 'username*': "''anna"},
                    {'username': None, 'username*': "UTF-8''"}, {'username': None, 'username*': "UTF-8''ann%6"},
                    {'username': None, 'username*': "UTF-8''ann%6x"}, {'username': None, 'username*': "UTF-8''%C0%BA"},
                    {'username': None, 'username*': "UTF-8''%ED%A0%80"}, {'username': None, 'username*': "UTF-8''%ff"},
                    {'username': None, 'username*': "UTF-8''a%00"}, {'username': None, 'username*': "UTF-8''a'b"},
                    {'username': None, 'username*': "UTF-8''a*b"}, {'username': None, 'username*': '"UTF-8\'\'anna"'},
                    {'userhash': 'maybe'}, {'userhash': '"true "'}):
        res = await visitor.send(**changes)
        assert (res.status_code, visitor.app.asked) == (400, []), changes


async def test_D4_userhash_is_refused_unless_it_is_offered():
    app = make()
    visitor = Visitor(app)
    assert 'userhash' not in (await visitor.ask()).headers['WWW-Authenticate']
    hidden = make_userhash('anna', REALM)
    for userhash in ('true', 'TRUE', '"true"'):
        res = await visitor.send(username=hidden, userhash=userhash)
        assert res.status_code == 401 and app.asked == []
    assert (await visitor.send(userhash='false')).text == 'in: anna'


async def test_D4_userhash_hides_the_name():
    async def find(request, userhash):
        return {make_userhash('anna', REALM): 'anna'}.get(userhash)

    for shape, f in shapes(find):
        app = make()
        app.auth.find_username(f)
        visitor = Visitor(app)
        assert ', userhash=true' in (await visitor.ask()).headers['WWW-Authenticate']
        assert (await visitor.send(username=make_userhash('anna', REALM), userhash='true')).text == 'in: anna', shape
        assert (await visitor.send()).text == 'in: anna', 'a client need not hide it'
        asked = len(app.asked)
        for hidden in (make_userhash('ben', REALM), make_userhash('anna', 'other'), 'x' * 64):
            assert (await visitor.send(username=hidden, userhash='true')).status_code == 401, hidden
        assert len(app.asked) == asked + 3, 'nobody costs as much as somebody'
        for hidden in ('anna', 'x' * 63, make_userhash('anna', REALM)[1:]):
            assert (await visitor.send(username=hidden, userhash='true')).status_code == 400, hidden
        visitor.password = 'wrong'
        assert (await visitor.send(username=make_userhash('anna', REALM), userhash='true')).status_code == 401


async def test_D4_find_username_has_to_return_a_name():
    for answer in (True, {'id': 1}, 7, b'anna', ['anna'], ValueError):
        app = make()

        @app.auth.find_username
        async def find(request, userhash):
            if answer is ValueError:  # noqa: B023
                raise ValueError('an error of the app')
            return answer  # noqa: B023

        visitor = Visitor(app)
        await visitor.ask()
        res = await visitor.send(username=make_userhash('anna', REALM), userhash='true')
        assert res.status_code == 500 and 'in:' not in res.text, answer


def test_D4_a_list_of_parameters_is_read_as_the_RFC_has_it():
    for text, expected in (
            ('a=b', {'a': 'b'}), ('A=b', {'a': 'b'}), ('a="b"', {'a': 'b'}), ('a=""', {'a': ''}),
            (' , a=b ,, c=d , ', {'a': 'b', 'c': 'd'}), ('a = "b" , c\t=\td', {'a': 'b', 'c': 'd'}),
            ('a=b,c=d', {'a': 'b', 'c': 'd'}), (r'a="\"b\\c\""', {'a': '"b\\c"'}), (r'a="\b"', {'a': 'b'}),
            (r'a="\\", b="\""', {'a': '\\', 'b': '"'}), ('a="b, c=d", e=f', {'a': 'b, c=d', 'e': 'f'}),
            ('a="=", b="x=y"', {'a': '=', 'b': 'x=y'}), ('a="caf\xe9"', {'a': 'caf\xe9'}),
            ('a="x\ty"', {'a': 'x\ty'}), ("username*=UTF-8''a%20b", {'username*': "UTF-8''a%20b"})):
        assert parse(text) == expected, text


def test_D4_what_is_no_list_of_parameters_is_refused():
    for text in ('', ' ', ',', 'a', 'a,', 'a b=c', 'a="b', 'a="b\\', 'a="b\\"', 'a=b c=d', 'a="b"c', 'a="b" c="d"',
                 '=b', '"a"=b', 'a=', 'a=,b=c', 'a=b"c"', "a=b;c=d", 'a=b=c', 'a==b', 'a=(b)', 'a=caf\xe9', 'caf\xe9=a',
                 'a=b, a=c', 'a=b, A=b', 'nc=1, NC=1', 'a="\x00"', 'a="\r"', 'a="\n"', 'a="\x7f"', 'a=b\x01', '\x0b',
                 'username*="UTF-8\'\'anna"', 'a="b" "c"', 'a=b,c', ', '.join(['p%d=x' % i for i in range(17)])):
        if text.strip(' ,') or not text:
            raises(ValueError, parse, text)
        else:
            assert parse(text) == {}, text
    assert len(parse(', '.join(['p%d=x' % i for i in range(16)]))) == 16


def test_D4_extended_values_are_read_strictly():
    assert extended(b"UTF-8''%e2%82%ac%20rates") == '\u20ac rates'
    assert extended(b"utf-8'en-GB'plain") == 'plain'
    for text in ('', "'", "''", "''a", "UTF-8", "UTF-8'", "UTF-8'a", "latin1''a", "UTF-8''%", "UTF-8''%4", "UTF-8''%zz",
                 "UTF-8''%80", "UTF-8''%C0%80", "UTF-8''%F5%80%80%80", "UTF-8''%ED%A0%80", "UTF-8''%+1", "UTF-8''% 1"):
        raises(ValueError, extended, text.encode())


# --- D6: what is kept ---------------------------------------------------------------------------------------

async def test_D6_a_new_password_ends_the_old_digest_at_once():
    app = make()
    thief = Visitor(app)
    assert (await thief.visit()).text == 'in: anna'
    app.users['anna']['digest_ha1'] = app.auth.make_ha1('anna', 'another one')
    res = await thief.send()
    assert res.status_code == 401 and not is_stale(res)
    assert (await thief.visit()).status_code == 401
    assert (await Visitor(app, password='another one').visit()).text == 'in: anna'


def test_D6_what_is_kept_names_algorithm_and_realm_and_not_the_password():
    kept = make_ha1('Mufasa', 'http-auth@example.org', 'Circle of Life')
    assert kept == 'SHA-256$http-auth@example.org$' + H('Mufasa', 'http-auth@example.org', 'Circle of Life')
    assert DigestAuth(realm=REALM).make_ha1('anna', PASSWORD) == make_ha1('anna', REALM, PASSWORD)
    assert 'horse' not in make_ha1('anna', REALM, PASSWORD)
    for wrong in ((None, REALM, 'x'), ('anna', REALM, None), ('anna', REALM, b'x'), (b'anna', REALM, 'x')):
        raises(TypeError, make_ha1, *wrong)
    raises(ValueError, make_ha1, 'anna', 'a\nb', 'x')


async def test_D6_a_user_without_the_field_has_no_digest():
    class User:
        id = 'object'
        password_hash = make_ha1('anna', REALM, PASSWORD)  # another field is never taken for it

    for user in ({'id': 'x'}, {'id': 'x', 'digest_ha1': None}, {'id': 'x', 'digest_ha1': ''}, User(), 'anna', 7,
                 {'id': 'x', 'password_hash': make_ha1('anna', REALM, PASSWORD)}):
        app = make()
        app.users['anna'] = user
        res = await Visitor(app).visit()
        assert res.status_code == 401 and not is_stale(res), user


async def test_D6_a_digest_of_another_realm_or_algorithm_is_noticed():
    for kept in (make_ha1('anna', 'other', PASSWORD), make_ha1('anna', REALM + '$', PASSWORD), 'junk', 'SHA-256$',
                 'MD5$' + REALM + '$' + H('anna', REALM, PASSWORD), H('anna', REALM, PASSWORD),
                 'SHA-256$' + REALM + '$'):
        app = make()
        app.users['anna']['digest_ha1'] = kept
        with Warnings() as given:
            assert (await Visitor(app).visit()).status_code == 401, kept
        assert len(given) == 1, kept


async def test_D6_users_may_be_objects():
    class User:
        id = 'anna'
        digest_ha1 = make_ha1('anna', REALM, PASSWORD)

    auth = DigestAuth(realm=REALM)
    for shape, find in shapes(lambda request, username: answer(User() if username == 'anna' else None)):
        auth.authenticate(find)
        app = Microdot()

        @app.get('/')
        @auth
        async def page(request):
            return 'in: ' + request.g.current_user.id

        assert (await Visitor(app).visit()).text == 'in: anna', shape
        assert (await Visitor(app, password='wrong').visit()).status_code == 401, shape
        assert (await Visitor(app, 'ben').visit()).status_code == 401, shape


async def answer(value):
    return value


async def test_S6_a_user_who_is_not_active_is_nobody():
    app = make()
    app.users['anna']['is_active'] = False
    res = await Visitor(app).visit()
    assert res.status_code == 401 and not is_stale(res)
    assert app.auth._nonces._used == {}


async def test_flaw_A2_what_only_looks_like_a_yes_opens_nothing():
    for verdict in (True, ('anna',), ['anna'], 1.5, ValueError('x')):
        app = make()
        app.users['anna'] = verdict
        res = await Visitor(app).visit()
        assert res.status_code == 500 and 'in:' not in res.text, verdict


# --- B: challenges, schemes, who asks -----------------------------------------------------------------------

async def test_B1_every_refusal_carries_a_new_challenge():
    app = make()
    visitor = Visitor(app)
    seen = set()
    for header in (None, 'Digest', 'Digest x', 'Basic x', 'Digest realm="Greenhouse"', 'Bearer x'):
        res = visitor.hear(await (visitor.get('/') if header is None else visitor.raw(header)))
        assert res.status_code in (400, 401), header
        assert res.headers['Cache-Control'] == 'no-store' and res.headers['Vary'] == 'Authorization'
        assert (visitor.challenge['realm'], visitor.challenge['qop']) == (REALM, 'auth')
        seen.add(visitor.challenge['nonce'])
    assert len(seen) == 6


async def test_B1_the_realm_is_quoted_and_escaped():
    for realm, expected in (('my "dev"', '"my \\"dev\\""'), ('a\\b', '"a\\\\b"'), ('a, b=c', '"a, b=c"')):
        res = await Visitor(make(realm=realm)).ask()
        assert res.headers['WWW-Authenticate'].startswith('Digest realm=' + expected + ', ')
    for realm in ('a\r\nSet-Cookie: x=y', 'a\nb', 'a\0b', 'caf\xe9', 'a\tb'):
        raises(ValueError, DigestAuth, realm=realm)


async def test_B1_another_status_may_be_chosen_but_never_407():
    raises(ValueError, DigestAuth, error_status=407)
    assert (await Client(make(error_status=403)).get('/')).status_code == 403


async def test_B1_error_pages_of_the_apps_own_carry_the_challenge():
    app = make()

    @app.auth.errorhandler
    async def page(request):
        return 'log in first', 401

    visitor = Visitor(app)
    res = await visitor.ask()
    assert res.text == 'log in first'
    assert (await visitor.send()).text == 'in: anna'


async def test_B3_the_scheme_is_one_word_in_any_case():
    visitor = Visitor(make())
    await visitor.ask()
    for scheme, status in (('DIGEST', 200), ('digest', 200), ('dIgEsT', 200), ('Digest ', 200), ('Digests', 401),
                           ('xDigest', 401), ('Diges', 401), ('Digest,', 401), ('"Digest"', 401), ('Digest\t', 401)):
        header = visitor.header(visitor.credentials()).replace('Digest', scheme, 1)
        assert (await visitor.raw(header)).status_code == status, scheme


async def test_B5_nobody_and_a_wrong_password_look_and_cost_the_same():
    hashed = []

    def counting(new):
        def f(text):
            hashed.append(len(text))
            return new(text)
        return f

    app = make()
    app.users['carl'] = {'id': 'carl'}  # without a digest_ha1
    auth = app.auth
    auth._hashes = {name: counting(auth._hashes[name]) for name in auth._hashes}
    seen = []
    for name in ('anna', 'carl', 'ben'):
        visitor = Visitor(app, name, 'wrong')
        await visitor.ask()
        hashed.clear()
        res = await visitor.send()
        challenge = res.headers['WWW-Authenticate']
        challenge = challenge.replace(parse(challenge[7:])['nonce'], '')
        seen.append((res.status_code, res.text, challenge, hashed[:]))
    assert seen[0] == seen[1] == seen[2] and seen[0][0] == 401 and len(seen[0][3]) == 2, seen


async def test_B5_the_digest_of_nobody_opens_nothing():
    app = make()
    app.users['carl'] = {'id': 'carl'}
    for name in ('ben', 'carl'):
        visitor = Visitor(app, name)
        await visitor.ask()
        for ha1 in (app.auth._nobody[b'SHA-256'].decode(), ''):
            c = visitor.credentials()
            response = H(ha1, c['nonce'], c['nc'], c['cnonce'], 'auth', H('GET', '/'))
            res = await visitor.send(response=response, nc=c['nc'])
            assert res.status_code == 401 and not is_stale(res), name


async def test_B6_plain_http_is_what_it_is_for_and_may_be_refused():
    with Warnings() as given:
        assert (await Visitor(make()).visit()).status_code == 200
    assert given == []
    app = make(allow_http=False)
    assert (await Visitor(app).visit()).status_code == 403
    visitor = Visitor(app)
    visitor.https = True
    assert (await visitor.visit()).status_code == 200


async def test_L4_who_guesses_has_to_wait_before_anything_is_looked_at():
    with FakeClock() as clock:
        throttle = Throttle(free=3)
        app = make(throttle=throttle)
        visitor = Visitor(app, password='wrong')
        await visitor.ask()
        for _ in range(4):
            assert (await visitor.send()).status_code == 401
        asked = len(app.asked)
        visitor.password = PASSWORD
        res = await visitor.send()
        assert (res.status_code, res.headers['Retry-After'], len(app.asked)) == (429, '1', asked)
        clock.advance(1)
        assert (await visitor.send()).text == 'in: anna'
        for _ in range(20):  # it was right: the count is gone, and requests that are right do not count
            assert (await visitor.send()).text == 'in: anna'


async def test_L4_a_hidden_name_has_the_same_count_as_the_open_one():
    with FakeClock():
        app = make(throttle=Throttle(free=3))

        @app.auth.find_username
        async def find(request, userhash):
            return 'anna' if userhash == make_userhash('anna', REALM) else None

        visitor = Visitor(app, password='wrong')
        await visitor.ask()
        for turn in range(4):
            hidden = {'username': make_userhash('anna', REALM), 'userhash': 'true'} if turn % 2 else {}
            assert (await visitor.send(**hidden)).status_code == 401
        assert (await visitor.send(username=make_userhash('anna', REALM), userhash='true')).status_code == 429


async def test_L4_a_replay_does_not_clear_the_count():
    with FakeClock():
        app = make(throttle=Throttle(free=5))
        anna = Visitor(app)
        await anna.ask()
        overheard = anna.header(anna.credentials())
        assert (await anna.raw(overheard)).status_code == 200
        seen = []
        thief = Visitor(app, password='guess')
        await thief.ask()
        for _ in range(8):
            seen.append((await thief.send()).status_code)
            seen.append((await thief.raw(overheard)).status_code)
        assert 200 not in seen and seen[-1] == 429, seen


# --- what comes back ----------------------------------------------------------------------------------------

async def test_the_server_shows_that_it_knows_the_password_too():
    app = make()

    @app.get('/gone')
    @app.auth
    async def gone(request):
        abort(404)

    visitor = Visitor(app)
    for url, status in (('/', 200), ('/any/a?x=1', 200), ('/gone', 404), ('/optional', 200)):
        await visitor.ask()
        for cnonce in ('a cnonce', 'quote " and \\ slash', 'b64/+=='):
            sent = visitor.credentials(url, cnonce=cnonce)
            res = await visitor.raw(visitor.header(sent), url)
            assert res.status_code == status
            info = parse(res.headers['Authentication-Info'])
            proof = H(H('anna', REALM, PASSWORD), sent['nonce'], sent['nc'], cnonce, 'auth', H('', url))
            assert info == {'rspauth': proof, 'qop': 'auth', 'cnonce': cnonce, 'nc': sent['nc']}, url


async def test_who_is_refused_is_shown_nothing():
    visitor = Visitor(make())
    for res in (await visitor.ask(), await visitor.send(response='0' * 64), await visitor.get('/optional')):
        assert 'Authentication-Info' not in res.headers


async def test_R4_nothing_of_a_cnonce_that_headers_cannot_carry_comes_back():
    visitor = Visitor(make())
    await visitor.ask()
    for cnonce in ('', None, 'caf\xe9', '\u2603', 'a\tb', 'x\x7f'):
        res = await visitor.send(cnonce=cnonce)
        assert res.status_code == 400 and 'Authentication-Info' not in res.headers, cnonce


async def test_optional_takes_credentials_and_does_without():
    visitor = Visitor(make())
    assert (await visitor.get('/optional')).text == 'nobody'
    await visitor.ask()
    assert (await visitor.send('/optional')).text == 'in: anna'
    for header in ('Digest', 'Digest x', 'Digest nc=1', basic('anna', PASSWORD)['Authorization'],
                   visitor.header(visitor.credentials('/optional', response='0'))):
        assert (await visitor.raw(header, '/optional')).text == 'nobody', header


async def test_answers_to_a_user_are_kept_out_of_caches():
    res = await Visitor(make()).visit()
    assert (res.headers['Cache-Control'], res.headers['Vary']) == ('no-store', 'Authorization')


async def test_a_body_is_sent_twice_and_arrives_once():
    app = make()
    bodies = []

    @app.post('/upload')
    @app.auth
    async def upload(request):
        bodies.append(request.body)
        return 'in: ' + request.g.current_user['id']

    visitor = Visitor(app)
    visitor.hear(await visitor.post('/upload', body=b'some bytes'))
    header = visitor.header(visitor.credentials('/upload', 'POST'))
    assert (await visitor.raw(header, '/upload', 'POST', b'some bytes')).text == 'in: anna'
    assert bodies == [b'some bytes']


async def test_mounted_apps_are_guarded_at_their_whole_address():
    for local in (False, True):
        app = Microdot()
        app.mount(make(), '/inner', local=local)
        visitor = Visitor(app)
        await visitor.ask('/inner/any/a')
        assert (await visitor.send('/inner/any/a?x=1')).text == 'in: anna', local
        assert (await visitor.raw(visitor.header(visitor.credentials('/any/a')), '/inner/any/a')).status_code == 400


async def test_two_realms_of_one_app_do_not_mix():
    app, other = make(), DigestAuth(realm='other')

    @other.authenticate
    async def find(request, username):
        return {'id': 'x', 'digest_ha1': other.make_ha1(username, PASSWORD)}

    app.get('/other')(other(partial(answer_in)))
    visitor = Visitor(app)
    await visitor.ask()
    res = await visitor.send('/other')
    assert res.status_code == 401 and not is_stale(res)
    visitor.hear(res)
    assert visitor.challenge['realm'] == 'other'
    assert (await visitor.send('/other')).text == 'in'


async def answer_in(request):
    return 'in'


async def test_flaw_F4_without_a_callback_the_error_says_what_is_missing():
    seen = []
    auth = DigestAuth()
    app = Microdot()
    app.get('/')(auth(answer_in))

    @app.errorhandler(RuntimeError)
    async def error(request, exc):
        seen.append(str(exc))
        return 'sorry', 500

    assert (await Client(app).get('/')).status_code == 500
    assert 'authenticate' in seen[0]


def test_decorators_give_back_what_they_decorate():
    auth = DigestAuth()
    for decorator in (auth.authenticate, auth.find_username, auth.errorhandler):
        assert decorator(answer_in) is answer_in


# --- anything at all ----------------------------------------------------------------------------------------

PIECES = ('Digest ', 'digest', ' ', ',', '=', '"', '\\', '\t', '\x00', '\x7f', '\x01', 'username', 'username*',
          'userhash', 'realm', 'nonce', 'uri', 'response', 'algorithm', 'qop', 'nc', 'cnonce', 'opaque', '="', '", ',
          "UTF-8''", '%C3%A4', '%', 'true', 'auth', 'SHA-256', 'MD5', '00000001', 'ffffffff', '/', '/?x', 'a' * 300,
          'caf\xe9', '\u2603', 'Greenhouse', 'anna', '0' * 64, "'", '*', ';', '(', 'Basic ', b64('anna:x'))


async def test_B4_no_header_is_ever_a_500_or_a_way_in():
    chance = Chance(20)
    app = make(throttle=None)
    visitor = Visitor(app)
    await visitor.ask()
    counts = {}
    for turn in range(1500):
        if turn % 3 == 0:  # anything at all
            header = ''.join([PIECES[chance.below(len(PIECES))] for _ in range(1 + chance.below(20))])
            if turn % 2:
                header = 'Digest ' + header
        else:  # something wrong somewhere
            text = visitor.header(visitor.credentials(nc='%08x' % (turn + 1)))
            at = 7 + chance.below(len(text) - 7)
            piece = PIECES[chance.below(len(PIECES))]
            header = text[:at] + piece + text[at + chance.below(2) * chance.below(30):]
            if header == text or only_more_space(header, text):
                continue
        res = await visitor.raw(header)
        assert res.status_code in (200, 400, 401), (res.status_code, header)
        if res.status_code == 200:
            # Only what means the same: other parameters are ignored, quotes and blanks may differ.
            kept = {name: parse(header[7:])[name] for name in ('username', 'realm', 'nonce', 'uri', 'cnonce', 'qop')}
            assert (kept['username'], kept['realm'], kept['uri'], kept['qop']) == ('anna', REALM, '/', 'auth'), header
            expected = H(H('anna', REALM, PASSWORD), kept['nonce'], parse(header[7:])['nc'], kept['cnonce'], 'auth',
                         H('GET', '/'))
            assert parse(header[7:])['response'] == expected, header
        counts[res.status_code] = counts.get(res.status_code, 0) + 1
    assert counts[400] > 200 and counts[401] > 100, counts


def only_more_space(header, text):
    return header.replace(' ', '') == text.replace(' ', '')


async def test_B4_headers_that_are_too_long_are_refused():
    visitor = Visitor(make())
    await visitor.ask()
    for size in (5000, 100000):
        assert (await visitor.send(opaque='x' * size)).status_code in (400, 401), size


async def test_B4_both_pythons_have_the_same_verdict():
    visitor = Visitor(make())
    await visitor.ask()
    for text, status in (('Digest', 400), ('Digest ', 400), ('Digest ,', 401), ('Digest a', 400), ('Digest a=b', 401),
                         ('Digest a="b', 400), ('Digest a=b, a=c', 400), ('Digest \u2603=x', 400),
                         ('Digest realm="Greenhouse"', 401), ('Digest realm=Greenhouse, algorithm=SHA-256', 401),
                         ('Digest realm=Greenhouse, algorithm=SHA-256, qop=auth', 400),
                         ('Digest realm=Greenhouse realm=Greenhouse', 400), ('Digest\x00a=b', 401), ('', 401)):
        assert (await visitor.raw(text)).status_code == status, text
    for junk in (b'\xff', b'\xc0\xba', b'\xed\xa0\x80', b'\xf5\x80\x80\x80', b'caf\xe9'):
        res = await visitor.raw(b'Digest username="' + junk + b'", realm="Greenhouse"')
        assert res.status_code == 400, junk


async def test_a_nonce_lasts_and_a_table_holds_something():
    for options in ({'nonce_seconds': 0}, {'max_nonces': 0}, {'nonce_seconds': -1}):
        raises(ValueError, DigestAuth, **options)
    assert nonces._WINDOW == 64 and portable.MICROPYTHON is MICROPYTHON and unhexlify('00') == b'\0'
