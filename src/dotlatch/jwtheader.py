"""The headers of tokens that others made (RFC 7515 section 4), read strictly.

Needs portable.py, strictjson.py and tokens.py, which loads it for a header that it would not have written itself.
"""
from . import strictjson
from .portable import b64url_decode
from .tokens import InvalidClaim, InvalidToken


def check(part: bytes, typ: str) -> None:
    """Raise InvalidToken or InvalidClaim unless ``part`` is a header that :func:`tokens.decode` takes.

    :param part: the base64url of the header.
    :param typ: the expected purpose.
    """
    try:
        header = strictjson.loads(b64url_decode(part))
    except ValueError:
        raise InvalidToken('the header is not one strict JSON object') from None
    if not isinstance(header, dict):
        raise InvalidToken('the header is not a JSON object')
    if header.get('alg') != 'HS256':
        raise InvalidToken('the algorithm is not HS256')
    # Each of these would change what the signed bytes mean (RFC 7515 section 4.1.11, RFC 7797, RFC 8725 section 3.10);
    # kid, jku, jwk and x5u are only text here: no header ever chooses a key.
    for name in ('crit', 'b64', 'zip', 'enc'):
        if name in header:
            raise InvalidToken('a header parameter that is not understood: ' + name)
    if _media_type(str(header.get('cty', ''))) == 'jwt':
        raise InvalidToken('a token inside a token')
    given = header.get('typ')
    if 'typ' not in header and _media_type(typ) == 'jwt':
        return
    if not isinstance(given, str):
        raise InvalidClaim('of no stated purpose')
    if _media_type(given) != _media_type(typ):
        raise InvalidClaim('for another purpose')


def _media_type(typ: str) -> str:
    if len(typ.encode()) != len(typ):  # only ASCII letters have two cases here (RFC 2045 section 5.1)
        return typ
    typ = typ.lower()
    return typ[12:] if typ.startswith('application/') and '/' not in typ[12:] else typ
