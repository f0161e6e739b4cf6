"""Every malformed Authorization header gets the answer its RFC has for it, the same on every server; so do paths that
try to get round a guard.
"""

import base64
from pathlib import Path

import pytest
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from dotlatch.digest import make_ha1
from tests.server.apps.authorized import ANSWERED, PASSWORD, TOKEN
from tests.server.client import Answer, request

APPS = Path(__file__).with_name("apps")
PAIR = base64.b64encode(f"anna:{PASSWORD}".encode()).decode()


def ask(server, target, headers=(), method="GET"):
    return Answer(server.exchange(request(target, method, headers=headers)))


# --- headers --------------------------------------------------------------------------------------

# Of no scheme that anybody here has, whatever follows.
STRANGE = [
    "", "x", "Basic", "Bas " + PAIR, "Basic\t" + PAIR, "Basic" + PAIR, "Basic:" + PAIR, "Basic=" + PAIR, PAIR, TOKEN,
    "xBasic " + PAIR, "Basicx " + PAIR, "Basic, " + PAIR, "Bear " + TOKEN, "xBearer " + TOKEN, "Bearer\t" + TOKEN,
    "Bearer" + TOKEN, "Bearer: " + TOKEN, "Token " + TOKEN, "Digestx realm=x", "Digest\trealm=x", "Negotiate YII=",
    "NTLM TlRM", "APIKey " + TOKEN, ",", "=", '"', "\\", "/", "*", "( )", "{}", "Hawk id=1", "\u00e9", "\u2603 x",
    "Basi\u0441 " + PAIR, "null", "undefined", "'", ";", "%42asic " + PAIR, "Basic%20" + PAIR]

BASIC = [  # malformed or wrong: always a 401 (RFC 7617 section 2)
    "Basic ", "Basic  ", "Basic =", "Basic ====", "Basic !!!!", "Basic a", "Basic aa", "Basic aaa", "Basic %",
    "Basic " + PAIR[:-1], "Basic " + PAIR + "=", "Basic " + PAIR + "!", "Basic " + PAIR + "\u00e9",
    f"Basic {PAIR[:8]} {PAIR[8:]}", f"Basic {PAIR[:8]}\t{PAIR[8:]}", f"Basic {PAIR}, Basic {PAIR}",
    f"Basic {PAIR},{PAIR}",
    f"Basic {PAIR} x", f"Basic Basic {PAIR}", f'Basic "{PAIR}"', f"Basic {PAIR}; x=y", 'Basic realm="x"',
    f"basic {PAIR.lower()}", "Basic " + PAIR.rstrip("=") + "-_", "Basic " + "A" * 1900, "Basic ::::", "Basic null",
    *("Basic " + base64.b64encode(text).decode() for text in (
        b"", b":", b"anna", b"anna:", b":" + PASSWORD.encode(), b"anna:x", b"\x00", b"\x00:\x00", b"anna:\x7f",
        b"anna\r\n:x", b"anna:" + PASSWORD.encode() + b"\n", b"anna:" + PASSWORD.encode() + b"\0", b"\xff:x", b"x:\xff",
        b"anna\xc0\xba" + PASSWORD.encode(), b"\xed\xa0\x80:x", b"\xef\xbb\xbfanna:x", b"ANNA:" + PASSWORD.encode(),
        b"anna\xe2\x80\x8b:" + PASSWORD.encode(), b"x" * 1200))]

INVALID = [  # well formed and unknown: a 401 with invalid_token (RFC 6750 section 3.1)
    "Bearer x", "Bearer " + TOKEN + "x", "Bearer " + TOKEN[:-1], "Bearer " + TOKEN.upper(), "bearer a.b.c", "Bearer -",
    "BEARER " + "x" * 1900, "Bearer " + TOKEN + "=", "Bearer " + TOKEN + "====", "Bearer ~", "Bearer 0", "Bearer null"]
MALFORMED = [  # no token at all: a 400 with invalid_request
    "Bearer", "Bearer ", "Bearer   ", "Bearer =", "Bearer ==", "Bearer =a", "Bearer a b", f"Bearer {TOKEN}, x",
    f"Bearer {TOKEN},{TOKEN}", f"Bearer {TOKEN} {TOKEN}", f"Bearer Bearer {TOKEN}", f'Bearer "{TOKEN}"', "Bearer {}",
    "Bearer a=b", "Bearer a=b=", "Bearer \\", 'Bearer realm="x"', f"Bearer {TOKEN};x", "Bearer <x>", "Bearer a:b",
    "Bearer %41", "Bearer '", "Bearer \u00e9", f"Bearer {TOKEN}\u2603", "Bearer [1]", "Bearer a\tb", "Bearer (a)"]

KEYS_INVALID = ["x", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), '"' + TOKEN + '"', "=", "x" * 1900, "{}", "", "%00", "'",
                f"{TOKEN};{TOKEN}", f"{TOKEN},{TOKEN}"]
KEYS_MALFORMED = ["a b", "Bearer " + TOKEN, f"{TOKEN}, {TOKEN}", "\u00e9", TOKEN + "\u2603", "a\tb"]


def digest(uri="/digest", nonce="x" * 20, leave_out=(), **changed):
    """A Digest header that is right but for its nonce, which is nobody's, and for what is changed."""
    parts = {"username": '"anna"', "realm": '"tests"', "nonce": f'"{nonce}"', "uri": f'"{uri}"', "algorithm": "SHA-256",
             "qop": "auth", "nc": "00000001", "cnonce": '"c"', "response": '"' + "a" * 64 + '"', **changed}
    return "Digest " + ", ".join(f"{name}={value}" for name, value in parts.items() if name not in leave_out)


DIGEST_UNKNOWN = [  # of another realm, algorithm or nonce, or of nobody: a new challenge (RFC 7616 section 3.3)
    digest(), digest(username='"ben"'), digest(realm='"other"'), digest(algorithm="MD5"), digest(algorithm="SHA-1"),
    digest(qop="auth-int"), digest(leave_out=("algorithm",)), digest(leave_out=("qop",)), digest(nonce="/" * 44),
    "Digest ,", digest(response='"' + "A" * 64 + '"'), digest(response='"x"'), digest(userhash="true"),
    digest(realm='""')]
DIGEST_MALFORMED = [  # a 400 (RFC 7616 sections 3.4 and 3.4.6)
    "Digest", "Digest ", "Digest x", "Digest =", "Digest realm", 'Digest realm="x', "Digest realm=\"x\\",
    digest(uri="/other"), digest(uri="/digest?x"), digest(uri="http://127.0.0.1/digest"), digest(uri=""),
    digest(nc="1"), digest(nc="00000000"), digest(nc="0000000g"), digest(nc="-0000001"), digest(nc="0x000001"),
    digest(cnonce='""'), digest(cnonce='"\u00e9"'), digest(username='""'), digest(leave_out=("username",)),
    digest(leave_out=("nonce",)), digest(leave_out=("uri",)), digest(leave_out=("response",)),
    digest(leave_out=("nc",)),
    digest(leave_out=("cnonce",)), digest(userhash="maybe"), digest() + ", " + digest()[7:], digest() + ' x"',
    "Digest " + "a=b, " * 300, digest(username="\"a\", username*=UTF-8''b"), f"Digest {PAIR}", f"Digest {TOKEN}"]


def cases():
    """(route, header, statuses that are right)."""
    for value in STRANGE + BASIC + INVALID + MALFORMED + DIGEST_UNKNOWN + DIGEST_MALFORMED:
        line = "Authorization: " + value
        yield "/basic", line, 401
        yield "/any", line, 401
        yield "/token", line, 400 if value in MALFORMED else 401
        yield "/digest", line, 400 if value in DIGEST_MALFORMED else 401
    for value in KEYS_INVALID + KEYS_MALFORMED:
        yield "/key", "X-API-Key: " + value, 400 if value in KEYS_MALFORMED else 401
        yield "/any", "X-API-Key: " + value, 401


def right_digest(server):
    challenge = ask(server, "/digest").get("www-authenticate")
    nonce = challenge.split('nonce="')[1].split('"')[0]
    from hashlib import sha256
    ha1 = make_ha1("anna", "tests", PASSWORD).split("$")[2]
    ha2 = sha256(b"GET:/digest").hexdigest()
    response = sha256(f"{ha1}:{nonce}:00000001:c:auth:{ha2}".encode()).hexdigest()
    return "Authorization: " + digest(nonce=nonce, response=f'"{response}"')


SCHEMES = {"/basic": {"Basic"}, "/token": {"Bearer"}, "/key": {"APIKey"}, "/digest": {"Digest"},
           "/any": {"Bearer", "Basic", "Digest", "APIKey"}}


def test_a_header_that_is_wrong_gets_the_same_answer_everywhere(serve, kind):
    server = serve(APPS / "authorized.py", kind)
    fine = ["Authorization: Bearer " + TOKEN]
    wrong = []
    for number, (target, line, status) in enumerate(cases()):
        answer = ask(server, target, [line])
        if answer.status != status:
            wrong.append(f"{target} {line[:70]!r}: {answer.status}, not {status}")
        elif ANSWERED.encode() in answer.body or TOKEN.encode() in answer.body:
            wrong.append(f"{target} {line[:70]!r}: it lets in")
        elif {value.split(" ")[0] for value in answer.all("www-authenticate")} != SCHEMES[target]:
            wrong.append(f"{target} {line[:70]!r}: {answer.all('www-authenticate')}")
        if number % 20 == 0 and ask(server, "/token", fine).body != ANSWERED.encode():
            wrong.append(f"{target} {line[:70]!r}: the next request is not served")
    assert not wrong, "\n".join([f"{len(wrong)} cases:", *wrong])
    for target, line in (("/basic", "Authorization: Basic " + PAIR), ("/token", fine[0]), ("/key",
                                                                                           "X-API-Key: " + TOKEN),
                         ("/digest", right_digest(server)), ("/any", "Authorization: bASIC   " + PAIR)):
        assert ask(server, target, [line]).body == ANSWERED.encode(), target
    if not kind.startswith("builtin"):
        assert "Traceback" not in server.output()


def test_a_header_that_no_header_can_be_is_a_400_or_a_401(serve, kind):
    """Control characters and what is no UTF-8: some servers say so themselves."""
    server = serve(APPS / "authorized.py", kind)
    for target in SCHEMES:
        for scheme in (b"Basic ", b"Bearer ", b"Digest ", b""):
            for junk in (b"\x00", b"a\x00b", b"\x01", b"a\x0bb", b"a\x7fb", b"\xff", b"a\xffb", b"\xc0\xaf",
                         b"\xed\xa0\x80",
                         b"\xf5\x80\x80\x80", b"x\r\n\ty", b"A" * 5000, b"A" * 2030, b" " * 1500 + b"x"):
                for name in (b"Authorization: ", b"X-API-Key: "):
                    raw = request(target, headers=[name + scheme + junk])
                    answer = Answer(server.exchange(raw, timeout=10))
                    assert answer.status in (400, 401, 431), (target, scheme, junk, answer.status)
    for lines in ([b"Authorization: Basic x"] * 2, [b"Authorization: Bearer x", b"Authorization: Basic x"],
                  [b"Authorization:"] * 3, [b"Authorization : Basic x"], [b"X-API-Key: x"] * 2):
        for target in SCHEMES:
            assert ask(server, target, lines).status in (400, 401), (target, lines)
    assert ask(server, "/token", ["Authorization: Bearer " + TOKEN]).body == ANSWERED.encode()


# --- paths ----------------------------------------------------------------------------------------

# Spellings of what is locked. Some are nothing, or are static files of odd names; none is a way to the secret.
TO_ADMIN = [
    "/admin", "/admin/", "/admin/x", "/%61dmin", "/%2561dmin", "/admin%2f", "/admin%2fx", "/%2fadmin", "//admin",
    "//admin/x",
    "/./admin", "/x/../admin", "/%2e/admin", "/x/%2e%2e/admin", "/admin/.", "/admin/..", "/admin/../admin", "/admin;x",
    "/admin;/x", "/;/admin", "/admin%3bx", "/ADMIN", "/Admin/x", "/%41dmin", "/admin%00", "/admin%0a", "/admin%0d%0a",
    "/admin%20", "/admin%09", "/admin%3f", "/admin%23", "/admin\\", "/admin%5cx", "\\admin", "/admin?x=/static/",
    "/admin??",
    "/admin%c0%af", "/adm%c0%a9n", "/admin%ff", "/admin%", "/admin%6", "/admin%zz", "/static/../admin",
    "/static/%2e%2e/admin",
    "/static/..%2fadmin", "/static%2f..%2fadmin", "/static/..;/admin", "/static/..%5cadmin", "/static/./../admin",
    "/static//../admin", "/static/%252e%252e/../admin", "/%73tatic/../admin", "/static/..", "/static/../",
    "/static/%2e%2e"]
# Other addresses than one below /admin, which are open where only those are locked.
ELSEWHERE = ["/%2561dmin", "/admin%20", "/admin%23", "/admin%3f", "/admin%", "/admin%6", "/admin%zz"]
OTHERS = ["/secret", "/%73tatic", "/static", "/STATIC/x", "/staticx", "/static;/x", "/x/static/y", "/login", "/", "/%",
          "/sse?static", "/nowhere/static/"]


@pytest.mark.parametrize("part", ["", "yes"])
def test_there_is_no_way_round_a_guard(serve, kind, part):
    server = serve(APPS / "locked.py", kind, PART=part)
    admin = {"/admin", "/admin/", "/admin/x", "/admin?x=/static/", "/admin;x", "/ADMIN", "/Admin/x"}
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        for target in TO_ADMIN + ([] if part else OTHERS):
            answer = ask(server, target, method=method)
            assert answer.status != 500, (method, target)
            assert b"secret" not in answer.body or (part and target in ELSEWHERE), (method, target)
            if target in admin and method == "GET":
                assert answer.status == 401, target
    for target in ("/static/x", "/static/a/b.css", "/static/caf%C3%A9"):
        assert ask(server, target).body == b"open", target
    bearer = ["Authorization: Bearer " + TOKEN]
    assert ask(server, "/admin", bearer).body == b"the secret, for anna"
    assert ask(server, "/nowhere", bearer, "PUT").status == 405
    if not part:
        assert ask(server, "/nowhere", method="PUT").status == 401
    preflight = ["Origin: http://x", "Access-Control-Request-Method: GET"]
    answer = ask(server, "/admin", preflight, "OPTIONS")
    assert answer.status in (200, 204) and answer.get("allow") is None
    if not kind.startswith("builtin"):
        assert "Traceback" not in server.output()


def test_a_guard_keeps_websockets_and_streams_from_opening(serve, kind):
    server = serve(APPS / "locked.py", kind)
    bearer = {"Authorization": "Bearer " + TOKEN}
    url = server.url.replace("http", "ws") + "/ws"
    for target in (url, url + "x", url[:-3] + "//ws"):
        for value, status in (("", 401), ("Bearer x", 401), ("Bearer", 400), ("Bearer down", 503)):
            with pytest.raises((InvalidMessage, InvalidStatus)) as refused:  # the built-in server speaks HTTP/1.0
                connect(target, proxy=None, open_timeout=10, additional_headers={"Authorization": value}).close()
            if isinstance(refused.value, InvalidStatus):
                assert refused.value.response.status_code == (400 if "//ws" in target else status), (target, value)
    with connect(url, proxy=None, open_timeout=10, additional_headers=bearer, compression=None) as ws:
        ws.send("one")
        assert ws.recv(timeout=10) == "anna says one"
    answer = ask(server, "/sse", ["Accept: text/event-stream"])
    assert answer.status == 401 and b"hello" not in answer.body
    assert b"hello anna" in ask(server, "/sse", ["Authorization: Bearer " + TOKEN]).body
