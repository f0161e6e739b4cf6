"""What the tests compare with: other people's code, or the rules written once more and slowly."""
import base64
import hashlib
import hmac
import json
import re

KEY = b'0123456789abcdef0123456789abcdef'


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=')


def mint(header, payload, key=KEY):
    """A token with a right MAC over whatever header and payload."""
    signed = b64(header) + b'.' + b64(payload)
    return signed + b'.' + b64(hmac.digest(key, signed, hashlib.sha256))


class Refused(ValueError):
    """The slow rules do not take it."""


def strict_json(data):
    """RFC 8259 and RFC 7493 on top of CPython's json: returns the value or raises Refused."""
    def members(pairs):
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise Refused('equal names')
        return dict(pairs)

    def number(text):
        value = float(text)
        if value in (float('inf'), float('-inf')):
            raise Refused('infinite')
        return value

    def constant(text):
        raise Refused(text)

    try:
        value = json.loads(data.decode('utf-8', 'strict'), object_pairs_hook=members, parse_float=number,
                           parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from None
    look(value, 0)
    return value


def look(value, depth):
    """No lone surrogate anywhere, and not deeper than 32."""
    if isinstance(value, str):
        if re.search('[\ud800-\udfff]', value):
            raise Refused('surrogate')
    elif isinstance(value, (dict, list)):
        if depth >= 32:
            raise Refused('deep')
        for item in value.values() if isinstance(value, dict) else value:
            look(item, depth + 1)
        for name in value if isinstance(value, dict) else ():
            look(name, depth + 1)


def same(a, b):
    """Equal values of equal types; floats to the digits that both Pythons write."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return a == b or abs(a - b) <= 1e-12 * max(abs(a), abs(b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def reference_verdict(token, key=KEY):
    """The claims that a reader by the letter of the RFCs takes from a token without times; or Refused."""
    if len(token) > 4096 or not re.fullmatch(rb'[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{43}', token):
        raise Refused('shape')
    header, payload, mac = token.split(b'.')
    parts = []
    for part in (header, payload, mac):
        if len(part) % 4 == 1:
            raise Refused('length')
        data = base64.urlsafe_b64decode(part + b'=' * (-len(part) % 4))
        if b64(data) != part:
            raise Refused('not canonical')
        parts.append(data)
    if not hmac.compare_digest(hmac.digest(key, header + b'.' + payload, hashlib.sha256), parts[2]):
        raise Refused('MAC')
    head, claims = strict_json(parts[0]), strict_json(parts[1])
    if not isinstance(head, dict) or not isinstance(claims, dict):
        raise Refused('no object')
    if head.get('alg') != 'HS256' or {'crit', 'b64', 'zip', 'enc'} & head.keys():
        raise Refused('header')
    typ = head.get('typ', 'JWT')
    if not isinstance(typ, str) or re.fullmatch('(application/)?jwt', typ, re.I | re.A) is None:
        raise Refused('typ')
    return claims
