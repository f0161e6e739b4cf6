"""The pages of a login and of an account, in plain HTML that needs no script, with every value escaped.

Needs html_login.py, html_code.py, html_account.py, html_claim.py and html_style.py. Only the one that a page is in is
loaded::

    from dotlatch import pages

    pages.render('login', title='Greenhouse', problem='Name or password is wrong.')
    pages.render('refused', title='Greenhouse', status=429, seconds=8)

loginpages.py and accountpages.py have the routes that show them. An app with templates of its own gives these another
``render(name, **context)``.
"""
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_HEAD = b'''<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{heading} - {title}</title><link rel="icon" href="data:,"><link rel="stylesheet" href="{style}"></head>
<body><main><p class="soft">{title}</p><h1>{heading}</h1>
{#messages}<p class="note" role="status">{text}</p>
{/}{#problem}<p class="problem" role="alert">{problem}</p>
{/}{#lost}<p class="problem" role="alert">What you sent was not carried out. Send it again when you are back.</p>
{/}'''
_CSRF = b'<input name="csrf_token" type="hidden" value="{csrf_token}">'  # at {csrf}, in forms
_FOOT = b'</main></body></html>\n'
_LOGIN = ('login', 'confirm', 'refused')
_ACCOUNT = ('account', 'password', 'second', 'second_on', 'recovery')
_ENTITIES = (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('"', '&quot;'), ("'", '&#39;'))


def render(name: str, **context: 'Any') -> str:
    """Return a page.

    :param name: one of ``'login'``, ``'confirm'``, ``'refused'``, ``'code'``, ``'account'``, ``'password'``,
        ``'second'``, ``'second_on'``, ``'recovery'``, ``'claim'``.
    :param context: what it shows. A name that is not given is shown as nothing.
    :raises ValueError: when there is no such page.
    """
    return b''.join(pieces(name, **context)).decode()


def pieces(name: str, **context: 'Any') -> 'Iterator[bytes]':
    """Return the same page in UTF-8, as an iterator of its pieces: a board need not have room for it in one."""
    return filled(_template(name), **context)


def filled(template: bytes, **context: 'Any') -> 'Iterator[bytes]':
    """Return a page of your own in the same look.

    :param template: in UTF-8, the heading in its first line. ``{name}`` is a value, escaped. What is between
        ``{#name}`` and ``{/}`` is shown when there is one, and once for each entry of a list; after ``{^name}``, when
        there is none. ``{csrf}`` in a form is the field with the token. There are no other braces.
    :raises ValueError: for a ``{`` without a ``}``.
    """
    heading, _, body = template.partition(b'\n')
    values: 'dict[str, Any]' = {'heading': heading.decode(), 'title': 'Login', 'style': '/login/style.css', 'home': '/'}
    values.update(context)
    status = context.get('status')
    if status:
        values['is_%s' % status] = True
    values['is_one'] = context.get('seconds') == 1
    body = body.replace(b'{csrf}', _CSRF if context.get('csrf_token') else b'')
    out: 'list[bytes]' = []
    for template in (_HEAD, body, _FOOT):
        _fill(template, 0, values, out)
    return iter(out)


def _template(name: str) -> bytes:
    group: 'Any' = None
    if name in _LOGIN:
        from . import html_login as group
    elif name == 'code':
        from . import html_code as group
    elif name == 'claim':
        from . import html_claim as group
    elif name in _ACCOUNT:
        from . import html_account as group
    else:
        raise ValueError('there is no page %r' % name)
    template: bytes = getattr(group, name)
    return template


def _fill(template: bytes, at: int, values: 'Any', out: 'list[bytes]') -> int:
    """Append the text from ``at`` on, to the end of the section, and return where that is.

    ``{name}`` is a value. What is between ``{#name}`` and ``{/}`` is shown when there is one, and for a list once for
    each of its entries; after ``{^name}`` when there is none. It is bytes, since a board finds a place in a string by
    counting from its start.

    :param values: ``None`` for a section that is not shown.
    """
    while True:
        start = template.find(b'{', at)
        if values is not None:
            out.append(template[at:] if start < 0 else template[at:start])
        if start < 0:
            return start
        end = template.find(b'}', start)
        if end < 0:
            raise ValueError('a template has a { without a }')
        at = end + 1
        sign = template[start + 1]
        if sign == 47:  # a slash
            return at
        if sign == 35 or sign == 94:  # '#' and '^'
            value = values.get(template[start + 2:end].decode()) if values is not None else None
            if sign == 94:
                value = values is not None and not value
            begin = at
            if not isinstance(value, list) or not value:
                at = _fill(template, begin, _inner(values, value) if value else None, out)
                continue
            for entry in value:  # one piece each: a board may have no room for a long list of short ones
                row: 'list[bytes]' = []
                at = _fill(template, begin, _inner(values, entry) if entry else None, row)
                out.append(b''.join(row))
        elif values is not None:
            value = values.get(template[start + 1:end].decode())
            if value is not None:
                out.append(escape(str(value)).encode())


def _inner(values: 'dict[str, Any]', entry: 'Any') -> 'dict[str, Any]':
    """Return what is known inside a section: for an entry of a list its own names, too, or ``{.}``."""
    inner = values
    if isinstance(entry, dict):
        inner = values.copy()
        inner.update(entry)
    elif isinstance(entry, str):
        inner = values.copy()
        inner['.'] = entry
    return inner


def escape(text: str) -> str:
    """Return text as HTML that shows it, between tags and in quoted attributes."""
    for c, entity in _ENTITIES:
        if c in text:
            text = text.replace(c, entity)
    return text
