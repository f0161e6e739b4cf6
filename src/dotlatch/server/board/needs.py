"""Which files of dotlatch a board needs: those that the wanted ones import there, at once or when they have to.

::

    modules_of(('login', 'users'))     # ['__init__', 'copies', 'files', 'formlogin', ...]
    app = needs_of('greenhouse/main.py')
    app.modules, app.microdot, app.files

Imports are read, and nothing is run. What only a computer imports is left out: ``if MICROPYTHON`` and ``TYPE_CHECKING``
are answered as they are on a board.
"""
import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2]
MICRODOT_CORE = ('__init__', 'helpers', 'microdot')

# What is for people to choose: what it is called, and the modules that a program imports for it.
FEATURES: 'dict[str, tuple[str, tuple[str, ...]]]' = {
    'session': ('sessions in a signed cookie', ('session',)),
    'login': ('a login form, with "remember me"', ('login', 'formlogin', 'remember')),
    'pages': ('ready-made pages for it', ('loginpages', 'login', 'formlogin')),
    'account': ('pages where users look after their account', ('accountpages', 'loginpages', 'login', 'html_account',
                                                              'strength')),
    'claim': ('an owner for a new board, by a code that it prints', (
        'claim', 'claimreset', 'html_claim', 'loginpages', 'login', 'formlogin', 'users', 'strength', 'throttle')),
    'second-factor': ('codes from a phone after the password', (
        'second', 'login', 'totp', 'halflogin', 'html_code', 'recovery', 'trusted', 'usedsteps', 'userfactor')),
    'auth': ('Basic and Bearer', ('auth',)),
    'digest': ('Digest, where no password travels', ('digest',)),
    'keys': ('API keys for programs', ('apikeys', 'keyauth')),
    'jwt': ('signed tokens as logins', ('jwtauth',)),
    'users': ('accounts in a file', ('users', 'strength')),
    'passwords': ('hashes of passwords', ('passwords',)),
    'other-hashes': ('hashes that other programs have made', ('hashers',)),
    'throttle': ('delays for who guesses', ('throttle', 'throttlefile')),
    'csrf': ('forms of other sites refused', ('csrf', 'formtoken')),
    'guard': ('everything locked that is not opened', ('guard',)),
    'websocket': ('logins on WebSockets and event streams', ('handshake', 'tickets', 'live')),
    'store': ('sessions in files, which can be listed', ('stores', 'stored', 'series', 'session')),
    'impersonation': ('acting for another user', ('impersonation', 'login')),
    'events': ('what happened, in a list', ('events',)),
    'tokens': ('signed tokens', ('tokens',)),
    'links': ('signed links', ('links',)),
    'fleet': ('one login for many boards', ('fleetlogin',)),
    'headers': ('sessions in a header, where there are no cookies', ('headers',)),
    'patience': ('an end to requests that never come', ('patience',)),
    'proxies': ('behind a proxy', ('proxies',)),
    'calibrate': ('the cost of hashes that suits the board', ('calibrate',)),
}
# Other modules can load these too, when they have to: they come with the feature that names them, and no other. But a
# form cannot do without the hashes, and what a request can ask for has to be there: a cookie is sent by anybody.
CHOSEN = (frozenset(module for _, modules in FEATURES.values() for module in modules)
          - {'passwords', 'remember', 'handshake'})

_KNOWN = {'TYPE_CHECKING': False, 'MICROPYTHON': True}  # on a board
_HARD, _SOFT = True, False


class UnknownModule(ValueError):
    """Something imports what there is not, or what no board can run; the text says who and what."""


@dataclass
class Needs:
    """What a program needs on a board.

    :param modules: of dotlatch, without ``.py``.
    :param microdot: of Microdot.
    :param starts: those of both that the program names itself, as they are imported.
    :param files: the program's own, and their names on the board.
    """
    modules: 'list[str]'
    microdot: 'list[str]'
    starts: 'list[str]'
    files: 'dict[Path, str]' = field(default_factory=dict)


# --- what to ask ------------------------------------------------------------------------------------

def modules_of(features: 'Iterable[str]') -> 'list[str]':
    """Return the modules for these features, and none of a feature that is not among them.

    :raises UnknownModule: when there is no such feature.
    """
    starts: 'list[str]' = []
    for name in features:
        if name not in FEATURES:
            raise UnknownModule(f'there is no feature {name}: there are {", ".join(FEATURES)}')
        starts.extend(FEATURES[name][1])
    return closure(starts, CHOSEN)


def needs_of_features(features: 'Iterable[str]') -> Needs:
    """Return what a board needs that shall have these features, see :func:`modules_of`."""
    features = list(features)
    modules = modules_of(features)
    starts = dict.fromkeys([FEATURES[name][1][0] for name in features])
    microdot = sorted({*MICRODOT_CORE, *microdot_of(modules)})
    return Needs(modules, microdot, [f'dotlatch.{name}' for name in starts])


def needs_of(*programs: 'str | Path', without: 'Collection[str]' = ()) -> Needs:
    """Return what these files of an app need, with the files beside them that they import.

    :param without: names of files that do not come along: the app can do without them.
    :raises UnknownModule: when one imports what is not there, or cannot be read.
    """
    files: 'dict[Path, str]' = {}
    wanted: 'set[tuple[str, str]]' = set()
    extensions: 'set[str]' = set()
    left = [(Path(program), Path(program).parent) for program in programs]
    left_out: 'set[str]' = set()
    while left:
        path, folder = left.pop()
        if path in files:
            continue
        if path.name in without:
            left_out.add(path.name)
            continue
        name = path.relative_to(folder).as_posix()
        if name in files.values():
            raise UnknownModule(f'there are two files {name}: on the board there can be one')
        files[path] = name
        for module, name, is_hard in _app_imports(path):
            package, _, rest = module.partition('.')
            if package == 'dotlatch':
                wanted.update(_in_dotlatch(path, rest, name, is_hard))
            elif package == 'microdot':
                extensions.update(part for part in (rest, name) if _is_in_microdot(part))
            else:
                left.extend((file, folder) for file in _beside(folder, path, module, name, is_hard))
    if not left_out.issuperset(without):
        raise UnknownModule(f'the app has no file {", ".join(sorted({*without} - left_out))} that could be left out')
    if not files:
        raise UnknownModule('there is nothing left to copy')
    starts = sorted({module for module, _ in wanted})
    modules = closure([*starts, *_aliases(wanted)])
    microdot = sorted({*MICRODOT_CORE, *extensions, *microdot_of(modules)})
    return Needs(modules, microdot, [f'dotlatch.{name}' for name in starts], dict(sorted(files.items())))


def all_modules() -> 'list[str]':
    """Return every module that some board can load."""
    return closure(path.stem for path in FOLDER.glob('*.py') if path.stem not in ('__main__', 'on_cpython'))


def closure(starts: 'Iterable[str]', left_out: 'Collection[str]' = ()) -> 'list[str]':
    """Return these modules with all that they may load, sorted.

    :param left_out: what does not come along for a module that could load it when it has to.
    """
    found: 'set[str]' = set()
    left = ['__init__', *starts]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        module = read(name)
        left.extend(module.now)
        left.extend(later for later in module.later if later not in left_out)
    return sorted(found)


def loaded_with(starts: 'Iterable[str]') -> 'list[str]':
    """Return the modules that an import of these loads at once."""
    found: 'set[str]' = set()
    left = list(starts)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left.extend(read(name).now)
    return sorted(found)


def microdot_of(modules: 'Iterable[str]') -> 'set[str]':
    """Return the modules of Microdot that these import at once or later."""
    return {name for module in modules for name in read(module).microdot}


# --- a module of dotlatch ---------------------------------------------------------------------------

@dataclass
class Module:
    """What a module of dotlatch loads: ``now``, with itself, or ``later``, from within a function."""
    now: 'set[str]'
    later: 'set[str]'
    microdot: 'set[str]'


@cache
def read(name: str) -> Module:
    """Return what a module loads on a board."""
    module = Module(set(), set(), set())
    for node, is_hard in _imports(_tree(name)):
        if not isinstance(node, ast.ImportFrom):
            continue
        if node.level == 0:
            package, _, rest = (node.module or '').partition('.')
            if package == 'microdot':
                module.microdot.update(part for part in (rest, *_names(node)) if _is_in_microdot(part))
            continue
        kind = module.now if is_hard else module.later
        kind.update([node.module] if node.module else _names(node))
    # Names that a module passes on from another, which is loaded when somebody asks for one.
    for other, word, is_hard in _asked(_tree(name)):
        (module.now if is_hard else module.later).update(_aliases([(other, word)]))
    module.later -= module.now
    return module


def _asked(tree: ast.AST) -> 'Iterator[tuple[str, str, bool]]':
    """Yield (module, name, whether at once) of what is taken from other modules of dotlatch."""
    whole: 'dict[str, str]' = {}
    for node, is_hard in _imports(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            for alias in node.names:
                if node.module:
                    yield node.module, alias.name, is_hard
                else:
                    whole[alias.asname or alias.name] = alias.name
    for part, is_hard in _parts(tree):
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in whole:
            yield whole[part.value.id], part.attr, is_hard


def _aliases(asked: 'Iterable[tuple[str, str]]') -> 'set[str]':
    """Return where the names come from that a module's ``__getattr__`` finds elsewhere."""
    return {other for module, name in asked for other in _passed_on(module) if name in _defined(other)
            and name not in _defined(module)}


@cache
def _passed_on(name: str) -> 'frozenset[str]':
    for node in _live(_tree(name)):
        if isinstance(node, ast.FunctionDef) and node.name == '__getattr__':
            found = [part for part in ast.walk(node) if isinstance(part, ast.ImportFrom)]
            return frozenset(word for part in found for word in ([part.module] if part.module else _names(part)))
    return frozenset()


@cache
def _defined(name: str) -> 'frozenset[str]':
    """Return the names at the top of a module."""
    found: 'set[str]' = set()
    for node in _live(_tree(name)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found.update(alias.asname or alias.name for alias in node.names)
        else:
            found.update(part.id for part in ast.walk(node) if isinstance(part, ast.Name)
                         and isinstance(part.ctx, ast.Store))
    return frozenset(found)


@cache
def _tree(name: str) -> ast.Module:
    path = FOLDER / f'{name}.py'
    if not path.is_file():
        raise UnknownModule(f'there is no dotlatch.{name}')
    return ast.parse(path.read_text(encoding='utf-8'))


# --- a program --------------------------------------------------------------------------------------

def _app_imports(path: Path) -> 'Iterator[tuple[str, str, bool]]':
    """Yield (module, name or '', whether it is needed at once) of all that a file of an app imports."""
    try:
        tree = ast.parse(path.read_text(encoding='utf-8'), path.name)
    except (SyntaxError, ValueError) as error:
        raise UnknownModule(f'{path} cannot be read: {error}') from None
    whole: 'dict[str, str]' = {}
    for node, is_hard in _imports(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, '', is_hard
        else:
            module = '.' * node.level + (node.module or '')
            for alias in node.names:
                yield module, alias.name, is_hard
                whole[alias.asname or alias.name] = f'{module}.{alias.name}'
    for part in ast.walk(tree):  # passwords.check_strength, say
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id in whole:
            if whole[part.value.id].startswith('dotlatch.'):
                yield whole[part.value.id], part.attr, _SOFT


def _in_dotlatch(path: Path, rest: str, name: str, is_hard: bool) -> 'Iterator[tuple[str, str]]':
    """Yield (module, name) for an import of dotlatch in an app."""
    if not rest and not name:  # import dotlatch
        return
    if not rest:               # from dotlatch import passwords
        rest, name = name, ''
    if rest.partition('.')[0] in ('server', '__main__'):
        if is_hard:
            raise UnknownModule(f'{path} imports dotlatch.{rest}, which no board can run: import it inside '
                                '`if not MICROPYTHON:` or a try')
        return
    if not (FOLDER / f'{rest}.py').is_file():
        if '.' in rest or not is_hard:
            return
        raise UnknownModule(f'{path} imports dotlatch.{rest}, and there is no such module')
    if is_hard and name not in ('', '*', *_defined(rest)) and not _aliases([(rest, name)]):
        raise UnknownModule(f'{path} imports {name} from dotlatch.{rest}, which has nothing of that name')
    yield rest, name


def _beside(folder: Path, path: Path, module: str, name: str, is_hard: bool) -> 'Iterator[Path]':
    """Yield the files of the app that an import loads: none for a module of MicroPython."""
    base = folder
    if module.startswith('.'):
        inside = path.relative_to(folder).parts[:-1]
        up = len(module) - len(module.lstrip('.')) - 1
        if up >= len(inside):
            if is_hard:
                raise UnknownModule(f'{path} imports from {module}, outside of its package, which no board can')
            return
        base = folder.joinpath(*inside[:len(inside) - up])
    words = [word for word in module.split('.') if word]
    for count in range(len(words) + 1):
        found = base.joinpath(*words[:count])
        if count and found.with_suffix('.py').is_file():
            yield found.with_suffix('.py')
            return
        if count and (found / '__init__.py').is_file():
            yield found / '__init__.py'
    if name and (words or module):
        inner = base.joinpath(*words, name)
        if inner.with_suffix('.py').is_file():
            yield inner.with_suffix('.py')
        elif (inner / '__init__.py').is_file():
            yield inner / '__init__.py'


@cache
def microdot_folder() -> 'Path | None':
    """Return where Microdot is on this computer."""
    import importlib.util
    spec = importlib.util.find_spec('microdot')
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _is_in_microdot(name: str) -> bool:
    folder = microdot_folder()
    return bool(name) and folder is not None and (folder / f'{name}.py').is_file()


# --- imports that are live on a board ---------------------------------------------------------------

def _imports(node: ast.AST) -> 'Iterator[tuple[ast.Import | ast.ImportFrom, bool]]':
    """Yield the imports, and whether each runs with the file itself and has to succeed."""
    for part, is_hard in _parts(node):
        if isinstance(part, (ast.Import, ast.ImportFrom)):
            yield part, is_hard


def _parts(node: ast.AST, is_hard: bool = _HARD) -> 'Iterator[tuple[ast.AST, bool]]':
    """Yield all that is in a node, and whether each runs with the file itself and has to succeed."""
    for child in _live(node):
        if isinstance(node, ast.Module) and getattr(child, 'name', '') == '__getattr__':
            continue  # see _aliases
        yield child, is_hard
        inner = is_hard and not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.Try))
        yield from _parts(child, inner)


def _live(node: ast.AST) -> 'Iterator[ast.AST]':
    """Yield what is in a node, with an ``if`` that a board has its answer to replaced by the branch it takes."""
    for child in ast.iter_child_nodes(node):
        answer = on_a_board(child.test) if isinstance(child, ast.If) else None
        if not isinstance(child, ast.If) or answer is None:
            yield child
        else:
            yield from _live(ast.Module(child.body if answer else child.orelse, []))


def on_a_board(test: ast.expr) -> 'bool | None':
    """Return what a condition is on a board; None when that is not known."""
    if isinstance(test, ast.Name):
        return _KNOWN.get(test.id)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        answer = on_a_board(test.operand)
        return None if answer is None else not answer
    if isinstance(test, ast.BoolOp):
        answers = [on_a_board(part) for part in test.values]
        decisive = isinstance(test.op, ast.Or)
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    return None


def _names(node: ast.ImportFrom) -> 'list[str]':
    return [alias.name for alias in node.names]
