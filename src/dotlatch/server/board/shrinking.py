"""Makes a module of dotlatch smaller before it is compiled for a board, where every name takes memory for good.

::

    shrunk('session', text)     # the same program, to be given to mpy-cross

What only a computer or a type checker reads goes, constants stand where they are used, and private names become names
that every firmware has in its flash anyway. What a programmer is told of a mistake goes into a file beside the modules,
:func:`messages`, and is read when somebody makes one. The same module gets the same text whichever others are installed
with it: both tables are made from the whole library.
"""
import ast
import builtins
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from .needs import FOLDER, all_modules, on_a_board

# Names of MicroPython's uctypes, errno, socket and framebuf, which no program gives to anything of ours.
FIRMWARE = tuple('''
    UINT8 INT8 UINT16 INT16 UINT32 INT32 UINT64 INT64 FLOAT32 FLOAT64 ARRAY PTR VOID SHORT USHORT UINT LONG ULONG
    LONGLONG ULONGLONG NATIVE BFUINT8 BFINT8 BFUINT16 BFINT16 BFUINT32 BFINT32 BF_POS BF_LEN LITTLE_ENDIAN BIG_ENDIAN
    EPERM ENOENT EIO EBADF EAGAIN ENOMEM EACCES EEXIST ENODEV EISDIR EINVAL EOPNOTSUPP EADDRINUSE ECONNABORTED
    ECONNRESET ENOBUFS ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTUNREACH EALREADY EINPROGRESS
    AF_INET AF_INET6 SOCK_STREAM SOCK_DGRAM SOCK_RAW SOL_SOCKET SO_REUSEADDR SO_BROADCAST IPPROTO_IP IPPROTO_TCP
    POLLIN POLLOUT POLLERR POLLHUP MVLSB MONO_VLSB MONO_HLSB MONO_HMSB RGB565 GS2_HMSB GS4_HMSB GS8
    CERT_NONE CERT_OPTIONAL CERT_REQUIRED PROTOCOL_TLS_CLIENT PROTOCOL_TLS_SERVER MBEDTLS_VERSION RAW ZLIB GZIP AUTO
    OPEN_DRAIN PULL_UP PULL_DOWN IRQ_RISING IRQ_FALLING PERIODIC ONE_SHOT PWRON_RESET WDT_RESET STA_IF AP_IF LSB MSB
    kbd_intr heap_lock heap_unlock qstr_info opt_level stack_use alloc_emergency_exception_buf ilistdir readblocks
    writeblocks umount mkfs statvfs dupterm addressof bytearray_at bytes_at calcsize pack_into unpack_from heapify
    heappush heappop unhexlify getrandbits ticks_cpu sleep_us sleep_ms localtime gmtime mktime disable_irq enable_irq
    time_pulse_us bitstream lightsleep deepsleep unique_id reset_cause soft_reset bootloader mem8 mem16 mem32
    fill_rect ellipse hline vline framebuf blit fromkeys symmetric_difference_update difference_update issubset
    issuperset isdisjoint intersection_update rpartition isupper islower copysign frexp ldexp radians degrees
    readfrom_mem writeto_mem readfrom_into readfrom_mem_into write_readinto sck mosi miso baudrate firstbit polarity
    setblocking settimeout setsockopt getaddrinfo recvfrom sendto wrap_socket do_handshake_on_connect load_cert_chain
    load_verify_locations verify_mode get_ciphers set_ciphers server_side server_hostname getpeercert cur_task
    _task_queue pend_throw ph_key decompress gamma lgamma erfc expm1 asinh acosh atanh sinh cosh tanh isfinite
'''.split())
# And of methods, for parameters.
PARAMETERS = tuple('''
    append clear count extend insert popitem readinto readline remove reverse rsplit setdefault rstrip lstrip endswith
    startswith isspace isalpha isdigit to_bytes from_bytes appendleft popleft
'''.split())
# Names that Microdot gives to what is of its own, on objects that ours stands on too.
MICRODOT = frozenset(('_close', '_form', '_next', '_read', '_session'))
# Modules that say what is wrong with what a stranger sends, or are loaded before a file can be read.
_AT_ONCE = frozenset('portable on_micropython on_micropython_files viper noviper strictjson jsongrammar tokens '
                     'jwtheader digestheader http links fleet jwtauth'.split())
_MISTAKES = ('ValueError', 'TypeError', 'RuntimeError')
_LONG = 16   # bytes: a shorter message costs no more than the way to it
_SHORT = 10  # characters: up to so many, MicroPython keeps a text as a name
_ASK = ('getattr', 'hasattr', 'setattr', 'delattr')
_Function = ast.FunctionDef | ast.AsyncFunctionDef  # py310: both in isinstance() and as a type


def shrunk(module: str, text: str) -> str:
    """Return the source of a module of dotlatch, made smaller; any other text as it is."""
    if module not in _library():
        return text
    tree = on_a_board_alone(text)
    _put_constants(module, tree)
    _name_parameters(tree)
    _put_messages_away(module, tree)
    _Renamer({**shared_names(), **own_names(module)}).visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree)) + '\n'


# --- what a board does not need ---------------------------------------------------------------------

class _Stripper(ast.NodeTransformer):
    """Takes annotations, docstrings and branches for a computer away."""

    def visit_Module(self, node: ast.Module) -> ast.Module:
        self._visit_body(node)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self._visit_body(node)
        node.body = node.body or [ast.Pass()]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        return self._visit_function(node)

    def _visit_function(self, node: _Function) -> Any:
        if not _is_machine_code(node):  # there they are part of the program
            node.returns = None
            for argument in _arguments(node.args):
                argument.annotation = None
        self._visit_body(node)
        node.body = node.body or [ast.Pass()]
        return node

    def _visit_body(self, node: Any) -> None:
        if node.body and isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant):
            del node.body[0]
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> 'ast.AST | None':
        if node.value is None:
            return None
        self.generic_visit(node)
        return ast.Assign([node.target], node.value)

    def visit_If(self, node: ast.If) -> Any:
        answer = on_a_board(node.test)
        self.generic_visit(node)
        if answer is None:
            node.body = node.body or [ast.Pass()]
            return node
        return (node.body if answer else node.orelse) or None

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        answer = on_a_board(node.test)
        self.generic_visit(node)
        return node if answer is None else node.body if answer else node.orelse


def on_a_board_alone(text: str) -> ast.Module:
    """Return a module's source without what only a computer or a type checker reads."""
    tree = ast.parse(text)
    ast.fix_missing_locations(_Stripper().visit(tree))
    names = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    if names['TYPE_CHECKING'] == 1:  # where it was set
        tree.body = [node for node in tree.body if ast.unparse(node) != 'TYPE_CHECKING = False']
    return ast.fix_missing_locations(tree)


def _is_machine_code(node: _Function) -> bool:
    return any('micropython.' in ast.unparse(decorator) for decorator in node.decorator_list)


def _arguments(arguments: ast.arguments) -> 'list[ast.arg]':
    given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return given + [one for one in (arguments.vararg, arguments.kwarg) if one is not None]


# --- the whole library, read once -------------------------------------------------------------------

@cache
def _library() -> 'dict[str, ast.Module]':
    return {name: on_a_board_alone((FOLDER / f'{name}.py').read_text(encoding='utf-8')) for name in all_modules()}


def _is_private(name: str) -> bool:
    return name.startswith('_') and not name.startswith('__') and len(name) > 1


@cache
def _all_words() -> 'frozenset[str]':
    """Return every name and every text of the library: what a new name must not be."""
    words: 'set[str]' = set()
    for tree in _library().values():
        for node in ast.walk(tree):
            words.update(_names_in(node))
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
    return frozenset(words)


def _names_in(node: ast.AST) -> 'Iterator[str]':
    """Yield the names that a node itself holds."""
    for name in ('id', 'attr', 'name', 'asname', 'arg'):
        value = getattr(node, name, None)
        if isinstance(value, str):
            yield value
    if isinstance(node, (ast.Global, ast.Nonlocal)):
        yield from node.names


@cache
def _fixed() -> 'frozenset[str]':
    """Return private names that have to stay: they are texts somewhere, keywords, Microdot's, or made by others."""
    fixed = set(MICRODOT)
    made: 'set[str]' = set()
    for tree in _library().values():
        asked = {id(text) for text in _asked_texts(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in asked:
                fixed.add(node.value)
            elif isinstance(node, ast.keyword) and node.arg:
                fixed.add(node.arg)
            elif isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, 'level', 0):
                fixed.update(alias.name for alias in node.names)
            elif not isinstance(node, (ast.Attribute, ast.Name)) or not isinstance(node.ctx, ast.Load):
                made.update(_names_in(node))
    return frozenset(fixed | {name for name in _all_words() if name not in made})


def _asked_texts(tree: ast.Module) -> Iterator[Any]:
    """Yield the texts that name an attribute: the second argument of getattr() and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _ASK:
            if len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                yield node.args[1]


# --- names ------------------------------------------------------------------------------------------

@cache
def _globals(module: str) -> 'frozenset[str]':
    """Return the private names of a module that no other one sees and that are no attributes: its very own."""
    tree = _library()[module]
    bound = {name for node in tree.body for name in _bound(node) if _is_private(name)}
    return frozenset(bound - _seen() - _fixed())


@cache
def _seen() -> 'frozenset[str]':
    """Return the names of all attributes, and those that modules import from each other."""
    seen: 'set[str]' = set()
    for tree in _library().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                seen.add(node.attr)
            elif isinstance(node, ast.ClassDef):
                seen.update(name for part in node.body for name in _bound(part))
            elif isinstance(node, ast.ImportFrom) and node.level:
                seen.update(alias.name for alias in node.names)
        seen.update(text.value for text in _asked_texts(tree))
    return frozenset(seen)


def _bound(node: ast.AST) -> 'Iterator[str]':
    """Yield the names that a statement binds where it stands."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
        return
    if isinstance(node, ast.alias):
        yield node.asname or node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.Lambda, ast.comprehension)):
            yield from _bound(child)


def own_names(module: str) -> 'dict[str, str]':
    """Return new names for what only this module sees: every module uses the same ones."""
    free = iter(_free_names())
    return {name: next(free) for name in sorted(_globals(module))}


@cache
def shared_names() -> 'dict[str, str]':
    """Return new names for private attributes, and for private names that modules take from each other."""
    count: 'Counter[str]' = Counter()
    for module, tree in _library().items():
        names = {name for node in ast.walk(tree) for name in _names_in(node)} - _globals(module)
        count.update(names | {text.value for text in _asked_texts(tree)})
    wanted = [name for name in count if _is_private(name) and name not in _fixed()]
    wanted.sort(key=lambda name: (-count[name], name))
    most = max(len(_globals(module)) for module in _library())
    return dict(zip(wanted, _free_names()[most:]))


@cache
def _free_names() -> 'tuple[str, ...]':
    """Return names to give: of the firmware, and short ones when there are no more of those."""
    more = (f'_{a}{b}' for b in ('', *'abcdefghijklmnopqrstuvwxyz0123456789') for a in '0123456789')
    return tuple(name for name in (*FIRMWARE, *more) if name not in _all_words() and not hasattr(builtins, name))


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: 'dict[str, str]') -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field in ('id', 'attr', 'name', 'asname', 'arg'):
            value = getattr(node, field, None)
            if isinstance(value, str) and value in self.names:
                setattr(node, field, self.names[value])
        if isinstance(node, (ast.Global, ast.Nonlocal)):
            node.names = [self.names.get(name, name) for name in node.names]
        return super().generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in _ASK and len(node.args) > 1:
            text = node.args[1]
            if isinstance(text, ast.Constant) and text.value in self.names:
                node.args[1] = ast.Constant(self.names[text.value])
        return self.generic_visit(node)


# --- constants --------------------------------------------------------------------------------------

def _put_constants(module: str, tree: ast.Module) -> None:
    """Put constants where their names stand: a module's own, which lose their names, and other modules'."""
    values = {name: value for name, value in _constants(tree).items() if name in _globals(module)}
    uses = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    values = {name: value for name, value in values.items() if uses[name] == 2 or _is_short(value)}
    tree.body = [node for node in tree.body if not (isinstance(node, ast.Assign) and _target(node) in values)]
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.level and node.module in _library():
            theirs = _constants(_library()[node.module])
            for alias in list(node.names):
                if alias.name in theirs and _is_short(theirs[alias.name]) and not _is_bound(tree, alias.name):
                    values[alias.name] = theirs[alias.name]
                    if alias.asname is None:
                        node.names.remove(alias)
    tree.body = [node for node in tree.body if not isinstance(node, ast.ImportFrom) or node.names]
    _Putter(values).visit(tree)


def _constants(tree: ast.Module) -> 'dict[str, ast.expr]':
    """Return the constants of a module: what is bound once, at its top, to what cannot change."""
    bound = Counter(name for node in ast.walk(tree) for name in _stored(node))
    return {_target(node): node.value for node in tree.body if isinstance(node, ast.Assign)
            and bound[_target(node)] == 1 and _is_constant(node.value)}


def _stored(node: ast.AST) -> 'Iterator[str]':
    is_load = isinstance(getattr(node, 'ctx', None), ast.Load)
    if not is_load and not isinstance(node, (ast.Attribute, ast.keyword)):
        yield from _names_in(node)


def _is_bound(tree: ast.Module, name: str) -> bool:
    """Tell whether a module binds a name that it imports anywhere else too."""
    return sum(name in _stored(node) for node in ast.walk(tree)) > 1


def _target(node: ast.Assign) -> str:
    target = node.targets[0]
    return target.id if len(node.targets) == 1 and isinstance(target, ast.Name) else ''


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return all(map(_is_constant, node.elts))
    return isinstance(node, ast.Constant) or _is_number(node)


def _is_number(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_number(node.left) and _is_number(node.right)
    if isinstance(node, ast.UnaryOp):
        return _is_number(node.operand)
    return isinstance(node, ast.Constant) and type(node.value) is int


def _is_short(node: ast.expr) -> bool:
    """Tell whether a constant costs no more in many places than in one."""
    return _is_number(node) or (isinstance(node, ast.Constant) and isinstance(node.value, str)
                                and len(node.value) <= _SHORT)


class _Putter(ast.NodeTransformer):
    def __init__(self, values: 'dict[str, ast.expr]') -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return self.values.get(node.id, node) if isinstance(node.ctx, ast.Load) else node


# --- messages ---------------------------------------------------------------------------------------

def messages() -> bytes:
    """Return the file of messages, ``dotlatch/messages``: a line for each, known by where it begins."""
    return ''.join(text + '\n' for text in _messages()).encode()


@cache
def _messages() -> 'dict[str, int]':
    """Return the messages and where in the file they begin."""
    found: 'dict[str, int]' = {}
    at = 0
    for module, tree in sorted(_library().items()):
        for text in _said(module, tree):
            if text.value not in found:
                found[text.value] = at
                at += len(text.value.encode()) + 1
    return found


def _said(module: str, tree: ast.Module) -> Iterator[Any]:
    """Yield the texts of errors that tell a programmer of a mistake."""
    if module in _AT_ONCE:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            if isinstance(node.exc.func, ast.Name) and node.exc.func.id in _MISTAKES:
                yield from (text for text in ast.walk(node.exc) if isinstance(text, ast.Constant)
                            and isinstance(text.value, str) and len(text.value) > _LONG and '\n' not in text.value)


def _put_messages_away(module: str, tree: ast.Module) -> None:
    """Have a module read its messages from the file."""
    said = {id(text) for text in _said(module, tree) if text.value in _messages()}
    if said:
        _Reader(said).visit(tree)
        tree.body.insert(0, ast.ImportFrom(None, [ast.alias('portable')], 1))


class _Reader(ast.NodeTransformer):
    def __init__(self, said: 'set[int]') -> None:
        self.said = said

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if id(node) not in self.said:
            return node
        return _reading(node, [])

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        node.right = self.visit(node.right)
        if id(node.left) in self.said and isinstance(node.left, ast.Constant) and isinstance(node.op, ast.Mod):
            return _reading(node.left, [node.right])  # which does without the file, where that is missing
        node.left = self.visit(node.left)
        return node


def _reading(text: ast.Constant, values: 'list[ast.expr]') -> ast.Call:
    read = ast.Attribute(ast.Name('portable', ast.Load()), 'message', ast.Load())
    return ast.Call(read, [ast.Constant(_messages()[str(text.value)]), *values], [])


# --- parameters -------------------------------------------------------------------------------------

def _name_parameters(tree: ast.Module) -> None:
    """Give the parameters of private functions names that cost nothing, where nobody calls them by name."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in _plainly_called():
            inner = Counter(name for part in ast.walk(node) for name in _names_in(part) if isinstance(
                part, (ast.Name, ast.arg, ast.Nonlocal, ast.Global)))
            free = iter(name for name in PARAMETERS if name not in inner)
            others = {argument.arg for part in ast.walk(node) if isinstance(part, ast.Lambda | _Function)
                      and part is not node for argument in _arguments(part.args)}
            names = {argument.arg: next(free) for argument in node.args.args
                     if argument.arg not in ('self', 'cls', *others, *_keywords())}
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and part.id in names:
                    part.id = names[part.id]
                elif isinstance(part, ast.arg) and part.arg in names:
                    part.arg = names[part.arg]
                elif isinstance(part, ast.Nonlocal):
                    part.names = [names.get(name, name) for name in part.names]


@cache
def _keywords() -> 'frozenset[str]':
    return frozenset(node.arg for tree in _library().values() for node in ast.walk(tree)
                     if isinstance(node, ast.keyword) and node.arg)


@cache
def _plainly_called() -> 'frozenset[str]':
    """Return the private functions that are called and never passed on, nor with a dictionary of arguments."""
    made: 'set[str]' = set()
    passed: 'set[str]' = set()
    for tree in _library().values():
        called = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and all(keyword.arg for keyword in node.keywords):
                called.add(id(node.func))
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                (passed if node.decorator_list else made).add(node.name)
            elif isinstance(node, (ast.Name, ast.Attribute)) and id(node) not in called:
                passed.update(_names_in(node))
        passed.update(text.value for text in _asked_texts(tree))
    return frozenset(name for name in made - passed if _is_private(name) and name not in _fixed())
