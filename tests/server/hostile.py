"""Requests that nobody's browser sends, in groups whose members all deserve the same answer.

`GROUPS` maps a group's name to a function that takes the tokens of a real login and yields
`Case`s. A case names the verdicts that are right for it on every server; `OWN` has what a server
says by itself, before the app is asked.
"""

import base64
import json
import random
from dataclasses import dataclass

from dotlatch import tokens
from tests.server.apps.guarded import KEY, PASSWORD, TOKEN
from tests.server.client import as_bytes, request

ANONYMOUS = ("302 /login?next=/",)
UNAUTHORIZED = ("401",)
BAD = ("400",)
FORM = "application/x-www-form-urlencoded"
RIGHT = f"username=anna&password={PASSWORD.replace(' ', '+')}"
# What no decoder of UTF-8 takes, and what MicroPython's does: overlong, surrogate, too high.
JUNK = (b"\xff", b"\x80", b"caf\xe9")
LENIENT = (b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80")

# What each server says of some requests before Microdot sees them, or when there is no request.
OWN = {
    "gunicorn": {
        "basic_malformed": BAD,         # a control character in a header
        "methods": BAD,                 # shorter than 3, longer than 20, not upper case
        "lines_too_long": ("431",),
        "broken_http": ("414",),
        "lengths": ("501",),            # a transfer coding that it does not know
        "noise": ("414", "431", "501"),
    },
}


@dataclass
class Case:
    """One request and the verdicts that are right for it.

    `done`: the client sends its end too, since the request promises more than it holds.
    `lenient`: also right on MicroPython, whose decoder reads text where others find junk.
    """

    name: str
    raw: bytes
    right: tuple
    done: bool = False
    lenient: tuple = ()


def cookie(value):
    return b"Cookie: " + as_bytes(value)


def all_junk(lenient):
    """Each piece of junk, with what is also right for it on MicroPython."""
    yield from ((junk, ()) for junk in JUNK)
    yield from ((junk, lenient) for junk in LENIENT)


# --- tokens ---------------------------------------------------------------------------------------

ALPHABET = "ABCXYZabcxyz0189-_=+/.%~ !\"',;\\\t"
CLAIMS = {"jti": "x" * 22, "iat": 1790000000, "exp": 4000000000,
          "data": {"_user_id": "u1", "_fresh": True, "_stamp": "x"}}


def mutations(token, count, seed):
    """The token with something wrong somewhere, `count` times; never the token itself."""
    chance = random.Random(seed)
    while count:
        text = list(token)
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            place = chance.randrange(len(text))
            what = chance.randrange(5)
            if what == 0:
                text[place] = chance.choice(ALPHABET)
            elif what == 1:
                text.insert(place, chance.choice(ALPHABET))
            elif what == 2:
                del text[place]
            elif what == 3:
                text[place] = chr(ord(text[place]) ^ 1)
            else:
                text = text[:max(place, 2)]
        mutant = "".join(text)
        # What a cookie's reader strips or ends a value at is not part of the token.
        if mutant.split(";")[0].split(",")[0].strip() != token and mutant.isprintable():
            count -= 1
            yield mutant


def segment(value):
    if not isinstance(value, bytes):
        value = value.encode() if isinstance(value, str) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(header, payload, key=KEY):
    """A token with our own key below whatever it says: only its content is wrong."""
    text = segment(header) + "." + segment(payload)
    return text + "." + segment(tokens.make_keys(key)[0].sign(text.encode()))


def forged(typ):
    """Tokens that are wrong by design, the last ones with the right signature."""
    header = {"alg": "HS256", "typ": typ}
    yield from ("", ".", "..", "...", "a.b.c", "e30.e30.AAAA", "e30.e30.", "null", "W10.W10.W10")
    for odd in ({}, [], 5, None, "s", "{", '{"alg":"HS256","alg":"none"}', b"\xff", "[" * 500):
        yield segment(odd) + "." + segment(CLAIMS) + ".AAAA"
        yield signed(odd, CLAIMS)
    for alg in ("none", "None", "", "hs256", "HS384", "HS512", "RS256", 5, None, ["HS256"], {}):
        yield signed({"alg": alg, "typ": typ}, CLAIMS)
        yield segment({"alg": alg, "typ": typ}) + "." + segment(CLAIMS) + "."
    yield signed({"typ": typ}, CLAIMS)
    yield signed(header, CLAIMS, key="another key, which is 32 bytes long")
    for wrong in (None, "JWT", "jwt", "", 5, [typ], "dl-session+jwt ", "reset+jwt"):
        yield signed({"alg": "HS256", "typ": wrong}, CLAIMS)
    for name, value in (("crit", ["x"]), ("crit", []), ("b64", False), ("zip", "DEF"),
                        ("enc", "A128GCM"), ("cty", "JWT")):
        yield signed({**header, name: value}, CLAIMS)
    for odd in ([], 5, "s", None, "{", b"\xff", b'{"exp":1e999}', b'{"exp":NaN}', "[" * 500,
                b'{"a":1,"a":2}', b"\x00", b""):
        yield signed(header, odd)
    for name in ("exp", "nbf", "iat"):
        for value in (None, "4000000000", True, [], {}, "x"):
            yield signed(header, {**CLAIMS, name: value})
    yield signed(header, {**CLAIMS, "exp": 1})
    yield signed(header, {**CLAIMS, "exp": -10 ** 30})
    yield signed(header, {**CLAIMS, "nbf": 3999999999})
    for value in (None, 5, [], {}):
        yield signed(header, {**CLAIMS, "jti": value})
    for value in (None, 5, "s", [1]):
        yield signed(header, {**CLAIMS, "data": value})
    for value in (None, True, 0, -1, 1e300, [], {}, ["u1"], "", "u2", "u1 ", "\x00", "é" * 50):
        yield signed(header, {**CLAIMS, "data": {"_user_id": value, "_stamp": "x"}, "sub": value})
    for value in (None, 5, [], {}, "", "é", "x" * 500):
        data = {"_user_id": "u1", "_fresh": True, "_stamp": value}
        yield signed(header, {**CLAIMS, "data": data, "sub": "u1", "stamp": value})


def session_forged(real):
    for number, token in enumerate(forged(tokens_typ("session"))):
        yield Case(f"{number}: {token[:60]}", request(headers=[cookie("session=" + token)]),
                   ANONYMOUS)


def session_mutated(real):
    for token in mutations(real["session"], 100, "session"):
        yield Case(token, request(headers=[cookie("session=" + token)]), ANONYMOUS)


def remember_forged(real):
    for number, token in enumerate(forged(tokens_typ("remember"))):
        yield Case(f"{number}: {token[:60]}", request(headers=[cookie("_remember=" + token)]),
                   ANONYMOUS)


def remember_mutated(real):
    for token in mutations(real["_remember"], 100, "remember"):
        yield Case(token, request(headers=[cookie("_remember=" + token)]), ANONYMOUS)


def tokens_swapped(real):
    """Each token where the other belongs, and both where a bearer token does."""
    session, remember = real["session"], real["_remember"]
    yield Case("remember as session", request(headers=[cookie("session=" + remember)]), ANONYMOUS)
    yield Case("session as remember", request(headers=[cookie("_remember=" + session)]), ANONYMOUS)
    yield Case("remember on a fresh page", request(
        "/fresh", headers=[cookie("_remember=" + remember)]), ("302 /login?next=/fresh",))
    for name in ("session", "_remember"):
        yield Case(f"{name} as a bearer token", request(
            "/token", headers=["Authorization: Bearer " + real[name]]), UNAUTHORIZED)


def tokens_typ(name):
    return {"session": "dl-session+jwt", "remember": "dl-remember+jwt"}[name]


# --- cookies --------------------------------------------------------------------------------------

def cookie_oddities(real):
    for value in ("", ";", ";;;;", "=", "=x", "session", "session=", "session=;session=", ",,,",
                  "session==", " session = x", "SESSION=x", 'session="x"', "session=é",
                  "session=%zz", "a b c", "session=x; session=y; session=z", "session=\tx",
                  "; ".join(f"c{n}={n}" for n in range(200)), "session=" + "x" * 1900):
        yield Case(value[:40], request(headers=[cookie(value)]), ANONYMOUS)
    for junk, lenient in all_junk(ANONYMOUS):
        yield Case(repr(junk), request(headers=[cookie(b"session=" + junk)]), BAD, lenient=lenient)
    for control in (b"\x00", b"\x01", b"\x0b", b"\x7f"):
        yield Case(repr(control), request(headers=[cookie(b"session=a" + control + b"b")]),
                   ANONYMOUS + BAD)


def cookie_twice(real):
    """A planted cookie beside the real one, in one line or in two: never a second person."""
    valid, other = real["session"], real["other"]
    for name, lines in (
            ("both in a line", [f"session={valid}; session={other}"]),
            ("both, the other way", [f"session={other}; session={valid}"]),
            ("junk in lines of its own", ["session=junk", "session=junk2"])):
        yield Case(name, request(headers=[cookie(line) for line in lines]), ANONYMOUS)
    yield Case("beside junk", request(headers=[cookie(f"session=junk; session={valid}")]),
               ("200", *ANONYMOUS))


# --- Authorization --------------------------------------------------------------------------------

def basic(text):
    return "Basic " + base64.b64encode(as_bytes(text)).decode()


def basic_malformed(real):
    pair = base64.b64encode(as_bytes("anna:" + PASSWORD)).decode()
    headers = ["", "Basic", "Basic ", "Basic  ", "Basic =", "Basic ====", "Basic !!!!", "Basic a",
               "Basic " + pair[:-1], "Basic " + pair + "=", "Basic " + pair + "!", "Basic, " + pair,
               "Basic " + pair[:8] + " " + pair[8:], "Basic " + pair[:8] + "\t" + pair[8:],
               "Basic" + pair, "Basic\t" + pair, "Basic:" + pair, "xBasic " + pair, "Bas " + pair,
               "Basic " + pair.replace("=", "") + "-_", "Bearer " + pair, pair, "Digest " + pair,
               f"Basic {pair}, Basic {pair}", f"Basic {pair} x", 'Basic realm="x"', "Basic é",
               "Basic " + "A" * 1900, "Basic " + pair + "\x7f"]
    headers += [basic(text) for text in (
        "", ":", "anna", "anna:", ":" + PASSWORD, "anna:" + PASSWORD + " ", " anna:" + PASSWORD,
        "anna:" + PASSWORD + "\n", "anna\x00:" + PASSWORD, "\x00", "anna:\x7f", "anna::" + PASSWORD,
        "ANNA:" + PASSWORD, "é:é", b"\xff:x", b"anna:\xff", b"anna\xc0\xba" + PASSWORD.encode(),
        b"anna\xc0\xba:" + PASSWORD.encode(), b"\xef\xbb\xbfanna:" + PASSWORD.encode())]
    for value in headers:
        yield Case(value[:60], request("/basic", headers=["Authorization: " + value]), UNAUTHORIZED)
        yield Case("optional: " + value[:60], request(
            "/maybe", headers=["Authorization: " + value]), ("200",))


def bearer_malformed(real):
    missing = ["", "Token x", "Bear x", "xBearer " + TOKEN, "Bearer\t" + TOKEN, "Bearer" + TOKEN,
               basic("anna:" + PASSWORD), "Digest x", TOKEN]
    invalid = ["Bearer x", "Bearer " + TOKEN + "x", "Bearer " + TOKEN.upper(), "bearer a.b.c",
               "BEARER " + "x" * 1900, "Bearer " + TOKEN + "="]
    malformed = ["Bearer", "Bearer ", "Bearer =", "Bearer a b", f"Bearer {TOKEN}, x", 'Bearer "x"',
                 f"Bearer {TOKEN} {TOKEN}", "Bearer é", "Bearer {}", "Bearer a=b", "Bearer \\",
                 "Bearer realm=\"x\"", "Bearer x\x7fy"]
    for value in missing + invalid:
        yield Case(value[:60], request("/token", headers=["Authorization: " + value]), UNAUTHORIZED)
    for value in malformed:
        yield Case(value[:60], request("/token", headers=["Authorization: " + value]),
                   UNAUTHORIZED + BAD)


def authorization_bytes(real):
    for target, scheme, verdict in (("/basic", b"Basic ", "401"), ("/token", b"Bearer ", "400"),
                                    ("/maybe", b"", "200")):
        for junk, lenient in all_junk((verdict,)):
            yield Case(f"{target} {junk!r}", request(
                target, headers=[b"Authorization: " + scheme + junk]), BAD, lenient=lenient)


def authorization_twice(real):
    good, bad = "Authorization: " + basic("anna:" + PASSWORD), "Authorization: Basic eDp5"
    for name, headers in (("bad, bad", [bad, bad]), ("Bearer, bad", ["Authorization: Bearer x", bad])):
        yield Case(name, request("/basic", headers=headers), UNAUTHORIZED + BAD)
    # Which of two counts is the server's choice; that there is an answer is not.
    for name, headers in (("good, bad", [good, bad]), ("bad, good", [bad, good])):
        yield Case(name, request("/basic", headers=headers), ("200", *UNAUTHORIZED, *BAD))


# --- queries and paths ----------------------------------------------------------------------------

def query_escapes(real):
    for query in ("%zz", "x=%zz", "next=%", "next=%2", "next=%g0", "next=/a%zzb", "x=%ff",
                  "next=%ff", "next=%c0%af", "next=/%ed%a0%80", "%80=1", "x=%C3", "x=1&y=%fe",
                  "next=%u0041", "a=%0x41", "x=%E2%28%A1", "%=%"):
        half, lenient = query in HALF_ESCAPES, query in LENIENT_ESCAPES
        yield Case("GET " + query, request("/login?" + query),
                   ("200",) if half else BAD, lenient=("200",) if lenient else ())
        yield Case("POST " + query, request(
            "/login?" + query, "POST", body=RIGHT, content_type=FORM),
            ("302 /",) if half else BAD, lenient=("302 /*",) if lenient else ())


# Microdot takes a percent sign at the end for itself, and one digit for two.
HALF_ESCAPES = ("next=%", "next=%2", "%=%")
LENIENT_ESCAPES = ("next=%c0%af", "next=/%ed%a0%80")


def query_bytes(real):
    for junk, lenient in all_junk(("200",)):
        yield Case(repr(junk), request(b"/login?next=" + junk), BAD, lenient=lenient)
        yield Case("name " + repr(junk), request(b"/login?" + junk + b"=x"), BAD, lenient=lenient)
    for text in ("next=é", "é=é", "x=\U0001f512"):
        yield Case(text, request("/login?" + text), ("200", *BAD))


def query_oddities(real):
    for query in ("", "?", "&", "&&&&", "=", "=&=", "next", "next=", "next&next", "a=b=c", ";;",
                  "x=%00", "next=%0d%0a", "x=" + "y" * 1500, "&".join(["a"] * 500), "next[]=1",
                  "#", "x#y"):
        yield Case(query[:40], request("/login?" + query), ("200",))


def paths(real):
    for target in ("/%zz", "/%", "/%2", "/%ff", "/%c0%ae%c0%ae/", "/%00", "/%0d%0aX:%20y", "/nowhere",
                   "/login%2f", "/login/", "/LOGIN", "/login;x=y", "/.", "/../login", "/a/../login",
                   "/%2e%2e/login", "/login%00", "/login%3Fnext=//evil.lan", "/%3f", "/basic%3fx",
                   "/" + "a" * 1900, "/" + "%61" * 600, "/\x7f", "/<path>", "/%", "/é", "/\\login",
                   "/http://127.0.0.1/"):
        yield Case(target[:40], request(target), ("404", *BAD))
    for junk in JUNK + LENIENT:
        yield Case(repr(junk), request(b"/" + junk), ("404", *BAD))


def paths_that_come_back(real):
    """A protected page's own path becomes `next`: no line end, no other host comes of it."""
    for rest in ("a", "%0d%0aSet-Cookie:%20x=1", "%0a", "%0d", "%00", "/evil.lan", "\\evil.lan",
                 "%5cevil.lan", "%09/evil.lan", "%ff", "é", "a?next=//evil.lan", "a%3fb", "%23",
                 "a?x=%0d%0aLocation:%20//evil.lan", "a?x=\\", "a?%26next=//evil.lan",
                 "a&next=//evil.lan", "%26next=%2f%2fevil.lan", "a#b", "%25", "%", "%zz", "+"):
        # A line end that was decoded matches no route of Microdot's.
        yield Case(rest, request("/private/" + rest), ("302 /login?next=/private/*", *BAD, "404"))


# --- next -----------------------------------------------------------------------------------------

ELSEWHERE = (
    "//evil.lan", "///evil.lan", "////evil.lan", "/\\evil.lan", "\\\\evil.lan", "\\/evil.lan",
    "/\\/evil.lan", "/%09/evil.lan", "/%0a/evil.lan", "/%0d/evil.lan", "%09//evil.lan",
    "%20//evil.lan", "%2f%2fevil.lan", "%5c%5cevil.lan", "/%5cevil.lan", "%2f%5cevil.lan",
    "http://evil.lan", "HTTP://evil.lan", "https:evil.lan", "http:/evil.lan", "http:///evil.lan",
    "javascript:alert(1)", "data:text/html,x", "evil.lan", "@evil.lan", ":80", ".evil.lan",
    "?next=x", "%23x", "/%0d%0aSet-Cookie:%20session=x", "/a%0d%0a%0d%0a<script>", "/%00/evil.lan",
    "/a%00b", "/%7f", "%e3%80%82//evil.lan", "%ef%bc%8f%ef%bc%8fevil.lan", "%00//evil.lan",
    "/%09%5cevil.lan", "/%20/evil.lan", "/a%20b", "/a\\b", "%c2%a0//evil.lan",
    "%e2%80%8b//evil.lan", "", "%20", "%2509", "null", "0")
HERE = {
    "/": "/", "/log?day=3": "/log?day=3", "/log%3Fday%3D3%26x": "/log?day=3&x", "/a/b": "/a/b",
    "/a%2Fb": "/a/b", "/caf%C3%A9": "/caf%C3%A9", "/%ef%bc%8fevil.lan": "/%EF%BC%8Fevil.lan",
    "/@evil.lan": "/@evil.lan", "/a//evil.lan": "/a//evil.lan", "/http://x": "/http://x",
    "/%252f": "/%2f", "/%2520": "/%20", "/.//evil.lan": "/.//evil.lan", "/a+b": "/",
    "/?q=%25C3%25A9%2Bx": "/?q=%C3%A9+x"}


def next_elsewhere(real):
    for target in ELSEWHERE:
        yield Case(target, request(
            "/login?next=" + target, "POST", body=RIGHT, content_type=FORM), ("302 /",))
    yield Case("twice", request("/login?next=//evil.lan&next=//evil.lan", "POST", body=RIGHT,
                                content_type=FORM), ("302 /",))


def next_here(real):
    for target, location in HERE.items():
        yield Case(target, request(
            "/login?next=" + target, "POST", body=RIGHT, content_type=FORM), ("302 " + location,))


# --- bodies ---------------------------------------------------------------------------------------

def forms(real):
    for body in (b"", b"&", b"=", b"&&&&", b"username=", b"username=anna", b"password=x",
                 b"username=anna&password=", b"username=anna&username=anna", b"=" * 100,
                 b"username[]=anna&password[]=x", b"username=anna;password=x",
                 b"username=%00&password=%00", b"username=%0d%0a&password=x", b"a=1&" * 3000,
                 b"username=" + b"x" * 16000, b"\xef\xbb\xbfusername=anna",
                 b"username=anna&password=" + b"y" * 10000,
                 "username=é&password=é".encode(), b"username=%C3%A9&password=%E2%82%AC"):
        yield Case(repr(body[:40]), request(
            "/login", "POST", body=body, content_type=FORM, length=str(len(body))), UNAUTHORIZED)


def forms_without_values(real):
    """Microdot gives such a name the value b"", which is no text."""
    for body in (b"username", b"username&password", b"{}", b"a" * 1000, b"x=1&username"):
        yield Case(repr(body[:40]), request("/login", "POST", body=body, content_type=FORM),
                   UNAUTHORIZED + BAD)


def forms_malformed(real):
    for body in (b"%zz", b"%zz=1", b"username=%zz", b"username=%g1&password=x", b"username=%fg",
                 b"username=%ff", b"%ff=x", b"username=%c0%ba", b"username=%ed%a0%80",
                 b"username=anna&password=%e2%82", b"username=%u1234",
                 *(b"username=" + junk for junk in JUNK + LENIENT),
                 *(junk + b"=x" for junk in JUNK + LENIENT)):
        yield Case(repr(body), request("/login", "POST", body=body, content_type=FORM), BAD)


def other_bodies(real):
    right = RIGHT.encode()
    for kind in (None, "", "text/plain", "text/html", "multipart/form-data", "application/xml",
                 "multipart/form-data; boundary=x", "application/octet-stream", ";", "/", "é/é",
                 "application/x-www-form-urlencodedx", "x" * 1500):
        yield Case(str(kind)[:40], request("/login", "POST", body=right, content_type=kind),
                   UNAUTHORIZED + BAD)
    for kind in (FORM + "; charset=UTF-8", FORM + ";charset=utf-7", FORM + ";"):
        yield Case(kind, request("/login", "POST", body=right, content_type=kind), ("302 /",))
    for junk, lenient in all_junk(UNAUTHORIZED):
        yield Case(repr(junk), request("/login", "POST", body=right, content_type=b"text/" + junk),
                   BAD, lenient=lenient)
    yield Case("no body at all", request("/login", "POST"), UNAUTHORIZED)
    yield Case("a form by GET", request("/login", "GET", body=right, content_type=FORM), ("200",))


def post_json(body):
    return request("/login", "POST", body=body, content_type="application/json",
                   length=str(len(as_bytes(body))))


def json_of_a_wrong_shape(real):
    odd = (None, 0, 5, -1, 1.5, 1e300, True, False, "", "anna", [], {}, ["anna"], [1, 2], [{}],
           [["a", "b"]], [None], {"a": "b"}, {"": ""})
    values = [*odd, *({"username": value, "password": "x"} for value in odd),
              *({"username": "anna", "password": value} for value in odd),
              {"username": "anna"}, {"username": "anna", "password": "x", "more": "y"},
              {"username": "\x00", "password": "\x00"}, {"username": "é", "password": "\U0001f512"},
              {"username": "anna\n", "password": "x"}, {"username": "x" * 15000}]
    for value in values:
        # Nothing at all is a form without fields, and fields are text; the rest is no form.
        fields = not value or (isinstance(value, dict)
                               and all(isinstance(v, str) for v in value.values()))
        body = json.dumps(value)
        yield Case(body[:60], post_json(body), UNAUTHORIZED if fields else BAD)
    for body in ('{"username": "\\ud800", "password": "\\udfff"}',
                 '{"username": "anna", "password": "\\u0000"}', ""):
        yield Case(body[:60], post_json(body), UNAUTHORIZED + BAD)


def json_malformed(real):
    deep = 4000
    for body in (b"{", b"}", b"[", b"]", b'"', b"'", b"{'a': 'b'}", b"nul", b"tru", b"undefined",
                 b"NaN", b"Infinity", b"+1", b"--1", b"// x\n{}", b"/**/{}",
                 b"[1,]", b"[1 2]", b'{"a":1,}', b"\xef\xbb\xbf{}", b"\x00", b"   ", b"=", b"<xml/>",
                 b"[" * deep, b"{" * deep, b"[" * deep + b"]" * deep,
                 b'{"a":' * 2500 + b"1" + b"}" * 2500, b"-" * 5000, '{"a":1}'.encode("utf-16"),
                 b"9" * 10000, b"1e999", b"01", b".5", b"0x10", b"{} {}",
                 *(b'{"username":"' + junk + b'"}' for junk in JUNK), *JUNK):
        yield Case(repr(body[:40]), post_json(body), BAD)


def json_that_one_python_reads(real):
    """MicroPython's reader takes all of these, CPython's some: who asks gets one answer."""
    for body in (b'{"a"}', b'{"a":}', b'{"a" "b"}', b'{"a":"b",}', b'{"a":"\\x"}', b'{"a":"\\u12"}',
                 b'{"a":"\n"}', b"{}\x00", b'{"username":"anna","username":"x"}',
                 *(b'{"username":"' + junk + b'"}' for junk in LENIENT)):
        yield Case(repr(body), post_json(body), BAD)


# --- lengths, sizes, broken HTTP ------------------------------------------------------------------

TOO_LARGE = ("413",)


def lengths(real):
    for length in ("-1", "-5", "-999999999", "abc", "", " ", "1e3", "0x10", "5, 6", "1.5", "\x00",
                   "NaN", "é", "1 2"):
        yield Case("length " + repr(length), request(
            "/login", "POST", body="x=1", content_type=FORM, length=length),
            UNAUTHORIZED + BAD + ("closed",), done=True)
    for length in ("17000", "999999999", "4294967296", "18446744073709551616"):
        yield Case("length " + length, request(
            "/login", "POST", body="x=1", content_type=FORM, length=length),
            TOO_LARGE + BAD + ("closed",), done=True)
    for length in ("4", "100", "16384"):
        yield Case("too little after " + length, request(
            "/login", "POST", body="x=1", content_type=FORM, length=length),
            UNAUTHORIZED + BAD + ("closed",), done=True)
    for length in ("0", "1", "2", "+3", "3_0", "03"):
        yield Case("another length: " + length, request(
            "/login", "POST", body="x=1", content_type=FORM, length=length),
            UNAUTHORIZED + BAD + ("closed",), done=True)
    for first, second in (("3", "5"), ("5", "3"), ("3", "-1"), ("3", "x")):
        yield Case(f"two lengths: {first}, {second}", request(
            "/login", "POST", headers=["Content-Length: " + first], body="x=1", content_type=FORM,
            length=second), UNAUTHORIZED + BAD + ("closed",), done=True)
    for coding in ("chunked", "gzip", "chunked, chunked", "x"):
        for body in ("0\r\n\r\n", "zz\r\n", "3\r\nx=1\r\n0\r\n\r\n", "-1\r\n", "ffffffffffff\r\nx"):
            yield Case(f"{coding} {body!r}", request(
                "/login", "POST", headers=["Transfer-Encoding: " + coding], content_type=FORM)
                + body.encode(), UNAUTHORIZED + BAD, done=True)


def bodies_too_large(real):
    for size in (16385, 20000, 60000):
        for kind in (FORM, "application/json", "text/plain"):
            yield Case(f"{size} of {kind}", request(
                "/login", "POST", body=b"x" * size, content_type=kind), TOO_LARGE)
    yield Case("just not too large", request(
        "/login", "POST", body=b"x=" + b"x" * 16382, content_type=FORM), UNAUTHORIZED)


def lines_too_long(real):
    """Microdot's own server takes lines of 2 KB; the others take more, and read what is there."""
    for size in (2100, 4000):
        yield Case(f"path of {size}", request("/" + "a" * size), ("404", *BAD))
        yield Case(f"query of {size}", request("/login?x=" + "a" * size), ("200", *BAD))
        yield Case(f"cookie of {size}", request(headers=[cookie("session=" + "a" * size)]),
                   ANONYMOUS + BAD)
        yield Case(f"credentials of {size}", request(
            "/basic", headers=["Authorization: Basic " + "A" * size]), UNAUTHORIZED + BAD)
        yield Case(f"bearer of {size}", request(
            "/token", headers=["Authorization: Bearer " + "A" * size]), UNAUTHORIZED + BAD)
        yield Case(f"header of {size}", request(headers=["X-Long: " + "a" * size]),
                   ANONYMOUS + BAD)
    for size in (9000, 70000, 200000):
        for name, line in (("cookie", "Cookie: session="), ("credentials", "Authorization: Basic ")):
            yield Case(f"{name} of {size}", request(headers=[line + "a" * size]),
                       ANONYMOUS + BAD)
    for count in (90, 500, 3000):
        yield Case(f"{count} headers", request(headers=[f"X-{n}: {n}" for n in range(count)]),
                   ANONYMOUS + BAD)
    yield Case("2000 cookie lines", request(headers=[cookie("session=x")] * 2000),
               ANONYMOUS + BAD)


def methods(real):
    for method, target in (("POST", "/"), ("PUT", "/login"), ("DELETE", "/login"), ("GET", "/logout"),
                           ("PATCH", "/basic"), ("POST", "/token"), ("TRACE", "/"), ("X", "/")):
        yield Case(f"{method} {target}", request(target, method), ("405",))
    for method in ("get", "Get", "G\x00T", "GET\t", "é", "G" * 1000, "GET:", "%47ET", "CONNECT"):
        yield Case(repr(method[:20]), request("/", method),
                   (*ANONYMOUS, *BAD, "404", "405"))


def broken_http(real):
    whole = request()
    for raw in (b"", b"\r\n", b"\r\n\r\n", b"GET", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n",
                b"GET / HTTP\r\n\r\n", b"GET / HTTP/\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                b"GET / HTTP/x\r\n\r\n", b"GET / FTP/1.1\r\n\r\n", b"GET / HTTP/1.1 x\r\n\r\n",
                b"/ GET HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
                b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"GET / HTTP/1.1\r\n folded\r\n\r\n",
                b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
                b"GET / HTTP/1.1\r\nA\x00: b\r\n\r\n", b"GET / HTTP/1.1\r\nA: b\x00\r\n\r\n",
                b"GET / HTTP/1.1\r\nCookie\r\n\r\n", b"GET / HTTP/1.1\r\nCookie : session=x\r\n\r\n",
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)), bytes(2000),
                b"\xff" * 2000, b"GET / HTTP/1.1\n\n", b"GET / HTTP/1.1\r\r\r\n\r\n", b"a" * 100000,
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
                whole[:20], whole[:-4], whole[:-2], b"POST /login HTTP/1.1\r\n" * 100,
                b"GET http://evil.lan/ HTTP/1.1\r\nHost: evil.lan\r\nConnection: close\r\n\r\n",
                b"GET //evil.lan/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                b"GET evil HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
        yield Case(repr(raw[:50]), raw, (*ANONYMOUS, "200", *BAD, "404", "closed"),
                   done=True)


def noise(real):
    """A login and three pages with a few bytes of each changed, put in or left out."""
    chance = random.Random("noise")
    good = [request("/login?next=/a", "POST", body=RIGHT, content_type=FORM),
            request(headers=[cookie("session=" + real["session"])]),
            request("/basic", headers=["Authorization: " + basic("anna:" + PASSWORD)]),
            request("/token", headers=["Authorization: Bearer " + TOKEN])]
    for number in range(300):
        raw = bytearray(chance.choice(good))
        for _ in range(chance.choice((1, 1, 2, 4, 12))):
            place = chance.randrange(len(raw))
            what = chance.randrange(4)
            if what == 0:
                raw[place] = chance.randrange(256)
            elif what == 1:
                raw[place] ^= 1 << chance.randrange(8)
            elif what == 2:
                raw.insert(place, chance.choice(b"%\x00\r\n=;, \xff\""))
            else:
                del raw[place]
        yield Case(f"{number}: {bytes(raw)!r}", bytes(raw), ANYTHING, done=True)


ANYTHING = ("200", "302 /*", "400", "401", "403", "404", "405", "413", "closed")

GROUPS = {f.__name__: f for f in (
    session_forged, session_mutated, remember_forged, remember_mutated, tokens_swapped,
    cookie_oddities, cookie_twice, basic_malformed, bearer_malformed, authorization_bytes,
    authorization_twice, query_escapes, query_bytes, query_oddities, paths, paths_that_come_back,
    next_elsewhere, next_here, forms, forms_without_values, forms_malformed, other_bodies,
    json_of_a_wrong_shape, json_malformed, json_that_one_python_reads, lengths,
    bodies_too_large, lines_too_long, methods, broken_http, noise)}
