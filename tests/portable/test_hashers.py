"""Hashes that other programs made: right for the right password, false for everything odd, replaced at a login."""
import sys

from clock import FakeClock

from dotlatch import hashers, passwords
from dotlatch.passwords import needs_rehash, verify_password
from dotlatch.strictjson import loads
from dotlatch.users import MemoryUsers

VECTORS = __file__.rsplit('/', 2)[0] + '/vectors/other_pbkdf2_formats.json'
MICROPYTHON = sys.implementation.name == 'micropython'
DK = 'ce6a589ab689f1ad7b38af58a25d30ad6f7f0353e7b1183afc9526b78ed4246f'
WERKZEUG = 'pbkdf2:sha256:1000$abcdefghijklmnop$' + DK
PASSLIB = '$pbkdf2-sha256$1000$MDEyMzQ1Njc4OWFiY2RlZg$hRRjgXWkW8ResfIvBP99J/T4vkgEmMRV/0tJTOjR59I'
MICRODOT = ('pbkdf2-hmac-sha256:30313233343536373839616263646566:1000:'
            '8514638175a45bc45eb1f22f04ff7d27f4f8be480498c455ff4b494ce8d1e7d2')
ALL = (WERKZEUG, PASSLIB, MICRODOT)


class Counted:
    """Counts what is hashed; nothing of it is right."""
    def __enter__(self):
        self.costs = []
        self._kept = passwords.pbkdf2_hmac_sha256, hashers.in_thread

        async def derive(password, salt, iterations, dklen=32):
            self.costs.append(iterations)
            return b''

        async def in_thread(f, *args):
            self.costs.append(args)
            return b''

        passwords.pbkdf2_hmac_sha256 = derive
        if self._kept[1] is not None:
            hashers.in_thread = in_thread
        return self

    def __exit__(self, *error):
        passwords.pbkdf2_hmac_sha256, hashers.in_thread = self._kept


def rows():
    with open(VECTORS, 'rb') as file:
        return loads(file.read())['rows']


async def outcome(awaitable):
    try:
        return await awaitable
    except Exception as error:
        return type(error)


async def test_P3_the_hashes_of_passlib_werkzeug_and_microdots_example_are_right():
    done = 0
    for row in rows():
        encoded = row['encoded']
        assert await verify_password(row['password'], encoded) is True, row
        for wrong in ('', row['password'] + 'x', row['password'].upper(), ' ' + row['password'], encoded):
            assert await verify_password(wrong, encoded) is False, (row, wrong)
        done += 1
    assert done == 7, done


async def test_P3_every_hash_of_others_is_to_be_made_anew():
    for row in rows():
        assert needs_rehash(row['encoded']) is True
        assert needs_rehash(row['encoded'], 1) is True
    for cost in ('9999999', '1'):
        assert needs_rehash(WERKZEUG.replace('1000', cost)) is True


async def test_P3_a_login_replaces_the_hash_of_others_by_one_of_ours():
    kept = passwords.ITERATIONS
    passwords.ITERATIONS = 3
    try:
        for hashed in ALL:
            users = MemoryUsers()
            anna = await users.create('anna', 'to be replaced')
            anna.password_hash = hashed
            assert await users.authenticate('anna', 'wrong') is None
            assert anna.password_hash == hashed
            assert await users.authenticate('anna', 'password') is anna
            assert anna.password_hash.startswith('pbkdf2_sha256$3$')
            assert await users.authenticate('anna', 'password') is anna
            assert await users.authenticate('anna', 'wrong') is None
    finally:
        passwords.ITERATIONS = kept


async def test_P3_another_digit_of_a_hash_makes_it_wrong():
    for hashed in ALL:
        for at in range(len(hashed) - 30, len(hashed) - 1, 7):
            changed = hashed[:at] + ('1' if hashed[at] != '1' else '2') + hashed[at + 1:]
            with Counted():
                assert await outcome(verify_password('password', changed)) is False, changed
        changed = hashed[:-1] + ('e' if hashed[-1] != 'e' else 'M')
        assert await outcome(verify_password('password', changed)) is False, changed
    assert await verify_password('password', WERKZEUG.replace('abcdefg', 'abcdefG')) is False
    assert await verify_password('password', WERKZEUG.replace('1000', '1001')) is False
    assert await verify_password('password', MICRODOT.replace('3031', '3032')) is False


async def test_P4_odd_hashes_of_others_are_false_without_hashing_or_an_exception():
    odd = ['pbkdf2:sha256:1000$' + DK, 'pbkdf2:sha256:1000$$' + DK, 'pbkdf2:sha256$salt$' + DK,
           'pbkdf2:sha256:1000:1$salt$' + DK, 'pbkdf2:sha256:1000$salt$' + DK + '$x', 'pbkdf2:md5:1000$salt$' + DK,
           'pbkdf2::1000$salt$' + DK, 'pbkdf2:SHA256:1000$salt$' + DK, 'pbkdf2:sha256:1000$salt$' + DK.upper(),
           'pbkdf2:sha256:1000$salt$' + DK[:-1], 'pbkdf2:sha256:1000$salt$' + DK[:-2],
           'pbkdf2:sha256:1000$salt$' + DK + '00', 'pbkdf2:sha256:1000$salt$' + 'g' * 64,
           'pbkdf2:sha256:1000$salt$' + ' ' * 64, 'pbkdf2:sha256:1000$salt$' + '\xe9' * 64,
           'pbkdf2:sha256:1000$\ud800$' + DK, 'pbkdf2:sha256:1000$' + 's' * 500 + '$' + DK,
           'pbkdf2:', 'pbkdf2:$', 'pbkdf2:$$', 'pbkdf2:::$$', 'pbkdf2', 'PBKDF2' + WERKZEUG[6:], WERKZEUG + '\n',
           ' ' + WERKZEUG, 'scrypt', 'scrypt:', 'scrypt$', 'scrypt:32768:8:1', 'scrypt:32768:8:1$salt$',
           'scrypt:32768:8:1$salt$' + DK, 'scrypt$16384$salt$8$5$', 'scrypt:0:0:0$salt$' + DK * 2,
           'scrypt:3:8:1$salt$' + DK * 2, 'scrypt:1:8:1$salt$' + DK * 2, 'scryptx:2:8:1$salt$' + DK * 2,
           '$pbkdf2', '$pbkdf2$', '$pbkdf2$$$', '$pbkdf2-sha256$1000$$' + PASSLIB[-43:],
           '$pbkdf2-md5' + PASSLIB[14:], '$pbkdf2xsha256' + PASSLIB[14:], '$pbkdf2-sha256-' + PASSLIB[14:],
           PASSLIB + '=', PASSLIB + '$', PASSLIB[:-1], PASSLIB + 'A', PASSLIB.replace('/', '+'),
           PASSLIB.replace('MDEy', 'MD=y'), PASSLIB.replace('lZg', 'lZh'), PASSLIB[1:],
           MICRODOT + ':', MICRODOT[:-2], MICRODOT.replace(':3031', ':303'), MICRODOT.replace(':3031', ':30g1'),
           'pbkdf2-hmac-sha256::1000:' + DK, 'pbkdf2-hmac-sha256:30:1000', 'pbkdf2-hmac-sha512' + MICRODOT[18:],
           MICRODOT.upper(), 'pbkdf2_sha1$1000$salt$', 'pbkdf2_sha1$1000$$' + 'A' * 27 + '=',
           'pbkdf2_sha1$1000$salt$' + 'A' * 43 + '=', 'argon2', 'argon2$argon2id', 'argon2$argon2id$', '$argon2id$$$$$',
           'argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$', 'bcrypt', 'bcrypt$', 'bcrypt$$2b$', '$2b$', '$2b$12$',
           'bcrypt_sha256$$2b$12$', '$2b$12$' + 'a' * 52, '$2b$12$' + 'a' * 54, '$2x$12$' + 'a' * 53,
           '$2b$12$' + 'a' * 26 + ' ' + 'a' * 26, '$2b$1$' + 'a' * 53, '$2b$012$' + 'a' * 53, '$2b$12$' + '\0' * 53,
           'md5$salt$' + DK[:32], 'sha1$salt$' + DK[:40], 'crypt$$x', 'x:y', 'x$y', ':', '$', '::::', '$$$$$']
    with Counted() as counted:
        for row in odd:
            got = await outcome(verify_password('password', row))
            assert got is False, (row[:80], got)
            assert needs_rehash(row) is True
    assert counted.costs == [], counted.costs


async def test_P4_what_a_hash_of_others_may_cost_is_bounded_before_anything_is_computed():
    wrong = ['', '0', '00', '-1', '+3', ' 3', '3 ', '3\n', '1e3', '3_0', '\u0663', '\xb3', '3' * 20,
             str(passwords.MAX_ITERATIONS + 1), '99999999', '1099511627776']
    with Counted() as counted:
        for hashed in ALL:
            for cost in wrong:
                changed = hashed.replace('1000', cost)
                assert await outcome(verify_password('password', changed)) is False, changed
        for n, r, p in ((1 << 22, 8, 1), (1 << 19, 8, 1), (1 << 30, 1, 1), (1 << 17, 32, 1), (16384, 8, 17),
                        (1 << 17, 8, 5), (16384, 1 << 20, 1), (2, 1 << 30, 1), (16384, 8, 0), (16384, 0, 1)):
            for hashed in ('scrypt:%d:%d:%d$salt$%s' % (n, r, p, DK * 2),
                           'scrypt$%d$salt$%d$%d$%s' % (n, r, p, 'A' * 86 + '==')):
                assert await outcome(verify_password('password', hashed)) is False, hashed
        for memory, passes, lanes in ((262145, 1, 1), (262144, 5, 1), (8, 131073, 1), (4096, 1, 17), (8, 1, 2),
                                      (1 << 32, 1, 1), (102400, 0, 8), (0, 1, 1), (102400, 2, 0), (99999999, 1, 1)):
            hashed = 'argon2$argon2id$v=19$m=%d,t=%d,p=%d$c2FsdHNhbHQ$%s' % (memory, passes, lanes, 'A' * 43)
            assert await outcome(verify_password('password', hashed)) is False, hashed
        for cost in ('00', '03', '16', '31', '99'):
            for prefix in ('$2b$', 'bcrypt$$2b$', 'bcrypt_sha256$$2b$'):
                assert await outcome(verify_password('password', prefix + cost + '$' + 'a' * 53)) is False, cost
    assert counted.costs == [], counted.costs


async def test_P4_a_long_password_is_refused_before_it_is_hashed_for_another_format():
    with Counted() as counted:
        for hashed in ALL:
            for odd in ('x' * 4097, 'x' * 20000, 'password\0', '\ud800', None, b'password'):
                assert await outcome(verify_password(odd, hashed)) is False, (hashed, odd)
    assert counted.costs == []


async def test_what_only_a_computer_computes_is_false_on_a_board_at_once():
    hashed = ['pbkdf2_sha1$1000$abcdefghijklmnop$RQGsc4b4TZCK33Y2lDayetbgeWk=',
              'pbkdf2:sha1:1000$abcdefghijklmnop$4501ac7386f84d908adf76369436b27ad6e07969',
              'scrypt:2:8:1$salt$' + DK * 2, 'scrypt$2$salt$8$1$' + 'A' * 86 + '==',
              'argon2$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$' + 'A' * 43, '$2b$04$' + 'a' * 53]
    with Counted() as counted:
        for row in hashed:
            assert await outcome(verify_password('wrong', row)) is False, row
    assert len(counted.costs) == (0 if MICROPYTHON else len(hashed)), counted.costs


async def test_what_was_right_a_moment_ago_is_known_again_for_other_formats_too():
    passwords._recent.clear()
    with FakeClock() as clock:
        assert await verify_password('password', MICRODOT) is True
        with Counted() as counted:
            assert await verify_password('password', MICRODOT) is True
            assert counted.costs == []
            assert await verify_password('Password', MICRODOT) is False
            assert await verify_password('password', MICRODOT.replace('1000', '1002')) is False
            clock.advance(301)
            assert await verify_password('password', MICRODOT) is False, 'Counted makes everything wrong'
        assert counted.costs == [1000, 1002, 1000]


async def test_B5_a_hash_of_others_costs_what_it_says():
    with Counted() as counted:
        for hashed in ALL:
            assert await verify_password('wrong', hashed) is False
    assert counted.costs == [1000] * 3
