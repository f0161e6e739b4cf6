# Freezes dotlatch into a firmware: every portable file, and nothing of CPython's.
#
# In a board's own manifest, next to the line that adds Microdot:
#     include("/path/to/dotlatch/micropython_manifest.py")
# A board that needs only some of dotlatch names only those files.
# ruff: noqa: F821 (metadata and package are given by MicroPython's manifest tool)

metadata(version="0.1.0", description="Authentication for the Microdot web framework")

package(
    "dotlatch",
    files=(
        '__init__.py',
        'auth.py',
        'cookies.py',
        'files.py',
        'http.py',
        'identity.py',
        'jsongrammar.py',
        'jsonviper.py',
        'jwtheader.py',
        'links.py',
        'login.py',
        'on_micropython.py',
        'origin.py',
        'passwords.py',
        'pbkdf2.py',
        'portable.py',
        'remember.py',
        'revoked.py',
        'session.py',
        'stored.py',
        'stores.py',
        'strictjson.py',
        'throttle.py',
        'tokens.py',
        'users.py',
    ),
    base_path="src",
)
