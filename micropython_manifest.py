# Freezes dotlatch into a firmware: every portable file, and nothing of CPython's.
#
# In a board's own manifest, next to the line that adds Microdot:
#     include("/path/to/dotlatch/micropython_manifest.py")              a board with an ARM Cortex-M, such as a Pico
#     include("/path/to/dotlatch/micropython_manifest.py", arm=False)   any other, such as an ESP32
# A board that needs only some of dotlatch names only those files.
# ruff: noqa: F821 (metadata, options and package are given by MicroPython's manifest tool)

metadata(version="0.1.0", description="Authentication for the Microdot web framework")
options.defaults(arm=True)

files = [
    '__init__.py',
    'apikeys.py',
    'auth.py',
    'blocklist.py',
    'calibrate.py',
    'cookies.py',
    'copies.py',
    'digest.py',
    'digestheader.py',
    'events.py',
    'files.py',
    'fleet.py',
    'fleetlogin.py',
    'guard.py',
    'handshake.py',
    'hashers.py',
    'headers.py',
    'http.py',
    'identity.py',
    'jsoncheck.py',
    'jsongrammar.py',
    'jwtauth.py',
    'jwtheader.py',
    'keyauth.py',
    'lifetime.py',
    'links.py',
    'live.py',
    'login.py',
    'names.py',
    'nonces.py',
    'noviper.py',
    'on_micropython.py',
    'on_micropython_files.py',
    'origin.py',
    'passwords.py',
    'pbkdf2.py',
    'pbkdf2_blocks.py',
    'pbkdf2_hashlib.py',
    'pbkdf2_viper.py',
    'portable.py',
    'protect.py',
    'proxies.py',
    'recovery.py',
    'remember.py',
    'revoked.py',
    'revokedfile.py',
    'sameorigin.py',
    'session.py',
    'sha1.py',
    'signed.py',
    'stored.py',
    'stores.py',
    'strength.py',
    'strictjson.py',
    'throttle.py',
    'tickets.py',
    'tokens.py',
    'totp.py',
    'usedsteps.py',
    'users.py',
    'viper.py',
]
if options.arm:  # other compilers refuse its instructions
    files.append('pbkdf2_thumb.py')

package("dotlatch", files=tuple(files), base_path="src")
