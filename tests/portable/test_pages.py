"""The pages of a login: what they show, that nothing in them is anybody else's HTML, and that they need no one else."""
from client import raises

from dotlatch import html_account, html_code, html_login, html_style, pages

NAMES = ('login', 'confirm', 'refused', 'code', 'account', 'password', 'second', 'second_on', 'recovery')
HOSTILE = '"\'></title><script>alert(1)</script><img src=x onerror=alert(2)>&lt;{/}{user}{#problem}'
MAX_PAGE = 12 * 1024
MAX_SESSIONS = 16
# What the routes give to each page, as docs/pages.rst has it.
EVERY = ('title', 'heading', 'style', 'home', 'login_url', 'logout_url', 'problem', 'lost', 'csrf_token')
ROW = ('id', 'client', 'source', 'began', 'used')
CONTEXT = {
    'login': ('remember',),
    'confirm': ('user',),
    'refused': ('seconds',),
    'code': ('trust', 'clock'),
    'account': ('user', 'password_url', 'second_url', 'end_url', 'second', 'listed', 'more'),
    'password': ('user', 'min_length', 'account_url'),
    'second': ('uri', 'key', 'qr', 'clock', 'account_url'),
    'second_on': ('left', 'recovery_url', 'remove_url', 'account_url'),
    'recovery': ('account_url',),
}


def template(name):
    for group in (html_login, html_code, html_account):
        if hasattr(group, name):
            return getattr(group, name).decode()


def context(name, value):
    """All that a page can be given, with this value everywhere."""
    given = dict.fromkeys(EVERY + CONTEXT[name], value)
    given['messages'] = [{'category': value, 'text': value}]
    rows = [dict.fromkeys(ROW, value) for _ in range(3)]
    rows[0]['here'] = value
    given['sessions'] = given['devices'] = rows
    given['codes'] = [value, value]
    given['status'] = 429
    return given


def shown(name, **given):
    return pages.render(name, **given)


def tags(html):
    """Each tag of the page with its attributes, as a browser finds them; quotes have to be closed."""
    found = []
    for part in html.split('<')[1:]:
        tag = part
        pieces = part.split('"')
        text = ''
        for i in range(0, len(pieces), 2):  # outside of quoted values
            text += pieces[i]
            if '>' in pieces[i]:
                tag = '"'.join(pieces[:i] + [pieces[i].split('>')[0]])
                break
        else:
            raise AssertionError('a tag without an end: ' + part)
        found.append(tag)
    return found


# --- nothing is anybody else's HTML -----------------------------------------------------------------

def test_no_value_of_any_page_is_ever_html():
    for name in NAMES:
        harmless = [tag.split(' ')[0] for tag in tags(shown(name, **context(name, 'x')))]
        page = shown(name, **context(name, HOSTILE))
        assert [tag.split(' ')[0] for tag in tags(page)] == harmless, name
        for wrong in ('<script', '<img src=x', 'onerror=alert(2)>', HOSTILE):
            assert wrong not in page, (name, wrong)


def test_every_value_is_in_a_text_or_between_double_quotes():
    for name in NAMES:
        for tag in tags(shown(name, **context(name, 'VALUE'))):
            for i, part in enumerate(tag.split('"')):
                assert i % 2 or 'VALUE' not in part, (name, tag)


def test_a_value_is_shown_as_it_is():
    for text in ('a & b', '<b>', '"quoted"', "it's", '&amp;', '{title}', '{/}', 'Gewächshaus 温室'):
        expected = text
        for c, entity in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('"', '&quot;'), ("'", '&#39;')):
            expected = expected.replace(c, entity)
        assert pages.escape(text) == expected
        assert '<h1>Log in</h1>\n<p class="problem" role="alert">%s</p>' % expected in shown('login', problem=text)


def test_numbers_are_shown_too_and_what_is_not_there_is_not():
    page = shown('refused', status=429, seconds=8)
    assert 'Try again in 8 seconds.' in page and 'too many attempts' in page
    assert 'Try again' not in shown('refused', status=403)
    assert 'None' not in shown('login', problem=None, remember=None)
    assert '>0 ' not in shown('refused', status=503, seconds=0)


def test_there_is_no_other_page():
    for name in ('', 'Login', 'login.html', '../login', '__name__', 'HEAD', 'STYLE'):
        error = raises(ValueError, pages.render, name)
        assert 'no page' in str(error)


def test_every_name_in_a_template_is_one_that_the_routes_give():
    for name in NAMES:
        known = EVERY + CONTEXT[name] + ROW + ('csrf', 'here', 'sessions', 'devices', 'codes', '.', 'messages', 'text')
        for part in (pages._HEAD.decode() + template(name)).split('{')[1:]:
            tag = part.split('}')[0].lstrip('#^')
            assert tag == '/' or tag in known or tag.startswith('is_'), (name, tag)


def test_sections_end_where_they_begin():
    for name in NAMES:
        depth = 0
        for part in template(name).split('{')[1:]:
            depth += 1 if part[0] in '#^' else -1 if part[0] == '/' else 0
            assert depth >= 0, name
        assert depth == 0, name


def test_a_page_of_the_apps_own_is_escaped_too():
    template = b'Plants\n{#plants}<p title="{.}">{.} of {title}</p>{/}{^plants}None{/}<form>{csrf}</form>'
    page = b''.join(pages.filled(template, title=HOSTILE, plants=['"a"', '<b>'], csrf_token=HOSTILE)).decode()
    assert '<h1>Plants</h1>' in page and '<p title="&quot;a&quot;">&quot;a&quot; of ' in page
    assert [tag.split(' ')[0] for tag in tags(page)].count('p') == 3 and '<script' not in page
    assert 'None<form></form>' in b''.join(pages.filled(template, plants=[])).decode()


def test_a_template_that_does_not_end_its_tags_is_an_error_and_no_endless_page():
    for template in (b'X\n<p>{oops</p>', b'X\n{', b'X\n{title}{#a'):
        assert 'without' in str(raises(ValueError, pages.filled, template))


# --- what a browser makes of them -------------------------------------------------------------------

def test_no_page_is_above_12_kb():
    client = '"' * 48  # what a stranger chooses, as long as the account page shows it: each of these takes six
    for name in NAMES:
        given = context(name, 'x' * 43)
        given['user'] = given['problem'] = '"' * 64
        row = {'id': 'x' * 22, 'client': client, 'source': '2001:db8:1234:5678', 'began': '100 minutes ago',
               'used': '100 minutes ago'}
        given['sessions'], given['devices'] = [row] * MAX_SESSIONS, []
        given['codes'] = ['7QX0-M2ZT-91VB-K4HE'] * 20
        given['uri'] = 'otpauth://totp/' + '%22' * 256
        given['qr'] = 'data:image/svg+xml,' + 'x' * 6000
        assert len(shown(name, **given).encode()) <= MAX_PAGE, name


def test_the_login_fits_into_what_a_board_sends_at_once():
    for name in ('login', 'confirm', 'refused', 'code'):
        assert len(shown(name, **context(name, 'x' * 40)).encode()) < 2048, name


def test_pieces_are_the_page():
    for name in NAMES:
        given = context(name, 'x')
        pieces = list(pages.pieces(name, **given))
        assert b''.join(pieces).decode() == pages.render(name, **given)
        assert max([len(piece) for piece in pieces]) < 1200, name


def test_nothing_comes_from_elsewhere_and_nothing_needs_a_script():
    for name in NAMES:
        page = shown(name, **context(name, 'x')).lower()
        for wrong in ('http:', 'https:', 'src="/', '"//', '<script', 'javascript', ' style=', '<style', 'onclick'):
            assert wrong not in page, (name, wrong)
    for wrong in (b'url(', b'@import', b'http'):
        assert wrong not in html_style.STYLE


def test_every_field_has_a_label_and_every_page_a_heading_a_title_and_a_language():
    for name in NAMES:
        page = shown(name, **context(name, 'x'))
        assert page.count('<h1>') == 1 and '<html lang="en">' in page and '<title>' in page and '<main>' in page, name
        assert shown(name, title='Greenhouse').count('Greenhouse</title>') == 1
        for part in page.split('<input ')[1:]:
            field = part.split('>')[0]
            before = page[:page.index('<input ' + part)]
            labelled = before.rfind('<label') > before.rfind('</label>')
            assert labelled or 'hidden' in field, (name, field)


def test_problems_are_announced():
    for name in NAMES:
        assert '<p class="problem" role="alert">No</p>' in shown(name, problem='No'), name
        assert 'role="alert"' in shown(name, lost=True) and 'was not carried out' in shown(name, lost=True), name
        page = shown(name, messages=[{'category': 'info', 'text': 'Done'}, {'category': 'info', 'text': 'And'}])
        assert page.count('role="status"') == 2 and '>Done</p>' in page and '>And</p>' in page, name
        assert 'role="alert"' not in shown(name) and 'role="status"' not in shown(name), name


def test_password_managers_know_what_to_fill_in():
    login = shown('login')
    assert 'name="username" autocomplete="username"' in login
    assert 'name="password" type="password" autocomplete="current-password"' in login
    assert 'autocomplete="one-time-code"' in shown('code') and 'autocomplete="one-time-code"' in shown('second')
    assert 'value="anna" autocomplete="username"' in shown('confirm', user='anna')
    assert shown('password').count('autocomplete="new-password"') == 2


def test_a_form_offers_what_the_app_allows():
    assert 'name="remember"' not in shown('login', remember=0)
    assert 'Stay logged in here for 30 days' in shown('login', remember=30)
    assert 'name="trust"' not in shown('code', trust=0)
    assert 'no code here for 7 days' in shown('code', trust=7)


def test_every_form_carries_the_token_when_there_is_one():
    for name in NAMES:
        given = context(name, 'x')
        page = shown(name, **given)
        assert page.count('<form ') == page.count('name="csrf_token" type="hidden" value="x"'), name
        del given['csrf_token']
        assert 'csrf' not in shown(name, **given), name


def test_the_account_shows_each_session_and_which_one_is_here():
    rows = [{'id': 'A', 'client': 'Firefox, Linux', 'source': '10.0.0.1', 'began': '2 days ago', 'used': 'just now',
             'here': True},
            {'id': 'B', 'client': 'Safari, iPhone', 'source': '10.0.0.2', 'began': '3 days ago', 'used': '2 hours ago',
             'here': False}]
    page = shown('account', user='anna', sessions=rows, devices=[], listed=True, end_url='/account/end')
    assert page.count('This browser') == 1 and page.index('This browser') < page.index('Safari, iPhone')
    assert 'value="A"' not in page and page.count('value="B"') == 1
    assert page.count('From 10.0.0.') == 2


def test_light_and_dark_are_both_there():
    style = html_style.STYLE
    assert b'color-scheme:light dark' in style and b'prefers-color-scheme:dark' in style
    assert len(style) < 3072 and style.count(b'{') == style.count(b'}')
