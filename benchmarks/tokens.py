"""A token encoded and decoded (CPython): dotlatch, PyJWT, itsdangerous, and the bare parts all of them stand on."""
import base64
import binascii
import hmac
import json

import itsdangerous
import jwt

from dotlatch import tokens
from dotlatch.portable import Key

from .rounds import compare, table

SECRET = b'0123456789abcdef0123456789abcdef'
CLAIMS = {'sub': 'user-123', 'name': 'Anna', 'iat': 1795132800, 'exp': 4102444800}


def main(arguments: 'list[str]') -> None:
    key = Key(SECRET)
    token = tokens.encode(CLAIMS, key)
    signed = token.encode().rpartition(b'.')[0]
    payload = signed.split(b'.')[1]
    payload += b'=' * (-len(payload) % 4)
    timed = itsdangerous.URLSafeTimedSerializer(SECRET)
    timed_token = timed.dumps(CLAIMS)

    def bare_decode() -> object:
        hmac.digest(SECRET, signed, 'sha256')
        return json.loads(binascii.a2b_base64(payload))

    def bare_encode() -> object:
        text = base64.urlsafe_b64encode(json.dumps(CLAIMS).encode())
        return text + hmac.digest(SECRET, text, 'sha256')

    print('decode and verify, CPU time, ratio to hmac.digest + json + base64')
    table(compare({
        'bare parts': bare_decode,
        'dotlatch': lambda: tokens.decode(token, key),
        'dotlatch, key as bytes': lambda: tokens.decode(token, SECRET),
        'PyJWT': lambda: jwt.decode(token, SECRET, algorithms=['HS256']),
        'itsdangerous (timed serializer)': lambda: timed.loads(timed_token, max_age=10 ** 9),
    }, 2000), 'bare parts')
    print('\nencode and sign')
    table(compare({
        'bare parts': bare_encode,
        'dotlatch': lambda: tokens.encode(CLAIMS, key),
        'dotlatch, key as bytes': lambda: tokens.encode(CLAIMS, SECRET),
        'PyJWT': lambda: jwt.encode(CLAIMS, SECRET, algorithm='HS256'),
        'itsdangerous (timed serializer)': lambda: timed.dumps(CLAIMS),
    }, 2000), 'bare parts')


if __name__ == '__main__':
    main([])
