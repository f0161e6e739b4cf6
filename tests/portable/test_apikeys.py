"""API keys: shown once, kept as a hash, limited to what they were given for, and worth nothing once revoked."""
import asyncio
import os

from client import Client, Warnings, basic, bearer, make_app, raises
from clock import START, UNSET, FakeClock
from disk import Disk, held, put, remove
from microdot import Microdot
from test_flash import FatMedium, Medium

from dotlatch import apikeys, copies, keyauth
from dotlatch.apikeys import APIKey, FileKeys, MemoryKeys
from dotlatch.auth import APIKeyAuth, BasicAuth, TokenAuth, any_of, authenticate
from dotlatch.events import Events
from dotlatch.login import Login
from dotlatch.portable import MICROPYTHON, b64url_encode, now
from dotlatch.throttle import Throttle
from dotlatch.users import MemoryUsers

PATH = 'keys.json'
HOUR = 3600
ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'


class User:
    def __init__(self, id, scopes=(), is_active=True):
        self.id = id
        self.name = str(id)
        self.scopes = scopes
        self.is_active = is_active


class Told:
    def __init__(self):
        self.events = []

    def emit(self, event, **fields):
        self.events.append((event, fields))


def written():
    return [name for name in os.listdir('.') if name.startswith(PATH)]


def fresh():
    remove(*written())


def both(**options):
    """The two providers, with nothing in them."""
    fresh()
    return [('memory', MemoryKeys(**options)), ('file', FileKeys(PATH, **options))]


def header(text):
    return {'X-API-Key': text}


def people(*users):
    async def load_user(user_id):
        for user in users:
            if user.id == user_id:
                return user
    return load_user


def locked(auth):
    """An app with routes that ask for nothing more, for scopes, and one that does without a user."""
    app = Microdot()

    @app.get('/')
    @auth
    async def index(request):
        return 'in: ' + request.g.current_user.name

    @app.get('/read')
    @auth.requires('read')
    async def read(request):
        return 'read'

    @app.get('/all')
    @auth.requires('read', 'write')
    async def read_and_write(request):
        return 'all'

    @app.get('/any')
    @auth.requires_any('read', 'write')
    async def read_or_write(request):
        return 'any'

    @app.get('/optional')
    @auth.optional
    async def optional(request):
        user = request.g.current_user
        return 'user: ' + (user.name if user else 'none')

    return app


ANNA = User('anna', ['read', 'write'])


def guarded(keys, *users, **options):
    return locked(APIKeyAuth(keys, people(*(users or (ANNA,))), **options))


async def status(app, headers, url='/'):
    return (await Client(app).get(url, headers)).status_code


async def statuses(app, texts):
    """What each of these keys gets."""
    seen = []
    for text in texts:
        seen.append(await status(app, header(text)))
    return seen


def id_of(text):
    return text.split('_')[1]


# --- the text of a key ------------------------------------------------------------------------------

def test_R5_a_key_is_prefix_id_and_secret_in_letters_and_digits():
    for prefix in ('dl', 'greenhouse', 'K2', 'x' * 16):
        for _ in range(50):
            text, key_id, kept = apikeys.make(prefix)
            parts = text.split('_')
            assert [len(part) for part in parts] == [len(prefix), 12, 32] and parts[:2] == [prefix, key_id]
            assert not [c for c in parts[1] + parts[2] if c not in ALPHABET], text
            assert apikeys.split(text, prefix) == (key_id, parts[2])
            assert len(kept) == 43 and parts[2] not in kept


def test_R5_ids_and_secrets_come_from_the_systems_random_bytes():
    sizes = []
    kept = apikeys.random_bytes

    def counted(n):
        sizes.append(n)
        return kept(n)

    apikeys.random_bytes = counted
    try:
        made = [apikeys.make('dl') for _ in range(200)]
    finally:
        apikeys.random_bytes = kept
    assert sizes.count(9) >= 200 and sizes.count(24) >= 200 and len(sizes) == sizes.count(9) + sizes.count(24)
    assert len({text for text, _, _ in made}) == len({key_id for _, key_id, _ in made}) == 200
    letters = ''.join([text.split('_')[2] for text, _, _ in made])
    for c in ALPHABET:  # 6400 letters, each of 62 about 103 times
        assert 40 < letters.count(c) < 200, c


def test_a_key_with_a_sign_in_it_is_drawn_anew():
    drawn = [b'\xff' * 9, b'\xfb' * 9, bytes(9), b'\xfe' * 24, b'\x10' * 24]
    kept = apikeys.random_bytes
    apikeys.random_bytes = lambda n: drawn.pop(0)
    try:
        text = apikeys.make('dl')[0]
    finally:
        apikeys.random_bytes = kept
    assert text == 'dl_AAAAAAAAAAAA_' + b64url_encode(b'\x10' * 24) and drawn == []


def test_prefixes_are_letters_and_digits():
    for prefix in ('', 'a', 'x' * 17, 'a_b', 'a-b', 'a b', 'caf\xe9', 'a\n', 'a"', None, 5, b'dl'):
        raises(ValueError, MemoryKeys, prefix)
    for prefix in ('dl', 'sk2', 'GreenHouse'):
        assert MemoryKeys(prefix).create('anna', 'x').startswith(prefix + '_')


def malformed(text):
    """What is not that key, and what of it has not even the form of one."""
    prefix, key_id, secret = text.split('_')
    shapes = ['', '_', '__', '___', 'dl', 'dl_', prefix + '_' + key_id, key_id + '_' + secret, secret, text[:-1],
              text + 'A', text[1:], 'x' + text, text + '_', '_' + text, text + '=', ' ' + text, text + ' ',
              text.replace('_', '-'), text.replace('_', ''), text.replace('_', '__'), text.upper() + '_',
              prefix + '_' + key_id[:-1] + '_' + secret + 'A', prefix + '_' + key_id + 'A_' + secret[:-1],
              prefix + '_' + key_id[:5] + '_' + key_id[6:] + '_' + secret, prefix + '__' + key_id[1:] + '_' + secret,
              prefix + '_' + key_id + '_' + secret[:-1] + '_', prefix + key_id[0] + '_' + key_id[1:] + '_' + secret,
              prefix[0] + '_' + prefix[1:] + key_id + '_' + secret[1:], 'D' + prefix[1:] + '_' + key_id + '_' + secret,
              'xx_' + key_id + '_' + secret, 'null', '[]', '{}', '"' + text + '"', 'Bearer ' + text, '0' * 48,
              '_' * len(text), 'A' * 4000, '_' * 4000]
    formed = [prefix + '_' + 'A' * 12 + '_' + secret, prefix + '_' + key_id + '_' + 'A' * 32,
              prefix + '_' + key_id + '_' + secret[:-1] + '~', prefix + '_' + key_id + '_' + secret[:-1] + '-',
              prefix + '_' + secret[:12] + '_' + key_id + secret[12:],
              prefix + '_' + key_id + '_' + secret[:-1] + '\xe9']
    for i in range(len(secret)):
        formed.append('%s_%s_%s%s%s' % (prefix, key_id, secret[:i], 'A' if secret[i] != 'A' else 'B', secret[i + 1:]))
    for i in range(len(key_id)):
        formed.append('%s_%s%s%s_%s' % (prefix, key_id[:i], 'A' if key_id[i] != 'A' else 'B', key_id[i + 1:], secret))
    return shapes, formed


async def test_R5_nothing_but_the_whole_key_opens_and_nothing_is_an_error():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    app = guarded(keys)
    auths = [app, guarded(keys, scheme='Bearer'), guarded(keys, query='key')]
    shapes, formed = malformed(text)
    for shape in shapes:
        assert apikeys.split(shape, 'dl') is None, shape
    for given in shapes + formed:
        if len(given) > 1000:
            given = given[:1000]
        for name in ('X-API-Key', 'Authorization'):
            for guard in auths:
                value = given.encode() if name == 'X-API-Key' else b'Bearer ' + given.encode()
                res = await Client(guard).get('/', [(name, value)])
                assert res.status_code in (400, 401) or given.strip() == text, (name, given, res.status_code)
    for junk in (b'\xff', b'dl_' + b'\xff' * 45, b'\xed\xa0\x80' * 20, b'\x01', b'\0' * 47, b'dl_\xc0\xba'):
        res = await Client(app).get('/', [('X-API-Key', junk)])
        assert res.status_code in (400, 401), junk
    assert (await Client(app).get('/', header(text))).text == 'in: anna'


def test_R5_what_no_text_is_has_not_the_form_of_a_key():
    for given in (None, b'', b'dl_' + b'A' * 45, 5, [], ['dl', 'A' * 12, 'B' * 32], ('',), {}):
        assert apikeys.split(given, 'dl') is None
    assert apikeys.split('dl_%s_%s' % ('A' * 12, 'B' * 32), 'dl') == ('A' * 12, 'B' * 32)


def test_half_a_character_is_no_secret():
    if not MICROPYTHON:  # where a text may hold one
        key = APIKey('A' * 12, 'anna', 'x', (), apikeys.make('dl')[2])
        assert apikeys.is_right(key, '\ud800' * 32) is False
    assert apikeys.is_right(None, 'A' * 32) is False


# --- R5: hashed, constant time -------------------------------------------------------------------------

async def test_R5_no_secret_is_in_the_store_in_memory_or_in_the_list():
    for kind, keys in both():
        told = keys.events = Told()
        texts = [keys.create(ANNA, 'key %d' % number, ['read']) for number in range(5)]
        dump = repr(told.events)
        for key in keys:
            dump += repr(key) + repr([getattr(key, name) for name in apikeys._FIELDS])
            dump += repr(dir(key))
        if kind == 'file':
            for name in written():
                dump += repr(held(name))
            assert len(written()) >= 2
        for text in texts:
            assert text.split('_')[2] not in dump and text.split('_')[1] in dump, kind


async def test_R5_what_is_kept_is_the_sha256_of_the_secret_and_opens_nothing_itself():
    import hashlib
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    key = await keys.find(id_of(text))
    assert key.secret_hash == b64url_encode(hashlib.sha256(text.split('_')[2].encode()).digest())
    app = guarded(keys)
    for stolen in (key.secret_hash, key.secret_hash[:32], key.secret_hash[-32:]):
        assert await status(app, header('dl_%s_%s' % (key.id, stolen))) == 401


async def test_R5_an_unknown_id_and_a_wrong_secret_look_and_cost_the_same():
    kept = apikeys.compare_digest, apikeys.sha256
    work = []

    def compared(a, b):
        work.append(('compare', len(a), len(b)))
        return kept[0](a, b)

    def hashed(data):
        work.append(('hash', len(data)))
        return kept[1](data)

    for kind, keys in both():
        text = keys.create(ANNA, 'pump')
        keys.create('gone', 'of nobody')
        app = guarded(keys)
        apikeys.compare_digest, apikeys.sha256 = compared, hashed
        try:
            seen = []
            for given in ('dl_%s_%s' % (id_of(text), 'A' * 32), 'dl_%s_%s' % ('A' * 12, 'A' * 32),
                          'dl_%s_%s' % ('B' * 12, text.split('_')[2]), text[:-1] + ('A' if text[-1] != 'A' else 'B')):
                del work[:]
                res = await Client(app).get('/', header(given))
                seen.append((res.status_code, res.body, sorted(res.headers.items()), work[:]))
                assert seen[-1] == seen[0], (kind, given)
            assert seen[0][0] == 401 and seen[0][3] == [('hash', 32), ('compare', 43, 43)], seen[0]
            del work[:]
            assert await status(app, header(text)) == 200
            assert work == [('hash', 32), ('compare', 43, 43)]
        finally:
            apikeys.compare_digest, apikeys.sha256 = kept


def test_R5_the_hash_that_stands_for_nobody_is_the_hash_of_no_secret_that_can_be_made():
    assert apikeys.is_right(None, 'A' * 32) is False
    kept = apikeys._hashed
    apikeys._hashed = lambda secret: apikeys._NOBODY.encode()  # even if somebody found one
    try:
        assert apikeys.is_right(None, 'A' * 32) is False
    finally:
        apikeys._hashed = kept


# --- R5: revoked and expired ----------------------------------------------------------------------------

async def test_R5_a_revoked_key_is_refused_with_the_next_request():
    for kind, keys in both():
        text, other = keys.create(ANNA, 'pump'), keys.create(ANNA, 'other')
        app = guarded(keys)
        assert await status(app, header(text)) == 200
        assert keys.revoke(id_of(text)) is True
        assert await status(app, header(text)) == 401 and await status(app, header(other)) == 200, kind
        assert keys.revoke(id_of(text)) is False and keys.revoke('') is False and keys.revoke('nobody') is False
        assert [key.name for key in keys] == ['other']
        if kind == 'file':
            assert [key.name for key in FileKeys(PATH)] == ['other']


async def test_R5_revoking_all_of_a_user_leaves_those_of_others():
    for kind, keys in both():
        mine = [keys.create(ANNA, 'key %d' % number) for number in range(3)]
        theirs = keys.create(User(7), 'theirs')
        assert keys.revoke_user('anna') == 3 and keys.revoke_user(ANNA) == 0, kind
        app = guarded(keys, ANNA, User(7))
        assert await statuses(app, mine) == [401] * 3
        assert (await Client(app).get('/', header(theirs))).text == 'in: 7'


async def test_a_key_is_revoked_for_its_own_user_only_when_one_is_named():
    for kind, keys in both():
        text = keys.create(ANNA, 'pump')
        for other in ('bert', User('bert'), 7, {'id': 'Anna'}):
            assert keys.revoke(id_of(text), other) is False, kind
        assert len(keys) == 1 and keys.revoke(id_of(text), ANNA) is True and len(keys) == 0


async def test_R5_a_key_ends_at_its_time_on_the_dot():
    with FakeClock() as clock:
        for kind, keys in both():
            clock.set(START)
            text = keys.create(ANNA, 'pump', expires=START + 60)
            app = guarded(keys)
            for time, expected in ((START, 200), (START + 59, 200), (START + 60, 401), (START + 10 * HOUR, 401)):
                clock.set(time)
                assert await status(app, header(text)) == expected, (kind, time - START)


async def test_R5_while_the_clock_is_not_set_a_key_with_an_end_is_refused_and_one_without_is_not():
    with FakeClock() as clock:
        for kind, keys in both():
            clock.set(START)
            ending, endless = keys.create(ANNA, 'a', expires=START + 60), keys.create(ANNA, 'b')
            app = guarded(keys)
            clock.set(UNSET)
            assert await statuses(app, (ending, endless)) == [401, 200], kind
            made = keys.create(ANNA, 'c', expires=START + 60)  # by somebody who knows what time it will be
            assert await status(app, header(made)) == 401
            clock.set(START)
            assert await statuses(app, (ending, endless, made)) == [200] * 3, kind
            created = {key.name: key.created for key in keys}
            assert created == {'a': START, 'b': START, 'c': None}


def test_the_end_of_a_key_is_a_time_to_come():
    with FakeClock() as clock:
        keys = MemoryKeys()
        for expires in (START, START - 1, 0, -1, True, 1.5, '1795305600', 1 << 60):
            raises(ValueError, keys.create, 'anna', 'x', (), expires)
        clock.set(UNSET)
        for expires in (UNSET + 60, 60):  # seconds from now, as somebody thought
            raises(ValueError, keys.create, 'anna', 'x', (), expires)
        assert len(keys) == 0


async def test_S6_the_key_of_a_user_who_is_gone_or_not_active_is_refused():
    for _, keys in both():
        texts = [keys.create(name, 'x') for name in ('gone', 'shut', 'anna', 7)]
        app = guarded(keys, ANNA, User('shut', is_active=False), User(7))
        assert await statuses(app, texts) == [401, 401, 200, 200]
        assert await status(app, header(texts[1]), '/optional') == 200
        assert (await Client(app).get('/optional', header(texts[1]))).text == 'user: none'


# --- scopes ---------------------------------------------------------------------------------------------

async def test_a_key_may_do_what_it_was_given_for_and_its_user_may():
    for scopes, given, expected in (
            (['read', 'write'], ['read', 'write'], (200, 200, 200, 200)),
            (['read', 'write'], ['read'], (200, 200, 403, 200)),
            (['read', 'write'], ['write'], (200, 403, 403, 200)),
            (['read', 'write'], [], (200, 403, 403, 403)),
            (['read'], ['read', 'write'], (200, 200, 403, 200)),
            ([], ['read', 'write', 'admin'], (200, 403, 403, 403)),
            ('read write', ['read'], (200, 200, 403, 200))):
        for _, keys in both():
            text = keys.create(ANNA, 'pump', given)
            app = guarded(keys, User('anna', scopes))
            for url, right in zip(('/', '/read', '/all', '/any'), expected):
                assert await status(app, header(text), url) == right, (scopes, given, url)


async def test_a_scope_taken_from_the_user_is_taken_from_the_key():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump', ['read'])
    anna = User('anna', ['read'])
    app = guarded(keys, anna)
    assert await status(app, header(text), '/read') == 200
    anna.scopes = []
    assert await status(app, header(text), '/read') == 403


def test_scopes_are_a_few_short_strings():
    keys = MemoryKeys()
    for scopes in ('read', [''], [None], [5], [b'read'], ['x' * 65], ['x'] * 33, [['read']]):
        raises(ValueError, keys.create, 'anna', 'x', scopes)
    raises(TypeError, keys.create, 'anna', 'x', 5)
    assert len(keys) == 0
    keys.create('anna', 'x', ('a',) * 32)


async def test_a_handler_sees_the_key_and_the_user():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump', ['read'])
    auth = APIKeyAuth(keys, people(ANNA))
    app = Microdot()
    seen = []

    @app.get('/')
    @auth
    async def index(request):
        seen.append((request.g.current_user, request.g.api_key.name))
        return 'in'

    await Client(app).get('/', header(text))
    assert seen == [(ANNA, 'pump')]


# --- names, bounds, lists -----------------------------------------------------------------------------------

def test_a_name_is_a_short_line():
    keys = MemoryKeys()
    for name in ('', 'x' * 65, ' x', 'x ', 'a\nb', 'a\0', '\x7f', 'a\u202eb', '\u2028', None, 5, b'x'):
        raises(ValueError, keys.create, 'anna', name)
    if not MICROPYTHON:
        raises(ValueError, keys.create, 'anna', '\ud800')
    assert len(keys) == 0
    for name in ('x', 'x' * 64, 'Pumpe im Gew\xe4chshaus', '\u2603'):
        keys.create('anna', name)
    assert len(keys) == 4


def test_a_key_is_of_somebody():
    keys = MemoryKeys()
    for nobody in (None, True, 1.5, [], {}, User(None), User(True)):
        raises(TypeError, keys.create, nobody, 'x')
    for somebody in ('anna', 7, 0, {'id': 'bert'}, User('carl')):
        keys.create(somebody, 'x')
    assert len(keys.of_user(7)) == len(keys.of_user({'id': 7})) == len(keys.of_user('bert')) == 1
    assert keys.of_user('7') == []


async def test_the_number_of_keys_has_a_bound_for_each_user_and_in_all():
    for kind, keys in both(max_keys=5, max_per_user=3):
        texts = [keys.create('anna', 'x') for _ in range(3)]
        assert 'revoke one' in str(raises(ValueError, keys.create, 'anna', 'x')), kind
        for _ in range(2):
            keys.create('bert', 'x')
        raises(ValueError, keys.create, 'bert', 'x')
        raises(ValueError, keys.create, 'carl', 'x')
        assert len(keys) == 5
        keys.revoke(id_of(texts[0]))
        keys.create('carl', 'x')
        assert [len(keys.of_user(name)) for name in ('anna', 'bert', 'carl')] == [2, 2, 1]


async def test_a_key_whose_time_is_over_makes_room_and_no_other_does():
    with FakeClock() as clock:
        for kind, keys in both(max_keys=3, max_per_user=2):
            clock.set(START)
            keys.create('anna', 'short', expires=START + 60)
            keys.create('anna', 'long', expires=START + 6000)
            keys.create('bert', 'short', expires=START + 60)
            clock.set(UNSET)
            raises(ValueError, keys.create, 'anna', 'new')
            raises(ValueError, keys.create, 'carl', 'new')
            clock.set(START + 100)
            assert len(keys) == 3  # the owner sees that it is over
            keys.create('anna', 'new')
            assert [key.name for key in keys.of_user('anna')] == ['long', 'new'], kind
            raises(ValueError, keys.create, 'anna', 'another')
            keys.create('carl', 'new')
            assert keys.of_user('bert') == []


def test_keys_are_listed_by_name():
    for _, keys in both():
        for name in ('pump', 'door', 'light'):
            keys.create('anna', name)
        keys.create('bert', 'car')
        assert [key.name for key in keys] == ['car', 'door', 'light', 'pump']
        assert [key.name for key in keys.of_user('anna')] == ['door', 'light', 'pump']


# --- last used ------------------------------------------------------------------------------------------------

async def test_H4_the_last_use_is_written_at_most_once_an_hour_whatever_the_wall_clock_does():
    fresh()
    with FakeClock() as clock:
        keys = FileKeys(PATH)
        text = keys.create(ANNA, 'pump')
        app = guarded(keys)
        with Disk() as disk:
            await status(app, header(text))
            assert disk.steps > 0 and (await keys.find(id_of(text))).last_used == START
            written = disk.steps
            for jump in (5 * HOUR, -5 * HOUR, 3650 * 24 * HOUR, -3000 * 24 * HOUR):
                clock.set(START + jump)
                for _ in range(20):
                    clock.ticks += 1000
                    assert await status(app, header(text)) == 200
            clock.set(UNSET)
            await status(app, header(text))
            assert disk.steps == written
            clock.set(START)
            clock.advance(HOUR)
            await status(app, header(text))
            assert disk.steps == 2 * written
        assert (await FileKeys(PATH).find(id_of(text))).last_used == START + HOUR


async def test_H4_after_a_restart_within_the_hour_the_last_use_is_not_written_again():
    fresh()
    with FakeClock() as clock:
        text = FileKeys(PATH).create(ANNA, 'pump')
        await status(guarded(FileKeys(PATH)), header(text))
        with Disk() as disk:
            for _ in range(10):
                clock.advance(300)
                await status(guarded(FileKeys(PATH)), header(text))
            assert disk.steps == 0
            clock.advance(HOUR)
            await status(guarded(FileKeys(PATH)), header(text))
            assert disk.steps > 0


async def test_a_use_while_the_clock_is_not_set_is_known_and_not_when():
    with FakeClock(time=UNSET) as clock:
        for kind, keys in both():
            clock.set(UNSET)
            text = keys.create(ANNA, 'pump')
            assert (await keys.find(id_of(text))).last_used is None
            await status(guarded(keys), header(text))
            assert (await keys.find(id_of(text))).last_used == 0, kind
            clock.set(START)
            await status(guarded(keys), header(text))
            assert (await keys.find(id_of(text))).last_used == START
            clock.set(UNSET)
            await status(guarded(keys), header(text))
            assert (await keys.find(id_of(text))).last_used == START, kind


async def test_a_use_that_cannot_be_kept_is_no_reason_to_refuse():
    fresh()
    keys = FileKeys(PATH)
    text = keys.create(ANNA, 'pump')
    with Warnings() as warnings, Disk(fail_at=1):
        app = guarded(keys, allow_http=True)
        assert await status(app, header(text)) == 200 and await status(app, header(text)) == 200
    assert len(warnings) == 1 and 'API key' in warnings[0] and text.split('_')[2] not in warnings[0]
    assert (await keys.find(id_of(text))).last_used is None  # what could not be kept is not true


async def test_H4_a_refused_key_writes_nothing():
    fresh()
    keys = FileKeys(PATH)
    texts = [keys.create(ANNA, 'pump'), keys.create('gone', 'pump')]
    app = guarded(keys)
    with Disk() as disk:
        for given in (texts[0][:-1] + '-', texts[1], 'x', 'dl_%s_%s' % ('A' * 12, 'A' * 32)):
            assert await status(app, header(given)) == 401
        assert disk.steps == 0
    assert [key.last_used for key in keys] == [None, None]


async def test_how_many_uses_are_noted_has_a_bound():
    with FakeClock() as clock:
        keys = MemoryKeys(max_keys=400, max_per_user=400)
        texts = [keys.create(ANNA, 'x') for _ in range(260)]
        auth = APIKeyAuth(keys, people(ANNA))
        app = locked(auth)
        for text in texts:
            assert await status(app, header(text)) == 200
        assert len(auth._noted) == keyauth._MAX_NOTED == 256
        assert len([key for key in keys if key.last_used]) == 256
        clock.advance(HOUR)
        assert await status(app, header(texts[259])) == 200
        assert len(auth._noted) == 1 and (await keys.find(id_of(texts[259]))).last_used == START + HOUR


# --- in requests ----------------------------------------------------------------------------------------------

async def test_B1_a_401_carries_a_challenge():
    keys = MemoryKeys()
    for options, expected in (({}, 'APIKey realm="Please login"'),
                              ({'realm': 'Green "house"'}, 'APIKey realm="Green \\"house\\""'),
                              ({'scheme': 'Bearer'}, 'Bearer realm="Please login"'),
                              ({'query': 'key'}, 'APIKey realm="Please login"')):
        app = guarded(keys, **options)
        for headers in ({}, basic('anna', 'x')):
            res = await Client(app).get('/', headers)
            assert (res.status_code, res.headers['WWW-Authenticate']) == (401, expected)
        assert (await Client(app).get('/', header('x'))).headers['WWW-Authenticate'].startswith(expected)


async def test_R1_with_the_bearer_scheme_a_bad_key_is_an_invalid_token():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    app = guarded(keys, scheme='Bearer')
    for given in ('x', text[:-1], text[:-1] + '-', 'a b', '', 'eyJ.eyJ.x'):
        res = await Client(app).get('/', bearer(given))
        challenge = res.headers['WWW-Authenticate']
        assert (res.status_code, challenge) == (401, 'Bearer realm="Please login", error="invalid_token"'), given


async def test_R3_with_the_bearer_scheme_a_403_says_which_scopes_are_missing():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump', ['read'])
    res = await Client(guarded(keys, scheme='Bearer')).get('/all', bearer(text))
    assert res.status_code == 403
    assert res.headers['WWW-Authenticate'] == ('Bearer realm="Please login", error="insufficient_scope", '
                                               'scope="read write"')
    res = await Client(guarded(keys)).get('/all', header(text))
    assert res.status_code == 403 and 'WWW-Authenticate' not in res.headers


async def test_R4_a_key_is_read_from_the_header_and_from_elsewhere_only_when_asked_for():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    ways = {'header': (header(text), ''), 'bearer': (bearer(text), ''), 'query': ({}, '?key=' + text),
            'cookie': ({'Cookie': 'X-API-Key=%s; key=%s' % (text, text)}, ''), 'bare': ({'Authorization': text}, ''),
            'basic': (basic('key', text), ''), 'other': ({'Authorization': 'APIKey ' + text}, ''),
            'other parameter': ({}, '?api_key=' + text)}
    for options, opened in (({}, ['header']), ({'scheme': 'Bearer'}, ['header', 'bearer']),
                            ({'query': 'key'}, ['header', 'query']), ({'header': None, 'scheme': 'Bearer'}, ['bearer']),
                            ({'header': None, 'query': 'key'}, ['query']), ({'header': 'X-Device'}, []),
                            ({'scheme': 'Bearer', 'query': 'key'}, ['header', 'bearer', 'query'])):
        app = guarded(keys, **options)
        for way in ways:
            headers, query = ways[way]
            assert await status(app, headers, '/' + query) == (200 if way in opened else 401), (options, way)
    raises(ValueError, APIKeyAuth, keys, header=None)
    raises(ValueError, APIKeyAuth, keys, header='authorization')


async def test_the_first_place_counts_when_there_are_several():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    app = guarded(keys, scheme='Bearer', query='key')
    bad = header('bad')
    bad.update(bearer(text))
    assert await status(app, bad, '/?key=' + text) == 401
    assert await status(app, bearer('bad'), '/?key=' + text) == 401
    assert await status(app, {'x-api-key': text, 'Authorization': 'Bearer bad'}, '/?key=bad') == 200


async def test_R4_nothing_of_the_request_is_echoed():
    canary = 'CANARY'
    keys = MemoryKeys()
    for app in (guarded(keys), guarded(keys, scheme='Bearer', query='key')):
        for headers in (header(canary), bearer(canary), header('dl_%s_%s' % (canary * 2, canary * 5 + 'xx'))):
            res = await Client(app).get('/?key=' + canary, headers)
            assert res.status_code == 401
            assert canary not in res.text and canary not in repr(res.headers), headers


async def test_C7_answers_stay_out_of_caches_and_vary_by_what_opens_them():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    for options, names in (({}, 'X-API-Key'), ({'scheme': 'Bearer'}, 'X-API-Key, Authorization'),
                           ({'header': None, 'scheme': 'Bearer'}, 'Authorization')):
        app = guarded(keys, **options)
        for headers in (header(text), bearer(text), {}):
            res = await Client(app).get('/', headers)
            assert res.headers['Cache-Control'] == 'no-store' and res.headers['Vary'] == names, (options, headers)
        res = await Client(app).get('/optional')
        assert res.headers['Vary'] == names and 'Cache-Control' not in res.headers


async def test_R4_an_answer_to_a_key_in_the_address_tells_the_next_page_nothing():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    app = guarded(keys, query='key')
    for url, expected in (('/?key=' + text, 'no-referrer'), ('/?key=bad', 'no-referrer'), ('/', None)):
        res = await Client(app).get(url)
        assert res.headers.get('Referrer-Policy') == expected, url


async def test_B6_a_key_over_plain_http_is_warned_about_or_refused():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    with Warnings() as given:
        app = guarded(keys)
        for _ in range(3):
            assert await status(app, header(text)) == 200
        assert (await Client(guarded(keys), https=True).get('/', header(text))).status_code == 200
    assert len(given) == 1 and 'plain HTTP' in given[0] and text not in given[0]
    with Warnings() as given:
        assert await status(guarded(keys, allow_http=True), header(text)) == 200
        app = guarded(keys, allow_http=False)
        assert await status(app, header(text)) == 403
        assert (await Client(app, https=True).get('/', header(text))).status_code == 200
    assert given == []


async def test_the_throttle_counts_by_source_and_never_by_the_id_of_a_key():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    seen = []

    class Watched(Throttle):
        async def attempt(self, account, source):
            seen.append((account, source))
            return await super().attempt(account, source)

    with FakeClock() as clock:
        app = guarded(keys, throttle=Watched(source_free=3))
        for _ in range(4):
            assert await status(app, header(text[:-1] + '-')) == 401
        res = await Client(app).get('/', header(text))
        assert res.status_code == 429 and res.headers['Retry-After'] == '1'
        clock.advance(2)
        for _ in range(50):
            assert await status(app, header(text)) == 200
        assert {account for account, _ in seen} == {''} and {source for _, source in seen} == {'127.0.0.1'}
        assert await status(app, {}) == 401 and await status(app, header('no key at all')) == 401


async def test_the_user_loader_may_be_decorated_plain_or_async_and_gives_back_what_it_decorates():
    keys = MemoryKeys()
    text = keys.create(7, 'pump')

    async def load_async(user_id):
        return User(user_id)

    def load_plain(user_id):
        return User(user_id)

    for load in (load_async, load_plain, lambda user_id: User(user_id), lambda user_id: load_async(user_id)):
        auth = APIKeyAuth(keys)
        assert auth.user_loader(load) is load
        assert (await Client(locked(auth)).get('/', header(text))).text == 'in: 7'
    auth = APIKeyAuth(keys, lambda user_id: True)
    assert await status(locked(auth), header(text)) == 500  # truth is no verdict


async def test_without_a_user_loader_the_error_says_what_is_missing():
    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')
    app = locked(APIKeyAuth(keys))
    seen = []

    @app.errorhandler(RuntimeError)
    async def error(request, exc):
        seen.append(str(exc))
        return 'sorry', 500

    assert await status(app, header(text)) == 500 and 'user_loader' in seen[0]


async def test_X5_a_store_that_cannot_be_asked_is_a_503():
    class Broken(MemoryKeys):
        async def find(self, key_id):
            raise OSError('database down')

    keys = MemoryKeys()
    text = keys.create(ANNA, 'pump')

    async def broken_loader(user_id):
        raise OSError('database down')

    with Warnings():
        for auth in (APIKeyAuth(Broken(), people(ANNA)), APIKeyAuth(keys, broken_loader)):
            for url in ('/', '/optional'):
                res = await Client(locked(auth)).get(url, header(text))
                assert res.status_code == 503 and 'database' not in res.text and res.headers['Retry-After'] == '2'


async def test_a_provider_of_ones_own_has_a_prefix_find_and_used():
    class Table:
        """As one over SQL would be: it makes its records anew with each look."""
        prefix = 'sql'

        def __init__(self):
            self.rows = {}
            self.uses = []

        def create(self, owner, scopes):
            text, key_id, kept = apikeys.make(self.prefix)
            self.rows[key_id] = (key_id, owner, 'a row', scopes, kept)
            return text

        async def find(self, key_id):
            row = self.rows.get(key_id)
            return None if row is None else APIKey(*row)

        def used(self, key):
            self.uses.append(key.id)

    table = Table()
    text = table.create('anna', ['read'])
    with FakeClock() as clock:
        app = guarded(table)
        for _ in range(3):
            assert await status(app, header(text), '/read') == 200
        assert await status(app, header(text), '/all') == 403
        assert await status(app, header(text[:-1] + '-')) == 401
        assert table.uses == [id_of(text)]
        clock.advance(HOUR)
        await status(app, header(text))
        assert len(table.uses) == 2


async def test_a_refusal_may_have_a_page_of_its_own_and_another_status():
    keys = MemoryKeys()
    auth = APIKeyAuth(keys, people(ANNA))

    @auth.errorhandler
    async def refuse(request):
        return {'error': 'show a key'}, 401

    res = await Client(locked(auth)).get('/')
    assert res.status_code == 401 and res.json == {'error': 'show a key'} and 'WWW-Authenticate' in res.headers
    assert await status(guarded(keys, error_status=403), {}) == 403
    raises(ValueError, APIKeyAuth, keys, error_status=407)


# --- beside other ways ----------------------------------------------------------------------------------------

def several(keys):
    """Sessions, keys, tokens and Basic, for the same people."""
    app = make_app()
    load = people(ANNA, User('bert', ['read']))
    login = Login()
    login.user_loader(load)
    key, token, password = APIKeyAuth(keys, load), TokenAuth(), BasicAuth()

    @token.authenticate
    async def check_token(request, text):
        return await load('bert') if text == 'right-token' else None

    @password.authenticate
    async def check_password(request, username, word):
        return await load(username) if word == 'right' else None

    auth = any_of(login, key, token, password)

    @app.get('/login')
    async def log_in(request):
        return await login.login_user(request, ANNA)

    @app.get('/who')
    @auth
    async def who(request):
        return request.g.current_user.name

    @app.get('/write')
    @auth.requires('write')
    async def write(request):
        return 'written by ' + request.g.current_user.name

    @app.get('/asked')
    async def asked(request):
        user = await authenticate(request, [login, key])
        return user.name if user else 'nobody'

    return app


async def test_a_key_a_session_and_a_token_open_one_route_for_the_same_users():
    keys = MemoryKeys()
    limited, whole = keys.create('anna', 'a', ['read']), keys.create('anna', 'b', ['read', 'write', 'admin'])
    of_bert = keys.create('bert', 'c', ['write'])
    app = several(keys)
    browser = Client(app)
    await browser.get('/login')
    assert await browser.texts('/who', '/write') == ['anna', 'written by anna']
    for headers, who, write in ((header(limited), 'anna', 403), (header(whole), 'anna', 200),
                                (header(of_bert), 'bert', 403), (bearer('right-token'), 'bert', 403),
                                (basic('anna', 'right'), 'anna', 200)):
        assert (await Client(app).get('/who', headers)).text == who, headers
        assert await status(app, headers, '/write') == write, headers
    # The session comes first: a limited key beside it does not limit it.
    assert (await browser.get('/write', header(limited))).status_code == 200
    # A key that is no good does not shut out who comes with something that is.
    both_of_them = header('dl_%s_%s' % ('A' * 12, 'A' * 32))
    both_of_them.update(basic('anna', 'right'))
    assert await status(app, both_of_them, '/write') == 200
    assert (await Client(app).get('/asked', header(limited))).text == 'anna'
    assert (await Client(app).get('/asked', header('x'))).text == 'nobody'


async def test_a_revoked_key_beside_other_ways_is_a_401_with_all_challenges():
    keys = MemoryKeys()
    text = keys.create('anna', 'a')
    app = several(keys)
    assert await status(app, header(text), '/who') == 200
    keys.revoke_user('anna')
    res = await Client(app).get('/who', header(text))
    assert res.status_code == 401
    challenges = str(res.headers['WWW-Authenticate'])
    for scheme in ('APIKey realm=', 'Bearer realm=', 'Basic realm='):
        assert scheme in challenges
    # A person who comes with nothing is sent to the form, a program is not.
    assert await status(app, {}, '/who') == 302
    assert await status(app, {'Accept': 'application/json'}, '/who') == 401


async def test_a_bearer_key_and_bearer_tokens_share_a_header():
    keys = MemoryKeys()
    text = keys.create('anna', 'a')
    token = TokenAuth()

    @token.authenticate
    async def check_token(request, given):
        return User('bert') if given == 'right-token' else None

    for auth in (any_of(APIKeyAuth(keys, people(ANNA), scheme='Bearer'), token),
                 any_of(token, APIKeyAuth(keys, people(ANNA), scheme='Bearer'))):
        app = locked(auth)
        assert (await Client(app).get('/', bearer(text))).text == 'in: anna'
        assert (await Client(app).get('/', bearer('right-token'))).text == 'in: bert'
        assert await status(app, bearer('x')) == 401


async def test_the_limits_of_a_key_do_not_outlive_its_request():
    keys = MemoryKeys()
    text = keys.create('anna', 'a', ['read'])
    browser = Client(several(keys))
    await browser.get('/login')
    for _ in range(2):
        assert (await Client(browser.app).get('/write', header(text))).status_code == 403
        assert (await browser.get('/write')).status_code == 200


def test_auth_py_has_it_by_name():
    from dotlatch import auth
    assert auth.APIKeyAuth is keyauth.APIKeyAuth
    assert not hasattr(auth, 'ApiKeyAuth')


# --- events -----------------------------------------------------------------------------------------------------

async def test_changes_are_told_of_once_they_hold():
    for kind, keys in both():
        told = keys.events = Told()
        text = keys.create(ANNA, 'pump')
        keys.create(ANNA, 'door')
        keys.create(7, 'light')
        raises(ValueError, keys.create, ANNA, '')
        keys.revoke(id_of(text))
        keys.revoke(id_of(text))
        keys.revoke_user(ANNA)
        assert told.events == [
            (event, {'user': user, 'name': name}) for event, user, name in (
                ('key_created', 'anna', 'pump'), ('key_created', 'anna', 'door'), ('key_created', 7, 'light'),
                ('key_revoked', 'anna', 'pump'), ('key_revoked', 'anna', 'door'))], kind


async def test_a_refused_key_is_told_of_with_the_source_and_without_the_key():
    keys = MemoryKeys()
    with FakeClock() as clock:
        texts = {'key': 'dl_%s_%s' % ('A' * 12, 'A' * 32), 'user': keys.create('gone', 'old'),
                 'expired': keys.create(ANNA, 'pump', expires=START + 1)}
        clock.advance(5)
        events = Events(8)
        app = guarded(keys, events=events)
        for reason in texts:
            assert await status(app, header(texts[reason])) == 401
            event = events.recent(1)[0]
            assert event['event'] == 'key_refused' and event['reason'] == reason, event
            assert event['source'] == '127.0.0.1'
            assert event.get('user') == {'key': None, 'user': 'gone', 'expired': 'anna'}[reason]
        for _ in range(50):
            await status(app, header(texts['key']))
        assert len(events.recent()) == 8
        shown = repr(events.recent())
        for reason in texts:
            assert texts[reason].split('_')[2] not in shown


async def test_what_could_not_be_kept_is_not_true_and_not_told_of():
    fresh()
    keys = FileKeys(PATH)
    text = keys.create(ANNA, 'pump')
    told = keys.events = Told()
    with Disk(fail_at=1):
        for change in (lambda: keys.create(ANNA, 'door'), lambda: keys.revoke(id_of(text)),
                       lambda: keys.revoke_user(ANNA)):
            raises(OSError, change)
    assert told.events == [] and [key.name for key in keys] == ['pump']
    assert await status(guarded(keys), header(text)) == 200


# --- the file -----------------------------------------------------------------------------------------------------

async def test_keys_are_there_again_after_a_restart():
    fresh()
    with FakeClock():
        keys = FileKeys(PATH)
        text = keys.create(ANNA, 'pump', ['read'], expires=START + 60)
        keys.create(7, 'door')
        await status(guarded(keys), header(text))
        again = FileKeys(PATH)
        for key in keys:
            same = await again.find(key.id)
            for name in apikeys._FIELDS:
                assert getattr(same, name) == getattr(key, name), name
        assert len(again) == 2 and await status(guarded(again), header(text), '/read') == 200


def test_no_file_is_made_before_there_is_a_key():
    fresh()
    keys = FileKeys(PATH)
    assert len(keys) == 0 and written() == []
    assert keys.revoke('x') is False and keys.revoke_user('anna') == 0 and PATH not in written()


def corrupt_rows(whole):
    rows = [b'', b' ', b'{', b'[]', b'{}', b'null', b'5', b'"keys"', b'\xff\xfe', b'\0' * 100, b'{"keys":5}',
            b'{"format":1,"keys":null}', b'{"format":1,"keys":{}}', b'{"format":1,"keys":""}',
            b'{"format":1,"keys":[5]}', b'{"format":1,"keys":[{}]}', b'{"format":2,"keys":[]}',
            b'{"format":1,"keys":[],"more":1}', b'{"keys":[],"keys":[]}']
    bare = b'{' + whole[whole.index(b'"format"'):]  # as somebody would write it by hand, without the check
    assert apikeys._parsed(copies._content(bare))[0].name == 'pump'
    for old, new in ((b'"user_id":"anna"', b'"user_id":null'), (b'"user_id":"anna"', b'"user_id":true'),
                     (b'"user_id":"anna"', b'"user_id":[]'), (b'"name":"pump"', b'"name":5'),
                     (b'["read"]', b'"read"'), (b'["read"]', b'[5]'), (b'["read"]', b'null'),
                     (b'"expires":null', b'"expires":"x"'), (b'"expires":null', b'"expires":true'),
                     (b'"last_used":null', b'"last_used":[]'), (b'"secret_hash":"', b'"secret":"')):
        assert old in bare, (old, bare)
        rows.append(bare.replace(old, new))
    entry = bare[bare.index(b'[') + 1:bare.rindex(b']')]
    rows.append(bare.replace(entry, entry + b',' + entry))  # one id twice
    return rows + [whole[:size] for size in range(1, len(whole), 9)]


def test_S11_a_corrupt_file_is_a_value_error_and_is_left_as_it_is():
    fresh()
    FileKeys(PATH).create('anna', 'pump', ['read'])
    for row in corrupt_rows(held(PATH)):
        remove(PATH + copies.COPY)
        put(PATH, row)
        try:
            raise AssertionError('%r was read as %d keys' % (row, len(FileKeys(PATH))))
        except ValueError as error:
            assert PATH in str(error)
        assert held(PATH) == row


async def test_S11_a_damaged_file_is_known_and_its_copy_used_and_told_of():
    fresh()
    text = FileKeys(PATH).create('anna', 'pump', ['read'])
    whole = held(PATH)
    for row in corrupt_rows(whole) + [None]:
        remove(PATH)
        if row is not None:
            put(PATH, row)
        told = Told()
        keys = FileKeys(PATH, events=told)
        assert told.events == [('keys_restored', {'path': PATH})], row
        assert await status(guarded(keys), header(text), '/read') == 200, row
    put(PATH, b'damaged')
    put(PATH + copies.COPY, b'damaged')
    raises(ValueError, FileKeys, PATH)


async def test_H4_two_who_write_one_file_lose_nothing_of_each_other():
    """Another process is played by another object, on the Python that has processes."""
    fresh()
    if MICROPYTHON:
        one = two = FileKeys(PATH)
    else:
        one, two = FileKeys(PATH), FileKeys(PATH)
    with FakeClock() as clock:
        first = one.create(ANNA, 'a')
        second = two.create(ANNA, 'b')
        assert [key.name for key in one] == [key.name for key in two] == ['a', 'b']
        assert await status(guarded(one), header(second)) == await status(guarded(two), header(first)) == 200
        assert [key.last_used for key in FileKeys(PATH)] == [START, START]
        clock.advance(2 * HOUR)
        one.revoke(id_of(second))
        assert await status(guarded(two), header(second)) == 401
        two.used(await two.find(id_of(first)))
        assert [(key.name, key.last_used) for key in one] == [('a', START + 2 * HOUR)]
        gone = APIKey(id_of(second), 'anna', 'b', (), '')
        one.used(gone)  # revoked while it was in use
        assert len(FileKeys(PATH)) == 1


# --- power cuts ---------------------------------------------------------------------------------------------------

KEYS = Medium.path + '/keys.json'
NAMES = ('pump', 'door')


async def cut_everywhere(change, judge, kind):
    """Cut the power at the first write of ``change(texts)``, at the second, and so on until it completes."""
    with FakeClock():
        medium = kind()
        with medium.mounted():
            os.mkdir(medium.path + '/sessions')  # which a Medium has
            keys = FileKeys(KEYS)
            texts = {name: keys.create(ANNA, name, ['read']) for name in NAMES}
        medium.keep()
        for how in medium.ways:
            number = 0
            while True:
                number += 1
                medium.again()
                with medium.mounted(number, how):
                    try:
                        change(FileKeys(KEYS), texts)
                    except OSError:
                        pass
                    completed = medium.writes < number
                with medium.mounted():
                    await judge(FileKeys(KEYS), texts, completed, (how, number))
                    again = FileKeys(KEYS)
                    added = again.create(ANNA, 'added')
                with medium.mounted():
                    assert await opens(FileKeys(KEYS), added), (how, number)
                if completed:
                    break
            assert number > 3


async def opens(keys, text):
    key = await keys.find(id_of(text))
    return apikeys.is_right(key, text.split('_')[2])


async def test_H4_a_power_cut_at_any_write_of_a_revocation_leaves_the_key_or_none():
    def revoke(keys, texts):
        keys.revoke(id_of(texts['pump']))

    async def judge(keys, texts, completed, where):
        assert await opens(keys, texts['door']), where
        there = await opens(keys, texts['pump'])
        assert not (there and completed) and len(keys) == 1 + there, where

    for kind in (Medium, FatMedium):
        await cut_everywhere(revoke, judge, kind)


async def test_H4_a_power_cut_at_any_write_of_a_new_key_leaves_none_or_all_of_it():
    made = []

    def create(keys, texts):
        del made[:]
        made.append(keys.create(ANNA, 'light', ['read']))

    async def judge(keys, texts, completed, where):
        assert await opens(keys, texts['door']) and await opens(keys, texts['pump']), where
        assert made or not completed, where
        there = bool(made) and await opens(keys, made[0])
        assert there or not completed, where
        assert len(keys) in ((3,) if completed else (2, 3)), where

    for kind in (Medium, FatMedium):
        await cut_everywhere(create, judge, kind)


async def test_H4_a_power_cut_at_any_write_of_a_use_loses_no_key():
    def use(keys, texts):
        keys.used(keys.of_user(ANNA)[1])

    async def judge(keys, texts, completed, where):
        assert await opens(keys, texts['door']) and await opens(keys, texts['pump']) and len(keys) == 2, where
        pump = keys.of_user(ANNA)[1]
        assert pump.last_used == START or (pump.last_used is None and not completed), where

    for kind in (Medium, FatMedium):
        await cut_everywhere(use, judge, kind)


async def test_S11_a_revoked_key_does_not_come_back_with_the_copy():
    fresh()
    keys = FileKeys(PATH)
    text = keys.create(ANNA, 'pump')
    keys.create(ANNA, 'door')
    keys.revoke(id_of(text))
    put(PATH, b'damaged')
    assert await status(guarded(FileKeys(PATH)), header(text)) == 401


async def test_many_at_once_are_let_in_and_lose_nothing():
    for kind, keys in both():
        texts = [keys.create(ANNA, 'key %d' % number) for number in range(6)]
        app = guarded(keys)

        async def one(text, app=app):
            return await status(app, header(text))

        assert await asyncio.gather(*[one(text) for text in texts + texts]) == [200] * 12, kind
        assert len(keys) == 6 and not [key for key in keys if key.last_used is None]


# --- users by their keys --------------------------------------------------------------------------

async def test_S11_a_key_gives_its_user_and_no_more_scopes_than_its_own():
    for name, keys in both():
        users = MemoryUsers()
        users.keys = keys
        anna = await users.create('anna', 'correct horse', ['read', 'write'])
        text = keys.create(anna, 'pump', ['read', 'admin'])
        found = await users.get_by_token(text)
        assert (found.id, found.name, found.scopes) == (anna.id, 'anna', ['read']), name
        assert found.password_hash == anna.password_hash and found.api_key.name == 'pump'
        assert found.api_key.last_used or now() is None
        assert not hasattr(found, 'no_such_thing') and anna.scopes == ['read', 'write']
        assert (await users.get_by_token(keys.create(anna, 'none'))).scopes == []


async def test_S11_what_is_no_key_of_an_active_user_is_nobodys():
    with FakeClock() as clock:
        users = MemoryUsers()
        users.keys = keys = MemoryKeys()
        anna, bert = await users.create('anna', 'correct horse'), await users.create('bert', 'correct horse')
        text, short = keys.create(anna, 'pump'), keys.create(anna, 'short', (), now() + 60)
        gone, shut = keys.create(anna, 'gone'), keys.create(bert, 'shut')
        keys.revoke(gone.split('_')[1])
        users.disable(bert)
        clock.advance(60)
        foreign = MemoryKeys().create(anna, 'x')
        for wrong in (short, gone, shut, foreign, text[:-1], text[:-1] + '\ud800', text + 'x', '', None, 5, b'dl'):
            assert await users.get_by_token(wrong) is None, wrong
        assert (await users.get_by_token(text)).name == 'anna'
        users.remove(anna)
        assert await users.get_by_token(text) is None


async def times_written(start):
    with FakeClock(start) as clock:
        users, asked = MemoryUsers(), []
        users.keys = keys = MemoryKeys()
        text = keys.create(await users.create('anna', 'correct horse'), 'pump')
        used = keys.used
        keys.used = lambda key: asked.append(used(key))
        for _ in range(3):
            await users.get_by_token(text)
        clock.advance(HOUR)
        await users.get_by_token(text)
        return len(asked)


async def test_that_a_key_is_used_is_written_once_an_hour_however_often_its_user_is_asked_for():
    assert await times_written(START) == 2
    assert await times_written(UNSET) == 1  # nobody knows whether an hour has passed


async def test_users_without_keys_say_what_is_missing():
    try:
        await MemoryUsers().get_by_token('dl_x_y')
        raise AssertionError()
    except RuntimeError as error:
        assert 'users.keys' in str(error)
