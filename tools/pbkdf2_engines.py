"""Prints src/dotlatch/pbkdf2_thumb.py or pbkdf2_viper.py: SHA-256's compression function, unrolled.

    python tools/pbkdf2_engines.py thumb > src/dotlatch/pbkdf2_thumb.py
    python tools/pbkdf2_engines.py viper > src/dotlatch/pbkdf2_viper.py

Both have one function, `compress(state, count)`; pbkdf2_blocks.py tells what is in `state`. tests/board checks
that the two files are what is printed here.

The Thumb code is for a Cortex-M0+, where an instruction takes a cycle, a load or store two, and where only r0 to r7
take part in logic. What is what during the rounds:

    r0 to r3    a, b ^ c (for the majority), and two that are free: they move on by one register a round
    r4 to r7    e, f, g and h, which becomes the next e: the same
    r8 to r11   b, c, d and a free one: the same, so that after 16 rounds everything is where it was
    r12, lr     where the constants of these 16 rounds are, and where all of them end
    stack       the 16 words of the message schedule, then STATE, COUNT and OFFSET
"""
import sys

# Bytes in `state`: see pbkdf2_blocks.py.
MIDDLE, BLOCK, TOTAL, TABLE, WORDS = 32, 64, 128, 160, 416
# Bytes on the stack.
STATE, COUNT, OFFSET, FRAME = 64, 68, 72, 80

HEADER = '''\
"""SHA-256's compression function in {}.

Needs no other file; pbkdf2_blocks.py calls it. Made by tools/pbkdf2_engines.py: change that, not this.
"""
# ruff: noqa: F821
# mypy: ignore-errors
import micropython
'''


# --- Thumb ----------------------------------------------------------------------------------------

class Thumb:
    """An assembler of what ARMv6-M has. MicroPython's own has no names for half of it, and its compiler takes ten
    times the memory for an instruction by name than for a number."""

    def __init__(self):
        self.codes = []      # numbers, or (label, how to make the number of the distance)
        self.lines = []      # (what it does, the first of its codes)
        self.labels = {}

    def line(self, text):
        self.lines.append((text, len(self.codes)))

    def label(self, name):
        self.labels[name] = len(self.codes)

    def emit(self, code):
        self.codes.append(code)

    # --- between two registers; those that take high registers say so

    def mov(self, d, m):            # high
        self.emit(0x4600 | d >> 3 << 7 | m << 3 | d & 7)

    def add(self, d, m):            # high
        self.emit(0x4400 | d >> 3 << 7 | m << 3 | d & 7)

    def cmp(self, n, m):            # high, at least one of the two
        self.emit(0x4500 | n >> 3 << 7 | m << 3 | n & 7)

    def _logic(self, code, d, m):
        assert d < 8 and m < 8
        self.emit(0x4000 | code << 6 | m << 3 | d)

    def and_(self, d, m):
        self._logic(0, d, m)

    def eor(self, d, m):
        self._logic(1, d, m)

    def ror(self, d, m):
        self._logic(7, d, m)

    # --- with a number

    def movs(self, d, number):
        self.emit(0x2000 | d << 8 | number)

    def adds(self, d, number):
        self.emit(0x3000 | d << 8 | number)

    def subs(self, d, number):
        self.emit(0x3800 | d << 8 | number)

    def lsrs(self, d, m, number):
        self.emit(0x0800 | number << 6 | m << 3 | d)

    # --- memory

    def ldr(self, d, base, offset):
        self.emit(0x6800 | offset // 4 << 6 | base << 3 | d)

    def str(self, d, base, offset):
        self.emit(0x6000 | offset // 4 << 6 | base << 3 | d)

    def ldr_sp(self, d, offset):
        self.emit(0x9800 | d << 8 | offset // 4)

    def str_sp(self, d, offset):
        self.emit(0x9000 | d << 8 | offset // 4)

    def ldm(self, base, *registers):
        self.emit(0xc800 | base << 8 | sum(1 << r for r in registers))

    def stm(self, base, *registers):
        self.emit(0xc000 | base << 8 | sum(1 << r for r in registers))

    def push(self, *registers):
        self.emit(0xb400 | sum(1 << r for r in registers))

    def pop(self, *registers):
        self.emit(0xbc00 | sum(1 << r for r in registers))

    def sub_sp(self, size):
        self.emit(0xb080 | size // 4)

    def add_sp(self, size):
        self.emit(0xb000 | size // 4)

    def mov_sp(self, d):
        self.emit(0xa800 | d << 8)

    # --- branches: the distance counts from two instructions further on

    def beq(self, label):           # within 256 bytes
        self.emit((label, lambda distance: 0xd000 | self._within(distance, 7) & 0xff))

    def bne(self, label):
        self.emit((label, lambda distance: 0xd100 | self._within(distance, 7) & 0xff))

    def b(self, label):             # within 2 KB
        self.emit((label, lambda distance: 0xe000 | self._within(distance, 10) & 0x7ff))

    def bl(self, label):            # anywhere; lr is lost
        self.emit((label, lambda distance: 0xf000 | self._within(distance, 21) >> 11 & 0x7ff))
        self.emit((label, lambda distance: 0xf800 | distance + 1 & 0x7ff))  # counts from where the first one does

    @staticmethod
    def _within(distance, bits):
        assert -1 << bits <= distance < 1 << bits, 'branch not in range'
        return distance

    def numbers(self):
        return [code if isinstance(code, int) else code[1](self.labels[code[0]] - at - 2)
                for at, code in enumerate(self.codes)]

    def text(self):
        numbers = self.numbers()
        ends = [start for _, start in self.lines[1:]] + [len(numbers)]
        for (text, start), end in zip(self.lines, ends):
            yield f'    # {text}'
            for at in range(start, end, 12):
                yield '    data(2, ' + ', '.join(f'0x{n:04x}' for n in numbers[at:min(at + 12, end)]) + ')'


def thumb():
    t = Thumb()
    a0, x0, s0, t0 = 0, 1, 2, 3
    e0, f0, g0, h0 = 4, 5, 6, 7
    b0, c0, d0, free0 = 8, 9, 10, 11
    table, end = 12, 14

    t.line('save r8 to r11, and the arguments')
    for r in range(4):
        t.mov(4 + r, 8 + r)
    t.push(4, 5, 6, 7)
    t.sub_sp(FRAME)
    t.str_sp(0, STATE)
    t.str_sp(1, COUNT)
    t.movs(3, 0)
    t.str_sp(3, OFFSET)

    t.label('compress')
    t.line('is there another one?')
    t.ldr_sp(0, COUNT)
    t.subs(0, 1)
    t.emit(0xd500)  # bpl: over the next one
    t.b('exit')
    t.str_sp(0, COUNT)
    t.line('the block')
    t.ldr_sp(0, STATE)
    t.adds(0, BLOCK)
    t.mov_sp(1)
    for registers in ((2, 3, 4, 5, 6, 7), (2, 3, 4, 5, 6, 7), (2, 3, 4, 5)):
        t.ldm(0, *registers)
        t.stm(1, *registers)
    t.line('the state that it begins with')
    t.ldr_sp(3, STATE)
    t.adds(3, TABLE)
    t.mov(table, 3)
    t.adds(3, 255)
    t.adds(3, 1)
    t.mov(end, 3)
    t.ldr_sp(3, STATE)
    t.ldr_sp(2, OFFSET)
    t.add(3, 2)
    t.ldm(3, a0, x0, s0)  # a, b, c
    t.mov(b0, x0)
    t.mov(c0, s0)
    t.eor(x0, s0)
    t.ldm(3, s0)          # d
    t.mov(d0, s0)
    t.ldm(3, e0, f0, g0, h0)

    t.label('rounds')
    low, middle, high = [a0, x0, s0, t0], [e0, f0, g0, h0], [b0, c0, d0, free0]
    for i in range(16):
        a, x, s, u = low
        e, f, g, h = middle
        b, _, d, free = high
        t.line(f'round {i} of 16')
        t.ldr_sp(u, 4 * i)
        t.add(h, u)
        t.mov(u, table)
        t.ldr(u, u, 4 * i)
        t.add(h, u)
        t.mov(u, f)           # choose
        t.eor(u, g)
        t.and_(u, e)
        t.eor(u, g)
        t.add(h, u)
        t.mov(u, e)           # turned by 6, 11 and 25: by 13, by 14 more, by 11 more
        t.movs(s, 13)
        t.ror(u, s)
        t.eor(u, e)
        t.movs(s, 14)
        t.ror(u, s)
        t.eor(u, e)
        t.movs(s, 11)
        t.ror(u, s)
        t.add(h, u)
        t.mov(u, a)           # turned by 2, 13 and 22: by 11, by 12 more, by 22 more
        t.ror(u, s)
        t.eor(u, a)
        t.movs(s, 12)
        t.ror(u, s)
        t.eor(u, a)
        t.movs(s, 22)
        t.ror(u, s)
        t.add(u, h)
        t.add(h, d)           # the next e
        t.mov(s, b)           # majority: a, but where a and b differ and b and c do not, b
        t.eor(s, a)
        t.and_(x, s)
        t.eor(x, s)
        t.eor(x, a)
        t.add(x, u)           # the next a
        t.mov(free, a)
        low = low[1:] + low[:1]
        middle = middle[-1:] + middle[:-1]
        high = high[-1:] + high[:-1]
    assert (low[0], middle[0], high[0]) == (a0, e0, b0)

    t.line('the next constants')
    t.mov(t0, table)
    t.adds(t0, 64)
    t.mov(table, t0)
    t.cmp(t0, end)
    t.bne('schedule')
    t.b('finish')

    t.label('schedule')
    t.line('the next 16 words')
    saved = (a0, x0, e0, f0, g0, h0)
    t.push(*saved)
    turns = {11: 0, 7: 1, 2: 2, 17: 3}
    for count, register in turns.items():
        t.movs(register, count)
    now, after, u, v = 4, 5, 6, 7
    words = 4 * len(saved)
    t.ldr_sp(now, words)
    for i in range(16):
        t.line(f'word {i} of 16')
        t.ldr_sp(after, words + 4 * ((i + 1) % 16))
        t.mov(u, after)       # turned by 7 and 18, shifted by 3
        t.ror(u, turns[11])
        t.eor(u, after)
        t.ror(u, turns[7])
        t.lsrs(v, after, 3)
        t.eor(u, v)
        t.add(now, u)
        t.ldr_sp(v, words + 4 * ((i + 14) % 16))
        t.mov(u, v)           # turned by 17 and 19, shifted by 10
        t.ror(u, turns[2])
        t.eor(u, v)
        t.ror(u, turns[17])
        t.lsrs(v, v, 10)
        t.eor(u, v)
        t.add(now, u)
        t.ldr_sp(v, words + 4 * ((i + 9) % 16))
        t.add(now, v)
        t.str_sp(now, words + 4 * i)
        now, after = after, now
    t.pop(*saved)
    t.b('rounds')

    t.label('finish')
    t.line('the result: the first eight words of the next block')
    p, q, u = x0, s0, t0
    t.ldr_sp(q, STATE)
    t.ldr_sp(u, OFFSET)
    t.mov(p, q)
    t.add(p, u)
    t.adds(q, BLOCK)
    for i, register in enumerate((a0, b0, c0, d0, e0, f0, g0, h0)):
        t.ldr(u, p, 4 * i)
        t.add(u, register)
        t.str(u, q, 4 * i)
    t.line('the other state is next; is an iteration done?')
    t.ldr_sp(0, OFFSET)
    t.movs(1, MIDDLE)
    t.eor(0, 1)
    t.str_sp(0, OFFSET)
    t.beq('total')
    t.bl('compress')
    t.label('total')
    t.line('into the total')
    t.mov(p, q)
    t.adds(p, TOTAL - BLOCK)
    for _ in range(4):
        t.ldm(q, 4, 5)
        t.ldr(6, p, 0)
        t.ldr(7, p, 4)
        t.eor(4, 6)
        t.eor(5, 7)
        t.stm(p, 4, 5)
    t.bl('compress')

    t.label('exit')
    t.line('put everything back')
    t.add_sp(FRAME)
    t.pop(4, 5, 6, 7)
    for r in range(4):
        t.mov(8 + r, 4 + r)

    yield HEADER.format("ARM's Thumb code, of which a Cortex-M0 has all")
    yield ''
    yield '@micropython.asm_thumb'
    yield 'def compress(r0, r1):'
    yield from t.text()


# --- viper ----------------------------------------------------------------------------------------
#
# The first three names of a function are kept in registers: w, x and k. What is computed goes from left to right as far
# as it can, since an operand that has to wait goes to memory: a word turned by 6, 11 and 25, say, is what three shifts
# to the right and three to the left come to, and the first of them takes part in all three.

def shifted(sign, counts):
    """x shifted by each of these, combined: by the largest difference first."""
    counts = sorted(counts, reverse=True)
    text = 'x'
    for count, following in zip(counts, counts[1:] + [0]):
        text = f'({text} {sign} {count - following} ^ x)' if following else f'{text} {sign} {count - following}'
    return text


def turned(*counts, lost=()):
    return shifted('>>', counts + lost) + ' ^ ' + shifted('<<', [32 - count for count in counts])


def viper():
    yield HEADER.format("machine code that MicroPython's viper makes, for any processor")
    yield f'''
@micropython.viper
def compress(w: ptr32, x: uint):
    k = w
    state = w
    count = int(x)
    mask = uint(0xffffffff)  # a word may have 64 bits
    first = 0
    while count > 0:
        count -= 1
        w = ptr32(int(state) + {BLOCK})
        k = ptr32(int(state) + {WORDS})
        i = 0
        while i < 16:
            k[i] = w[i]
            i += 1
        w = ptr32(int(state) + {WORDS})
        i = 0
        while i < 48:'''
    for i in range(4):
        yield f'''\
            x = uint(w[{i + 1}])
            y = ({turned(7, 18, lost=(3,))}) + uint(w[{i}]) + uint(w[{i + 9}])
            x = uint(w[{i + 14}])
            w[{i + 16}] = ({turned(17, 19, lost=(10,))}) + y'''
    yield '''\
            w = ptr32(int(w) + 16)
            i += 4
        w = ptr32(int(state) + 4 * first)'''
    for i, name in enumerate('abcdefgh'):
        yield f'        {name} = uint(w[{i}])'
    yield f'''\
        z = b ^ c
        w = ptr32(int(state) + {WORDS})
        k = ptr32(int(state) + {TABLE})
        i = 0
        while i < 64:'''
    names = list('abcdefgh')
    for i in range(8):
        a, b, _, d, e, f, g, h = names
        y, z = 'yz' if i % 2 == 0 else 'zy'
        yield f'''\
            x = {e} & mask
            {h} += (({turned(6, 11, 25)}) + (({f} ^ {g}) & x ^ {g})
                  + uint(k[{i}]) + uint(w[{i}]))
            {d} += {h}
            x = {a} & mask
            {y} = x ^ {b}
            {h} += ({turned(2, 13, 22)}) + ({y} & {z} ^ {b})'''
        names = names[-1:] + names[:-1]
    yield f'''\
            w = ptr32(int(w) + 32)
            k = ptr32(int(k) + 32)
            i += 8
        w = ptr32(int(state) + 4 * first)
        k = ptr32(int(state) + {BLOCK})'''
    for i, name in enumerate('abcdefgh'):
        yield f'        k[{i}] = w[{i}] + int({name})'
    yield f'''\
        first ^= {MIDDLE // 4}
        if first == 0:
            w = ptr32(int(state) + {TOTAL})
            i = 0
            while i < 8:
                w[i] ^= k[i]
                i += 1'''


ENGINES = {'thumb': thumb, 'viper': viper}


def source(name):
    return '\n'.join(ENGINES[name]()) + '\n'


if __name__ == '__main__':
    print(source(sys.argv[1]), end='')
