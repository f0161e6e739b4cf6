"""Answers questions about dotlatch in the Python that runs it: one line in, one line out, everything in hex.

    PYTHON tests/interop/worker.py FLAG PATH [PATH ...]      the folders to import from

FLAG is `no-viper` for MicroPython as it is on ports whose compiler has no viper, `-` otherwise.
"""
import asyncio
import binascii
import sys

sys.path[:0] = sys.argv[2:]

if sys.argv[1] == 'no-viper':
    sys.modules['dotlatch.viper'] = sys  # which has none of its names, so that they cannot be imported

from dotlatch import passwords, portable, recovery, sha1, strictjson, tokens, totp  # noqa: E402

if sys.argv[1] == 'no-viper':
    from dotlatch import noviper, on_micropython
    if on_micropython.count_names is not None or tokens.b64url_decode is not noviper.b64url_decode:
        raise ImportError('what is to be switched off is still there')


def python():
    name = 'MicroPython' if sys.implementation.name == 'micropython' else 'CPython'
    return (name + ' ' + '.'.join([str(part) for part in sys.implementation.version[:3]])).encode()


def loads(text):
    return strictjson.dumps(strictjson.loads(text))


def encode(key, claims):
    return tokens.encode(strictjson.loads(claims), key).encode()


def decode(key, token):
    return strictjson.dumps(tokens.decode(token, key))


def decode_typ(key, typ, token):
    return strictjson.dumps(tokens.decode(token, key, typ=typ.decode()))


def pbkdf2(password, salt, iterations, size):
    return asyncio.run(passwords.pbkdf2_hmac_sha256(password, salt, int(iterations), int(size)))


def hash_password(password, iterations):
    return asyncio.run(passwords.hash_password(password.decode(), int(iterations))).encode()


def verify_password(password, hashed):
    return b'yes' if asyncio.run(passwords.verify_password(password.decode(), hashed.decode())) else b'no'


def sign_url(key, url, ttl):
    return tokens.sign_url(url.decode(), key, int(ttl)).encode()


def check_url(key, url):
    return b'yes' if tokens.check_url(url.decode(), key) else b'no'


def totp_code(stored, step):
    return totp.load(stored.decode()).code_at(int(step)).encode()


def totp_verify(stored, time, code, last_step):
    kept = portable._wall_clock, portable._epoch
    portable._wall_clock, portable._epoch = lambda: int(time), 0
    try:
        return b'%d' % (totp.load(stored.decode()).verify(code.decode(), int(last_step)) or 0)
    finally:
        portable._wall_clock, portable._epoch = kept


def totp_uri(stored, name, issuer):
    return totp.load(stored.decode()).uri(name.decode(), issuer.decode()).encode()


def b32_encode(octets):
    return totp.b32_encode(octets).encode()


def b32_decode(text):
    return totp.b32_decode(text.decode())


def portable_sha1(octets):
    return sha1.sha1(octets).digest()


def make_codes(count):
    codes, kept = recovery.make(int(count))
    return '\n'.join(codes + [kept]).encode()


def spend(code, kept):
    return (recovery.spend(code.decode(), kept.decode()) or 'none').encode()


FUNCTIONS = {
    'totp_code': totp_code, 'totp_verify': totp_verify, 'totp_uri': totp_uri, 'b32_encode': b32_encode,
    'b32_decode': b32_decode, 'sha1': portable_sha1, 'make_codes': make_codes, 'spend': spend,
    'python': python, 'loads': loads, 'encode': encode, 'decode': decode, 'decode_typ': decode_typ, 'pbkdf2': pbkdf2,
    'hash_password': hash_password, 'verify_password': verify_password, 'sign_url': sign_url, 'check_url': check_url}


def answer(line):
    name, *args = line.split(' ')
    try:
        result = FUNCTIONS[name](*[binascii.unhexlify(arg) for arg in args])
        return '= ' + binascii.hexlify(result).decode()
    except tokens.TokenError as error:
        return 'TokenError ' + type(error).__name__
    except (ValueError, TypeError) as error:
        return ('ValueError ' if isinstance(error, ValueError) else 'TypeError ') + type(error).__name__
    except Exception as error:
        return 'crashed ' + repr(error).replace('\n', ' ')


while True:
    line = sys.stdin.readline()
    if not line:
        break
    print(answer(line.strip('\n')))
    if hasattr(sys.stdout, 'flush'):
        sys.stdout.flush()
