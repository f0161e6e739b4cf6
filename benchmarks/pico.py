"""What dotlatch costs on a Raspberry Pi Pico, beside Microdot's own session, auth and login.

    python -m benchmarks.pico            a table
    python -m benchmarks.pico --json     the same figures for a program
    python -m benchmarks.pico --microdot-libs FOLDER

The Pico is emulated: its processor's cycles are counted, at 125 MHz, so that figures are the same
on every machine, but what a real one waits for its flash memory is not in them. Microdot's figures
are quoted, unless FOLDER has the two files of micropython-lib that it needs, jwt.py and hmac.py:
then they are measured in the same run. All modules are loaded from .mpy files.
"""
import argparse
import ast
import json
import sys
from pathlib import Path

from tests.board import library
from tests.board.machine import SetupError
from tests.board.pico import BoardError, Pico
from tests.board.setup import set_up

MEASURES = Path(__file__).with_name('pico_measures.py')
MICRODOT_MODULES = ('session', 'auth', 'login')
CORE = ('portable', 'tokens', 'session', 'auth', 'login')
PBKDF2_ITERATIONS = (100, 500)
AT_ONCE = 24  # modules: all of them are more than a Pico has memory for

# Microdot 2.7.0 with micropython-lib's jwt and hmac, by this script; and one iteration of the
# PBKDF2 in its login example.
QUOTED = {
    'heap': {'session': 7440, 'auth': 2144, 'login': 1936},
    'tokens': {
        'bytes': 159, 'encode_us': 8383, 'decode_us': 8672, 'pair_us': 16514,
        'encode_garbage': 2640, 'decode_garbage': 2192, 'pair_garbage': 4832,
    },
    'request': {
        'cookie_bytes': 141, 'bare_us': 12327, 'open_us': 12490, 'read_first_us': 23092, 'read_us': 22499,
        'write_us': 33739, 'locked_us': 23266,
        'bare_garbage': 6064, 'open_garbage': 6080, 'read_garbage': 8848, 'write_garbage': 13920,
        'locked_garbage': 9136,
    },
    'schemes': {'basic_us': 2815, 'basic_garbage': 608, 'token_us': 893, 'token_garbage': 528},
}
QUOTED_ITERATION_US = 5450

KB = 1024
BUDGETS = {
    'heap_core': 22 * KB, 'heap_all': 64 * KB, 'pair_us': 3000, 'iteration_us': 80,
    'longest_block_us': 50000, 'added_us': 6000, 'added_garbage': 2 * KB,
    'read_us': 3000, 'read_garbage': 3 * KB // 2, 'scheme_us': 2000, 'scheme_garbage': KB,
}


def imports_of(module):
    """The modules of dotlatch that a module imports when a board loads it."""
    statements = ast.parse((library.DOTLATCH / f'{module}.py').read_bytes()).body
    for node in statements:  # in functions they wait until they are called
        if isinstance(node, ast.If) and ast.unparse(node.test).startswith('TYPE_CHECKING'):
            statements += node.orelse
        elif isinstance(node, ast.Try | ast.If):
            statements += node.body + node.orelse
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from [name for name in names if f'{name}.py' in library.portable_files()]


def import_order(modules):
    """The modules and what they need, each after what it needs."""
    order = []

    def visit(module):
        if module not in order:
            for needed in imports_of(module):
                visit(needed)
            order.append(module)

    for module in modules:
        visit(module)
    return order


def modules_of_dotlatch():
    return [name[:-3] for name in library.portable_files() if name != '__init__.py']


def measure_all(microdot_libs=None):
    """All figures: {'dotlatch': {...}, 'microdot': {...}}."""
    files = {**library.dotlatch(), **library.microdot(*MICRODOT_MODULES)}
    files['/lib/pico_measures.mpy'] = library.compiled_test(MEASURES, MEASURES.name)
    if microdot_libs:
        for name in ('jwt', 'hmac'):
            files[f'/lib/{name}.mpy'] = library.compiled(microdot_libs / f'{name}.py', f'{name}.py')
    with Pico(files) as pico:
        pico.set_clock()

        def measure(call):
            print('.', end='', file=sys.stderr, flush=True)
            printed = pico.run(f'import pico_measures\npico_measures.{call}')
            return json.loads(printed.splitlines()[-1])  # warnings may come before

        core = import_order(CORE)
        dotlatch = {
            'heap': dict(measure(f'heap("dotlatch", {core})')),
            'tokens': measure('tokens("dotlatch")'),
            'request': measure('request("dotlatch")'),
            'schemes': measure('schemes("dotlatch")'),
            'pbkdf2': measure('pbkdf2({}, {})'.format(*PBKDF2_ITERATIONS)),
        }
        everything = import_order([*CORE, *modules_of_dotlatch()])
        dotlatch['heap_all'] = {}
        for first in range(0, len(everything), AT_ONCE):
            modules = import_order(everything[first:first + AT_ONCE])
            sizes = dict(measure(f'heap("dotlatch", {modules})'))
            dotlatch['heap_all'] = {**sizes, **dotlatch['heap_all']}
        microdot = QUOTED
        if microdot_libs:
            microdot = {
                'heap': dict(measure(f'heap("microdot", {list(MICRODOT_MODULES)})')),
                'tokens': measure('tokens("microdot")'),
                'request': measure('request("microdot")'),
                'schemes': measure('schemes("microdot")'),
            }
    print(file=sys.stderr)
    return {'dotlatch': dotlatch, 'microdot': microdot}


def rows(figures):
    """(what, dotlatch's figure, Microdot's or None, budget or None); a heading has no figure."""
    ours, theirs = figures['dotlatch'], figures['microdot']
    yield 'heap after import, bytes',
    for module, size in ours['heap'].items():
        yield module, size, theirs['heap'].get(module), None
    totals = [sum(f['heap'].values()) for f in (ours, theirs)]
    yield 'these together', *totals, BUDGETS['heap_core']
    for module, size in ours['heap_all'].items():
        if module not in ours['heap']:
            yield module, size, None, None
    yield 'every portable module', sum(ours['heap_all'].values()), None, BUDGETS['heap_all']
    yield 'a signed token',
    yield 'length, bytes', ours['tokens']['bytes'], theirs['tokens']['bytes'], None
    for name, unit in (('encode', 'us'), ('decode', 'us'), ('pair', 'us'), ('pair', 'garbage')):
        key = f'{name}_{unit}'
        what = f'{name}, {unit if unit == "us" else "bytes of garbage"}'
        yield what, ours['tokens'][key], theirs['tokens'][key], BUDGETS.get(key)
    yield 'a request, from its first line to the end of the answer',
    for key, what in (('cookie_bytes', 'its cookie, bytes'), ('bare_us', 'without sessions, us')):
        yield what, ours['request'][key], theirs['request'][key], None
    added = [f['request']['read_first_us'] - f['request']['bare_us'] for f in (ours, theirs)]
    yield "added: a visitor's first read, us", *added, None
    for unit, words in (('us', 'us'), ('garbage', 'bytes of garbage')):
        for route, what, budget in (
                ('open', 'open route', None), ('read', 'session read', BUDGETS[f'read_{unit}']),
                ('write', 'read + write', None), ('locked', 'locked route', BUDGETS[f'added_{unit}'])):
            added = [f['request'][f'{route}_{unit}'] - f['request'][f'bare_{unit}'] for f in (ours, theirs)]
            yield f'added: {what}, {words}', *added, budget
    for name in ('basic', 'token'):
        for unit, words in (('us', 'us'), ('garbage', 'bytes of garbage')):
            key = f'{name}_{unit}'
            budget = BUDGETS[f'scheme_{unit}']
            yield f'added: {name} check, {words}', ours['schemes'][key], theirs['schemes'][key], budget
    yield 'PBKDF2-HMAC-SHA256',
    pbkdf2 = ours['pbkdf2']
    yield 'an iteration, us', pbkdf2['iteration_us'], QUOTED_ITERATION_US, BUDGETS['iteration_us']
    longest = pbkdf2['longest_block_us']
    yield 'event loop blocked, us', longest, None, BUDGETS['longest_block_us']


def table(figures):
    lines = [f'{"":42}{"dotlatch":>10}{"microdot":>10}{"ratio":>8}{"budget":>10}']
    for what, *numbers in rows(figures):
        if not numbers:
            lines += ['', what]
            continue
        ours, theirs, budget = numbers
        ratio = f'{ours / theirs:.2f}' if theirs else ''
        verdict = ' over' if budget and ours > budget else ''
        cells = f'{number(ours):>10}{number(theirs):>10}{ratio:>8}{number(budget):>10}'
        lines.append(f'  {what:40}{cells}{verdict}')
    return '\n'.join(lines)


def number(value):
    return '' if value is None else f'{value:,.0f}'


def main(arguments=None):
    parser = argparse.ArgumentParser(prog='python -m benchmarks.pico')
    parser.add_argument('--json', action='store_true')
    parser.add_argument('--microdot-libs', type=Path, metavar='FOLDER')
    options = parser.parse_args(arguments)
    set_up()
    figures = measure_all(options.microdot_libs)
    print(json.dumps(figures, indent=2) if options.json else table(figures))


if __name__ == '__main__':
    try:
        main()
    except (SetupError, BoardError) as error:
        sys.exit(str(error))
