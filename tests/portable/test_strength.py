"""New passwords: long enough, and not what everybody tries first. Nothing else is asked of them."""
from client import AsyncCallable

from dotlatch import passwords, strength
from dotlatch.passwords import WeakPassword, check_strength
from dotlatch.users import MemoryUsers

GOOD = 'tulip harbour nine lantern'


async def verdict(password, *args, **kwargs):
    """None for a password that may be taken, the message for one that may not."""
    try:
        return await check_strength(password, *args, **kwargs)
    except WeakPassword as error:
        return str(error)


async def outcome(awaitable):
    try:
        return await awaitable
    except Exception as error:
        return type(error)


# --- P1: length -----------------------------------------------------------------------------------

async def test_P1_fifteen_characters_are_enough_and_fourteen_are_not():
    for password in ('tulip harbour n', 'T7#kq9!zLw2@Vx5', '\xe9\xe8\xfc tulip harbo', 'tulip\0harbour n'):
        assert len(password) == 15
        assert await verdict(password) is None, password
        assert '15 characters' in await verdict(password[:-1]), password
        assert '15 characters' in await verdict(password[1:]), password
    for password in ('', ' ', 'a'):
        assert '15 characters' in await verdict(password)


async def test_P1_eight_are_enough_beside_a_second_factor():
    for password in ('tulip ha', 'T7#kq9!z', '\u2603\U0001f511abcde\xe9'):
        assert len(password) == 8
        assert await verdict(password, min_length=8) is None, password
        assert '8 characters' in await verdict(password[:-1], min_length=8), password
        assert '15 characters' in await verdict(password), password
    for size in (7, 0, -1):
        assert await outcome(check_strength(GOOD, min_length=size)) is ValueError, size


async def test_P1_long_passwords_are_taken_and_the_whole_of_them_counts():
    for size in (64, 65, 128, 1000, 4096):
        password = ''
        while len(password) < size:
            password += GOOD[len(password) % 7:] + str(len(password)) + ' '
        assert await verdict(password[:size]) is None, size
    assert 'at most 4096 bytes' in await verdict(password[:10] * 410)
    # What makes it good may stand anywhere.
    assert await verdict('a' * 100 + ' tulip harbour') is None
    assert await verdict(GOOD[:8] + 'a' * 100) is None


async def test_P1_code_points_are_counted_not_bytes():
    emoji = '\U0001f511\u2603\U0001f4a9\U0001f99c\U0001f335\U0001f3ba\U0001f681\U0001f98a\U0001f9f2\U0001f9ed'
    assert await verdict(emoji + '\u20ac\u03b2\u0436\xdf\xe9') is None
    assert '15 characters' in await verdict(emoji + '\u20ac\u03b2\u0436\xdf')
    assert await verdict('e\u0301' * 2 + ' tulip harbo') is None, 'a mark of its own is a character of its own'


async def test_P1_nothing_is_cut_off_or_folded():
    for password in ('  tulip harbour', 'tulip harbour  ', '\ttulip harbour\n', 'tulip  harbour '):
        assert len(password) == 15
        assert await verdict(password) is None, repr(password)
        assert '15 characters' in await verdict(password.strip()[:14]), repr(password)


async def test_P1_what_cannot_be_hashed_is_refused_here_already():
    for password in (GOOD + '\0', GOOD + '\ud800', '\u2603' * 1366, 'x' * 4097, GOOD * 200):
        message = await verdict(password)
        assert message and 'bytes' in message, password[:30]
    for odd in (None, 5, b'tulip harbour nine', ['tulip'] * 20, True):
        assert await outcome(check_strength(odd)) is TypeError, odd


# --- P2: what is refused ------------------------------------------------------------------------------

async def test_P2_no_digit_capital_or_sign_is_asked_for():
    for password in ('tulipharbournin', 'TULIPHARBOURNIN', 'bluewhalesdream', 'kvxqmzjwpfgbhty', '839205716482937',
                     'tulip harbour nine', 'an umbrella for the goat', '\u0436\u0443\u043a \u0432 \u043a\u043e\u0440'
                     '\u0437\u0438\u043d\u0435 \u0441\u043f\u0438\u0442'):
        assert await verdict(password) is None, password


async def test_P2_common_passwords_are_refused():
    for password in ('password', 'Password', 'PASSWORD1', 'iloveyou', 'sunshine', 'football1', 'princess', 'baseball',
                     'trustno1', 'superman', 'passw0rd', 'whatever', 'starwars', 'computer', 'jennifer', 'michelle',
                     'liverpool', 'password!', 'changeme', 'raspberry', 'micropython', '147258369', '1q2w3e4r',
                     '789456123'):
        assert await verdict(password, min_length=8), password
    for password in ('correct horse battery staple', 'CorrectHorseBatteryStaple', 'correct-horse-battery-staple',
                     'a much better horse battery', 'thequickbrownfox', 'The quick brown fox', 'raspberrypipico'):
        assert 'anybody would try' in await verdict(password), password


async def test_P2_a_common_password_with_a_little_around_it_is_refused():
    for password in ('password12345678', 'Password!2024!!!', 'monkey123456789', '123456789monkey', '2024sunshine2024',
                     '!!!iloveyou!!!!!', 'administrator01', 'dragondragondragon', 'raspberrypi12345',
                     '...micropython...'):
        assert await verdict(password), password
    for password in ('monkey and a tall green umbrella', 'monkey 8273640591', 'my sunshine is a lamp post'):
        assert await verdict(password) is None, password


async def test_P2_patterns_are_refused():
    for password in ('aaaaaaaaaaaaaaa', 'a' * 64, ' ' * 15, 'abababababababab', 'abcabcabcabcabc', 'xyzzyxyzzyxyzzy',
                     '123456789012345', '1234567890123456', '987654321098765', '123456789987654321', '111222333444555',
                     'abcdefghijklmnop', 'ZYXWVUTSRQPONML', 'qwertyuiopasdfg', 'QWERTYUIOPasdfghjkl', 'poiuytrewqlkjhg',
                     '1qaz2wsx3edc4rfv', 'qazwsxedcrfvtgb', '1q2w3e4r5t6y7u8i', 'q1w2e3r4t5y6u7i8', 'aabbccddeeffgghh',
                     'qwertzuiopasdfgh', 'azertyuiopqsdfgh', 'asdfghjklasdfghjkl', '!@#$%^&*()!@#$%',
                     'abcd1234abcd1234',
                     'tulip tulip tulip', 'abc123abc123abc', '\xe9' * 15, '\U0001f511' * 20, '\u2603\xe9' * 10,
                     'a1a1a1a1a1a1a1a1', 'zzzzzzzzzzzzzzzzz!'):
        message = await verdict(password)
        assert message and ('repeats' in message or 'anybody' in message), (password, message)
    for password in ('12345678', 'abcdefgh', 'qwertyui', 'aaaaaaaa', 'abababab', '87654321', '11223344', 'aaaabbbb'):
        assert await verdict(password, min_length=8), password


async def test_P2_names_that_a_stranger_knows_are_refused():
    context = ('Annabella', 'greenhouse-7', 'Harbour View WiFi', 'anna.smith@example.org')
    for password in ('annabella123456', 'Annabella Annabella', 'ANNABELLA-annabella', 'annabella2024!!',
                     '!!!Annabella2024',
                     'greenhouse-7-greenhouse-7', 'greenhouse12345', 'harbourviewwifi', 'HarbourViewWiFi1',
                     'anna.smith@example.org', 'annasmithexample', 'smith-annabella', 'annabellagreenhouse',
                     'greenhouse harbour'):
        message = await verdict(password, context)
        assert message and 'name' in message, (password, message)
    for password in ('annabella likes tulips', 'the greenhouse is out of lamps', GOOD, 'view of the old lighthouse'):
        assert await verdict(password, context) is None, password
    assert await verdict('annabella keeps bees') is None


async def test_P2_words_too_short_to_mean_anything_are_no_names():
    for context in (tuple('abehilnoprtu '), ('tu', 'li', ''), ('',), (), '', 'x', (5, 7), ('!!!',)):
        assert await verdict(GOOD, context) is None, context
    assert 'name' in await verdict('annabella123456', 'annabella'), 'a single word'


async def test_P2_a_name_is_the_same_in_capitals_on_both_pythons():
    assert 'name' in await verdict('ANNABELLA123456', ('annabella',))
    assert 'name' in await verdict('annabella123456', ('ANNABELLA',))
    assert 'name' in await verdict('k\xe4the-1975k\xe4the', ('K\xe4the',))
    assert await verdict('the1the5the9the', ('k\xe4the',)) is None, 'the letters after an umlaut are no word'


async def test_P2_one_good_password_in_a_hundred_at_most_is_taken_for_a_common_one():
    letters = 'bcdfghjklmnpqrstvwxz'
    wrong = 0
    number = 1
    for _ in range(600):
        word = ''
        for _ in range(9):
            number = number * 48271 % 2147483647
            word += letters[number % 20]
        wrong += strength.is_common(word)
    assert wrong <= 6, wrong


async def test_P2_a_long_pattern_is_judged_in_bounded_memory():
    for unit in ('a', 'ab', 'qwerty', '0123456789', 'tulip ha'):
        password = (unit * 4096)[:4096]
        assert await verdict(password), unit


async def test_P2_a_service_that_knows_leaked_passwords_is_asked_last():
    asked = []

    async def known(password):
        asked.append(password)
        return 3

    def unknown(password):
        asked.append(password)
        return 0

    async def down(password):
        raise OSError('no network')

    for check in (known, AsyncCallable(known)):
        assert 'stolen' in await verdict(GOOD, check=check)
    assert await verdict(GOOD, check=unknown) is None
    assert asked == [GOOD] * 3
    assert await verdict('short', check=known) and await verdict('a' * 20, check=known)
    assert asked == [GOOD] * 3, 'nobody else is told what was refused here'
    assert await outcome(check_strength(GOOD, check=down)) is OSError


async def test_P2_messages_say_what_to_do_and_never_quote():
    for password in ('hunter22', 'hunter22' * 3, 'hunter22hunter22!', 'hunter222222222', 'hunter22' + '\ud800' * 9):
        message = await verdict(password, ('hunter22',))
        assert message and 'hunter' not in message and 'use ' in message, (password, message)


async def test_P2_accounts_take_no_weak_password_when_they_are_told_to_judge():
    users = MemoryUsers(check_password=check_strength)
    for password in ('too short', 'annabella123456', 'Password!2024!!!'):
        assert await outcome(users.create('annabella', password)) is WeakPassword, password
    assert len(users) == 0
    kept = passwords.ITERATIONS
    passwords.ITERATIONS = 2
    try:
        await users.create('annabella', GOOD)
    finally:
        passwords.ITERATIONS = kept
    assert len(users) == 1


def test_the_rules_are_reached_through_passwords():
    assert passwords.check_strength is strength.check_strength
    assert passwords.WeakPassword is strength.WeakPassword and issubclass(WeakPassword, ValueError)
    try:
        assert not passwords.check_nothing, 'a name that is not there'
    except AttributeError:
        pass
