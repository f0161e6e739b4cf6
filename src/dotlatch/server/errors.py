"""The one error of this folder's stores.

A store whose server is down, frozen, full or set up wrongly raises :class:`StoreUnavailable` and nothing else, after a
time that is known; the next call tries again::

    from dotlatch.server.errors import StoreUnavailable

    try:
        record = await store.load(session_id)
    except StoreUnavailable:
        return 'Please try again in a moment', 503
"""


class StoreUnavailable(OSError):
    """The store cannot be asked now. Nothing is known of the session: the answer is 503, or an anonymous visitor.

    What happened is its ``__cause__``; its message names no address, key or password.
    """
