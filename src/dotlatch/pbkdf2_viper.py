"""SHA-256's compression function in machine code that MicroPython's viper makes, for any processor.

Needs no other file; pbkdf2_blocks.py calls it. Made by tools/pbkdf2_engines.py: change that, not this.
"""
# ruff: noqa: F821
# mypy: ignore-errors
import micropython


@micropython.viper
def compress(w: ptr32, x: uint):
    k = w
    state = w
    count = int(x)
    mask = uint(0xffffffff)  # a word may have 64 bits
    first = 0
    while count > 0:
        count -= 1
        w = ptr32(int(state) + 64)
        k = ptr32(int(state) + 416)
        i = 0
        while i < 16:
            k[i] = w[i]
            i += 1
        w = ptr32(int(state) + 416)
        i = 0
        while i < 48:
            x = uint(w[1])
            y = (((x >> 11 ^ x) >> 4 ^ x) >> 3 ^ (x << 11 ^ x) << 14) + uint(w[0]) + uint(w[9])
            x = uint(w[14])
            w[16] = (((x >> 2 ^ x) >> 7 ^ x) >> 10 ^ (x << 2 ^ x) << 13) + y
            x = uint(w[2])
            y = (((x >> 11 ^ x) >> 4 ^ x) >> 3 ^ (x << 11 ^ x) << 14) + uint(w[1]) + uint(w[10])
            x = uint(w[15])
            w[17] = (((x >> 2 ^ x) >> 7 ^ x) >> 10 ^ (x << 2 ^ x) << 13) + y
            x = uint(w[3])
            y = (((x >> 11 ^ x) >> 4 ^ x) >> 3 ^ (x << 11 ^ x) << 14) + uint(w[2]) + uint(w[11])
            x = uint(w[16])
            w[18] = (((x >> 2 ^ x) >> 7 ^ x) >> 10 ^ (x << 2 ^ x) << 13) + y
            x = uint(w[4])
            y = (((x >> 11 ^ x) >> 4 ^ x) >> 3 ^ (x << 11 ^ x) << 14) + uint(w[3]) + uint(w[12])
            x = uint(w[17])
            w[19] = (((x >> 2 ^ x) >> 7 ^ x) >> 10 ^ (x << 2 ^ x) << 13) + y
            w = ptr32(int(w) + 16)
            i += 4
        w = ptr32(int(state) + 4 * first)
        a = uint(w[0])
        b = uint(w[1])
        c = uint(w[2])
        d = uint(w[3])
        e = uint(w[4])
        f = uint(w[5])
        g = uint(w[6])
        h = uint(w[7])
        z = b ^ c
        w = ptr32(int(state) + 416)
        k = ptr32(int(state) + 160)
        i = 0
        while i < 64:
            x = e & mask
            h += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((f ^ g) & x ^ g)
                  + uint(k[0]) + uint(w[0]))
            d += h
            x = a & mask
            y = x ^ b
            h += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (y & z ^ b)
            x = d & mask
            g += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((e ^ f) & x ^ f)
                  + uint(k[1]) + uint(w[1]))
            c += g
            x = h & mask
            z = x ^ a
            g += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (z & y ^ a)
            x = c & mask
            f += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((d ^ e) & x ^ e)
                  + uint(k[2]) + uint(w[2]))
            b += f
            x = g & mask
            y = x ^ h
            f += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (y & z ^ h)
            x = b & mask
            e += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((c ^ d) & x ^ d)
                  + uint(k[3]) + uint(w[3]))
            a += e
            x = f & mask
            z = x ^ g
            e += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (z & y ^ g)
            x = a & mask
            d += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((b ^ c) & x ^ c)
                  + uint(k[4]) + uint(w[4]))
            h += d
            x = e & mask
            y = x ^ f
            d += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (y & z ^ f)
            x = h & mask
            c += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((a ^ b) & x ^ b)
                  + uint(k[5]) + uint(w[5]))
            g += c
            x = d & mask
            z = x ^ e
            c += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (z & y ^ e)
            x = g & mask
            b += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((h ^ a) & x ^ a)
                  + uint(k[6]) + uint(w[6]))
            f += b
            x = c & mask
            y = x ^ d
            b += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (y & z ^ d)
            x = f & mask
            a += ((((x >> 14 ^ x) >> 5 ^ x) >> 6 ^ ((x << 5 ^ x) << 14 ^ x) << 7) + ((g ^ h) & x ^ h)
                  + uint(k[7]) + uint(w[7]))
            e += a
            x = b & mask
            z = x ^ c
            a += (((x >> 9 ^ x) >> 11 ^ x) >> 2 ^ ((x << 11 ^ x) << 9 ^ x) << 10) + (z & y ^ c)
            w = ptr32(int(w) + 32)
            k = ptr32(int(k) + 32)
            i += 8
        w = ptr32(int(state) + 4 * first)
        k = ptr32(int(state) + 64)
        k[0] = w[0] + int(a)
        k[1] = w[1] + int(b)
        k[2] = w[2] + int(c)
        k[3] = w[3] + int(d)
        k[4] = w[4] + int(e)
        k[5] = w[5] + int(f)
        k[6] = w[6] + int(g)
        k[7] = w[7] + int(h)
        first ^= 8
        if first == 0:
            w = ptr32(int(state) + 128)
            i = 0
            while i < 8:
                w[i] ^= k[i]
                i += 1
