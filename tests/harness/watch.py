"""Looks for secrets in what an app says while its tests run: events, bodies of errors, reprs.

Both Pythons run this file, in the process that has the app:

    watch.install()          # again after an import: only what is loaded already is watched
    ...                      # requests come and go
    watch.taken()            # [('an event', 'login_failed name=corr***'), ...], and none of them again
    watch.secrets()          # what came and went since begin(), for whoever reads what the process printed

What a request carries as a credential (a cookie, an Authorization header, a password in a form) and what a response
sets as a cookie is a secret from then on. So is what has a secret's form, whoever made it.
"""
import binascii
import sys

MICROPYTHON = sys.implementation.name == 'micropython'
SHORTEST = 12        # characters; shorter ones may be words of other texts too
SHORTEST_TOKEN = 16
_HEAD = 24           # characters that a secret is known by: events keep 64 bytes of a text
_MOST = 64
_MOST_OF_ONE = 256
MARKS = ('eyJ', 'pbkdf2_sha256$', 'pbkdf2-sha256$', '$argon2', 'otpauth://')
FIELDS = ('password', 'new_password', 'old_password', 'current', 'new', 'again', 'code', 'recovery_code', 'secret')
MODULES = ('microdot.microdot', 'dotlatch.events')
LEAK = 'a secret came out in '
_known = []
_found = []
_watched = []
_tells = False


def begin():
    """A new test: it has secrets of its own."""
    _known[:] = []
    _found[:] = []


def tell():
    """Print what is found from now on, for whoever reads what this process prints."""
    global _tells
    _tells = True


def taken():
    found = _found[:]
    _found[:] = []
    return found


def secrets():
    return [secret[:_HEAD] for secret in _known]


def learn(secret, shortest=SHORTEST):
    secret = secret[:_MOST_OF_ONE]
    if len(secret) >= shortest and secret not in _known and len(set(secret[:_HEAD])) > 4:
        _known.append(secret)
        if len(_known) > _MOST:
            del _known[0]


def learn_token(token):
    """A cookie, a Bearer token or an API key: its last part is the one that nobody else may have."""
    learn(token[max(token.rfind('.'), token.rfind('_')) + 1:].strip('"'), SHORTEST_TOKEN)


def learn_password(text):
    """Not 'password' itself, which somebody tries, and pages have."""
    learn(text, 8 if [c for c in text if c in '0123456789-_ !.'] else SHORTEST)


def secret_in(text):
    for mark in MARKS:
        start = text.find(mark)
        while start >= 0:
            if start == 0 or not is_of_word(text[start - 1]):  # a random id may have a mark in its middle
                return text[start:start + _HEAD]
            start = text.find(mark, start + 1)
    for secret in _known:
        if secret[:_HEAD] in text:
            return secret[:_HEAD]
    return None


def is_of_word(character):
    return character.isalpha() or character.isdigit() or character in '-_'


def masked(text, secret):
    """What stands around a secret, without more of it than its first characters."""
    start = text.find(secret)
    end = start + len(secret)
    while end < len(text) and text[end] not in ' \n\r\t"\'<>;,&':
        end += 1  # what was recognised may be the beginning only
    return text[max(0, start - 60):start] + secret[:4] + '***' + text[end:end + 40]


def look_at(where, text):
    secret = secret_in(text)
    if secret is not None:
        finding = where, masked(text, secret)
        if finding not in _found:
            _found.append(finding)
            if _tells:
                print(LEAK + where + ': ' + repr(finding[1]))


# --- what is watched ------------------------------------------------------------------------------

def install():
    """Watch Microdot's apps and dotlatch's events, where they are loaded."""
    for name, cls, wrap in ((MODULES[0], 'Microdot', _watch_app), (MODULES[1], 'Events', _watch_events)):
        module = sys.modules.get(name)
        if module is not None and name not in _watched:
            _watched.append(name)
            wrap(getattr(module, cls))


def _watch_events(events):
    emit = events.emit

    def watched(self, event, **fields):
        emit(self, event, **fields)
        kept = self._entries[-1:]
        if kept:
            entry = kept[0]
            look_at('an event', ' '.join([str(entry[0])] + ['%s=%s' % (entry[i], entry[i + 1])
                                                            for i in range(3, len(entry), 2)]))

    events.emit = watched


def _watch_app(microdot):
    dispatch = microdot.dispatch_request

    async def watched(self, request):
        response = await dispatch(self, request)
        if request is not None:
            learn_request(request.headers.items(), request.body)
            look_at_objects(request)
        headers = getattr(response, 'headers', None)
        if headers is not None:
            cookies = headers.get('Set-Cookie', [])
            learn_cookies(cookies if isinstance(cookies, list) else [cookies])
            body = response.body
            if response.status_code >= 400 and isinstance(body, (bytes, str)):
                look_at('the body of a %d' % response.status_code, as_text(body))
        return response

    microdot.dispatch_request = watched


def learn_request(headers, body):
    kind = ''
    for name, value in headers:
        name = name.lower()
        if name == 'content-type':
            kind = value
        elif name == 'cookie':
            for cookie in value.split(';'):
                learn_token(cookie.partition('=')[2].strip())
        elif name == 'x-api-key':
            learn_token(value)
        elif name == 'authorization':
            learn_authorization(value)
    if body and 'form' in kind and len(body) < 1024:
        for pair in as_text(body).split('&'):
            name, _, value = pair.partition('=')
            if name in FIELDS:
                learn_password(unquoted(value))


def learn_authorization(value):
    scheme, _, credentials = value.strip().partition(' ')
    if scheme.lower() != 'basic':
        if scheme.lower() == 'bearer':
            learn_token(credentials)
        return
    try:
        learn(credentials, SHORTEST_TOKEN)
        learn_password(as_text(binascii.a2b_base64(credentials)).partition(':')[2])
    except ValueError:
        pass  # none of ours, and refused


def learn_cookies(lines):
    for line in lines:
        learn_token(line.partition(';')[0].partition('=')[2])


def look_at_objects(request):
    """What a page for errors might show of the objects at hand; a board has the same code, and no types' names."""
    if MICROPYTHON:
        return
    at_hand = list(vars(request.g).values()) + [getattr(request.app, '_session', None)]
    for thing in at_hand:
        if type(thing).__module__.startswith('dotlatch'):
            for part in [thing] + list(getattr(thing, '__dict__', {}).values()):
                kind = type(part)  # most have no repr of their own, and tell their type and address
                if kind.__module__.startswith('dotlatch') and kind.__repr__ is not object.__repr__:
                    look_at('the repr of ' + kind.__name__, repr(part))


def as_text(text):
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeError:
        return ''.join([chr(c) for c in text])


def unquoted(text):
    parts = text.replace('+', ' ').split('%')
    try:
        octets = parts[0].encode()
        for part in parts[1:]:
            octets += binascii.unhexlify(part[:2]) + part[2:].encode()
    except ValueError:
        return text
    return as_text(octets)
