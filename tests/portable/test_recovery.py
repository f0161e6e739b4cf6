"""Recovery codes: each opens once, and what is kept of them opens nothing."""
import asyncio
import os

from disk import Disk

from dotlatch import copies, recovery
from dotlatch.portable import FileLock, b64url_decode
from dotlatch.recovery import count_left, make, spend

ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'


def error_of(f, *args):
    try:
        f(*args)
    except Exception as error:
        return error
    return None


def test_O6_codes_are_random_and_have_80_bits():
    seen = set()
    letters = set()
    for _ in range(20):
        codes, _ = make()
        assert len(codes) == 10
        for code in codes:
            groups = code.split('-')
            assert [len(group) for group in groups] == [4, 4, 4, 4], code
            for c in ''.join(groups):
                assert c in ALPHABET, code
                letters.add(c)
            seen.add(code)
    assert len(seen) == 200 and len(letters) == 32
    asked = []
    kept = recovery.random_bytes
    recovery.random_bytes = lambda n: asked.append(n) or kept(n)
    try:
        make(3)
    finally:
        recovery.random_bytes = kept
    assert asked == [16, 10, 10, 10]  # bytes: the salt, and 80 bits for each


def test_O6_every_bit_of_a_code_comes_from_the_systems_randomness():
    kept = recovery.random_bytes
    try:
        recovery.random_bytes = bytes
        assert make(1)[0] == ['0000-0000-0000-0000']
        recovery.random_bytes = lambda n: b'\xff' * n
        assert make(1)[0] == ['ZZZZ-ZZZZ-ZZZZ-ZZZZ']
    finally:
        recovery.random_bytes = kept


def test_O6_each_code_opens_once():
    codes, kept = make()
    assert count_left(kept) == 10
    for i, code in enumerate(codes):
        left = spend(code, kept)
        assert left is not None and count_left(left) == 9 - i, code
        assert spend(code, left) is None, code
        for other in codes[i + 1:]:
            assert spend(other, left) is not None, other
        kept = left
    for code in codes:
        assert spend(code, kept) is None, code
    assert count_left(kept) == 0


def test_O6_codes_can_be_spent_in_any_order():
    codes, kept = make(5)
    for i in (4, 0, 2, 3, 1):
        kept = spend(codes[i], kept)
        assert kept is not None, i
    assert count_left(kept) == 0


def test_O6_what_is_kept_does_not_tell_the_codes():
    codes, kept = make()
    for code in codes:
        for piece in (code, code.replace('-', ''), code.lower(), code.replace('-', '').lower()):
            assert piece not in kept, piece
    salt, *hashes = kept.split('$')
    assert len(b64url_decode(salt)) == 16 and len(hashes) == 10
    for hashed in hashes:
        assert len(b64url_decode(hashed)) == 16
        assert spend(hashed, kept) is None
    assert spend(kept, kept) is None


def test_O6_hashes_are_salted():
    real = recovery.random_bytes
    try:
        recovery.random_bytes = lambda n: bytes(n) if n == 10 else real(n)  # the same codes, other salts
        first, second = make(2)[1], make(2)[1]
    finally:
        recovery.random_bytes = real
    assert not set(first.split('$')) & set(second.split('$'))
    for kept in (first, second):
        assert spend('0000000000000000', kept) is not None


def test_O6_a_new_list_ends_the_old_one():
    old, _ = make()
    _, kept = make()
    for code in old:
        assert spend(code, kept) is None, code


def test_a_code_is_read_as_it_was_meant():
    real = recovery.random_bytes
    try:
        recovery.random_bytes = lambda n: real(n) if n == 16 else b'\x01\x08\x42\x10\x84\x3f\xf0\x00\x7c\x01'
        (code,), kept = make(1)
    finally:
        recovery.random_bytes = real
    assert '0' in code and '1' in code
    plain = code.replace('-', '')
    typed = [code, plain, code.lower(), plain.lower(), code.replace('-', ' '), ' ' + code + ' ', '-' + plain + '-',
             ' - '.join(code.split('-')), ' '.join(list(plain)), code.replace('0', 'O'), code.replace('0', 'o')]
    for like in 'ILil':
        typed.append(code.replace('1', like))
    for text in typed:
        assert spend(text, kept) is not None, text


def test_anything_else_is_no_code_and_no_exception():
    (code,), kept = make(1)
    plain = code.replace('-', '')
    odd = [None, '', ' ', '-' * 19, 0, 5, True, 1.5, plain.encode(), [code], {}, (code,), object(), plain[:-1],
           plain[1:], plain + '0', '0' + plain, plain + plain, code + '\n', '\t' + code, code + '\0', '\0' * 16,
           code.replace('-', '\u2010'), code.replace('-', '_'), code.replace('-', '.'), code + '$', '$', '$' * 16,
           'U' * 16, 'u' * 16, '\ud800' * 16, '\u0130' * 16, '\u0131' * 16, '\u017f' * 16, '\uff10' * 16, '\u0660' * 16,
           '\xb2' * 16, plain[:-1] + '\u212a', code + ' ' * 60, 'A' * 100000]
    for text in odd:
        assert spend(text, kept) is None, text


def test_look_alikes_of_other_scripts_are_not_the_letters():
    real = recovery.random_bytes
    try:
        for number, c, likes in ((b'\x00', '0', '\u041e\u039f\u3007\u0660'), (b'\xff', 'Z', '\u0396\uff3a\u017b')):
            recovery.random_bytes = lambda n, number=number: real(n) if n == 16 else number * n
            kept = make(1)[1]
            assert spend(c * 16, kept) is not None
            for like in likes:
                assert spend(like + c * 15, kept) is None and spend(c * 15 + like, kept) is None, like
    finally:
        recovery.random_bytes = real


def test_an_account_without_codes_has_none_that_is_right():
    code = make(1)[0][0]
    for kept in (None, '', make(1)[1].split('$')[0]):
        assert spend(code, kept) is None, kept
        assert count_left(kept) == 0


def test_a_damaged_text_opens_nothing():
    (code,), kept = make(1)
    salt, hashed = kept.split('$')
    for text in ('$', '$' + hashed, hashed, salt + '$', salt + '$$', salt + '$' + hashed[:-1],
                 salt + '$' + hashed + 'A', salt[:-1] + '$' + hashed, 'x$' + hashed, salt + '.' + hashed,
                 hashed + '$' + salt):
        try:
            left = spend(code, text)
        except ValueError:
            continue
        assert left is None, text


def test_T2_every_code_that_is_left_is_compared():
    codes, kept = make()
    compared = []
    real = recovery.compare_digest
    recovery.compare_digest = lambda a, b: compared.append(a) or real(a, b)
    try:
        for code in (codes[0], codes[4], codes[9], '0000-0000-0000-0000'):
            del compared[:]
            spend(code, kept)
            assert len(compared) == 10, code
    finally:
        recovery.compare_digest = real


def test_lists_have_one_to_twenty_codes():
    for count in (1, 20):
        codes, kept = make(count)
        assert len(codes) == count_left(kept) == count
    for count in (0, -1, 21, 1000000):
        assert isinstance(error_of(make, count), ValueError), count


# --- once, also when two come at the same time ----------------------------------------------------

class FileAccounts:
    """One file, which other processes write too: read, spent and written under a lock."""
    def __init__(self, path):
        self.path = path

    def read(self):
        return copies.load(self.path, 'a file of accounts', lambda content: content['recovery'])[0]

    def write(self, kept):
        copies.save(self.path, {'recovery': kept})

    def spend(self, code):
        with FileLock(self.path):
            left = spend(code, self.read())
            if left is None:
                return False
            self.write(left)
        return True


def accounts():
    for name in os.listdir('.'):
        if name.startswith('accounts.json'):
            os.remove(name)
    return FileAccounts('accounts.json')


async def test_O6_of_two_parallel_submissions_one_wins():
    from dotlatch.portable import call
    codes, kept = make()
    kind = accounts()
    kind.write(kept)
    answers = await asyncio.gather(*[call(FileAccounts(kind.path).spend, code) for code in codes[:2] * 4])
    assert answers.count(True) == 2, answers
    assert count_left(kind.read()) == 8
    for code in codes[:2]:
        assert kind.spend(code) is False


def test_O6_a_code_is_spent_before_it_opens_or_it_does_not_open():
    codes, kept = make()
    for at in range(1, 4):
        kind = accounts()
        kind.write(kept)
        with Disk(fail_at=at):
            error = error_of(kind.spend, codes[0])
        spent = spend(codes[0], kind.read()) is None
        assert isinstance(error, OSError) or spent, at
