"""The client's side of ML-KEM-768 (FIPS 203) and of sntrup761 (NTRU Prime, round 3), written from
the specifications alone and for clarity: a second implementation, which shares nothing with the
library's. Neither fast nor safe against anyone who measures time."""

import hashlib
import os

# ---- ML-KEM-768
Q, K = 3329, 3
ZETA = [pow(17, int(f"{i:07b}"[::-1], 2), Q) for i in range(128)]
GAMMA = [pow(17, 2 * int(f"{i:07b}"[::-1], 2) + 1, Q) for i in range(128)]


def ntt(f):
    f, i, size = list(f), 1, 128
    while size >= 2:
        for start in range(0, 256, 2 * size):
            for j in range(start, start + size):
                t = ZETA[i] * f[j + size] % Q
                f[j + size] = (f[j] - t) % Q
                f[j] = (f[j] + t) % Q
            i += 1
        size //= 2
    return f


def inverse_ntt(f):
    f, i, size = list(f), 127, 2
    while size <= 128:
        for start in range(0, 256, 2 * size):
            for j in range(start, start + size):
                t = f[j]
                f[j] = (t + f[j + size]) % Q
                f[j + size] = ZETA[i] * (f[j + size] - t) % Q
            i -= 1
        size *= 2
    return [c * 3303 % Q for c in f]


def add(f, g):
    return [(a + b) % Q for a, b in zip(f, g)]


def subtract(f, g):
    return [(a - b) % Q for a, b in zip(f, g)]


def multiply(f, g):
    h = []
    for i in range(128):
        a0, a1, b0, b1 = f[2 * i], f[2 * i + 1], g[2 * i], g[2 * i + 1]
        h += [(a0 * b0 + a1 * b1 * GAMMA[i]) % Q, (a0 * b1 + a1 * b0) % Q]
    return h


def inner(f, g):
    total = [0] * 256
    for a, b in zip(f, g):
        total = add(total, multiply(a, b))
    return total


def pack(numbers, bits):
    whole = sum(n << (bits * i) for i, n in enumerate(numbers))
    return whole.to_bytes(len(numbers) * bits // 8, "little")


def unpack(data, bits):
    whole, mask = int.from_bytes(data, "little"), (1 << bits) - 1
    return [whole >> (bits * i) & mask for i in range(len(data) * 8 // bits)]


def compress(f, bits):
    return [((c << bits) + Q // 2) // Q & ((1 << bits) - 1) for c in f]


def decompress(numbers, bits):
    return [(n * Q + (1 << (bits - 1))) >> bits for n in numbers]


def sample_ntt(seed):
    stream, size = b"", 0
    while True:
        size += 840
        stream = hashlib.shake_128(seed).digest(size)
        found = [n for n in unpack(stream[: size // 3 * 3], 12) if n < Q]
        if len(found) >= 256:
            return found[:256]


def noise(seed, n):
    bits = unpack(hashlib.shake_256(seed + bytes([n])).digest(128), 1)
    return [(bits[4 * i] + bits[4 * i + 1] - bits[4 * i + 2] - bits[4 * i + 3]) % Q
            for i in range(256)]


def matrix(rho):
    return [[sample_ntt(rho + bytes([j, i])) for j in range(K)] for i in range(K)]


def encrypt(ek, m, coins):
    t = [unpack(ek[384 * i : 384 * i + 384], 12) for i in range(K)]
    a = matrix(ek[384 * K :])
    y = [ntt(noise(coins, n)) for n in range(K)]
    u = [add(inverse_ntt(inner([a[j][i] for j in range(K)], y)), noise(coins, K + i))
         for i in range(K)]
    v = add(add(inverse_ntt(inner(t, y)), noise(coins, 2 * K)), decompress(unpack(m, 1), 1))
    return b"".join(pack(compress(f, 10), 10) for f in u) + pack(compress(v, 4), 4)


class MlKem:
    """One key pair; `public` goes to the server, whose answer `secret` opens."""

    public_size, ciphertext_size = 1184, 1088

    def __init__(self):
        self.z = os.urandom(32)
        seeds = hashlib.sha3_512(os.urandom(32) + bytes([K])).digest()
        a = matrix(seeds[:32])
        s = [ntt(noise(seeds[32:], n)) for n in range(K)]
        t = [add(inner(a[i], s), ntt(noise(seeds[32:], K + i))) for i in range(K)]
        self.s = s
        self.public = b"".join(pack(f, 12) for f in t) + seeds[:32]

    def secret(self, ciphertext):
        assert len(ciphertext) == self.ciphertext_size
        u = [decompress(unpack(ciphertext[320 * i : 320 * i + 320], 10), 10) for i in range(K)]
        v = decompress(unpack(ciphertext[320 * K :], 4), 4)
        w = subtract(v, inverse_ntt(inner(self.s, [ntt(f) for f in u])))
        m = pack(compress(w, 1), 1)
        both = hashlib.sha3_512(m + hashlib.sha3_256(self.public).digest()).digest()
        if encrypt(self.public, m, both[32:]) == ciphertext:
            return both[:32]
        return hashlib.shake_256(self.z + ciphertext).digest(32)


# ---- sntrup761
P, SQ, W = 761, 4591, 286


def encode(numbers, bounds):
    if len(numbers) == 1:
        out, n, m = b"", numbers[0], bounds[0]
        while m > 1:
            out += bytes([n & 255])
            n, m = n >> 8, (m + 255) >> 8
        return out
    out, upper, upper_bounds = b"", [], []
    for i in range(0, len(numbers) - 1, 2):
        n, m = numbers[i] + bounds[i] * numbers[i + 1], bounds[i] * bounds[i + 1]
        while m >= 16384:
            out += bytes([n & 255])
            n, m = n >> 8, (m + 255) >> 8
        upper.append(n)
        upper_bounds.append(m)
    if len(numbers) % 2:
        upper.append(numbers[-1])
        upper_bounds.append(bounds[-1])
    return out + encode(upper, upper_bounds)


def decode(data, bounds):
    if len(bounds) == 1:
        return [int.from_bytes(data, "little") % bounds[0]]
    at, low, upper_bounds = 0, [], []
    for i in range(0, len(bounds) - 1, 2):
        n, scale, m = 0, 1, bounds[i] * bounds[i + 1]
        while m >= 16384:
            n, scale, at, m = n + data[at] * scale, scale * 256, at + 1, (m + 255) >> 8
        low.append((n, scale))
        upper_bounds.append(m)
    if len(bounds) % 2:
        upper_bounds.append(bounds[-1])
    upper, numbers = decode(data[at:], upper_bounds), []
    for i in range(0, len(bounds) - 1, 2):
        n = low[i // 2][0] + low[i // 2][1] * upper[i // 2]
        numbers += [n % bounds[i], n // bounds[i] % bounds[i + 1]]
    return numbers + ([upper[-1]] if len(bounds) % 2 else [])


def ring_multiply(f, g, m):
    """Modulo m and x^761 - x - 1, by one product of large integers."""
    def whole(h):
        return int.from_bytes(b"".join((c % m).to_bytes(6, "little") for c in h), "little")

    data = (whole(f) * whole(g)).to_bytes(6 * 2 * P, "little")
    h = [int.from_bytes(data[6 * i : 6 * i + 6], "little") for i in range(2 * P)]
    for i in range(2 * P - 1, P - 1, -1):
        h[i - P] += h[i]
        h[i - P + 1] += h[i]
    return [centre(c, m) for c in h[:P]]


def centre(c, m):
    c %= m
    return c - m if c > m // 2 else c


def ring_inverse(f, m):
    """Euclid's algorithm for polynomials over the field of m elements; None if there is none."""
    def trim(h):
        while h and h[-1] == 0:
            h.pop()
        return h

    a, b = [m - 1, m - 1] + [0] * (P - 2) + [1], trim([c % m for c in f])
    u, v = [], [1]
    while b:
        scale = pow(b[-1], -1, m)
        while len(a) >= len(b):
            factor, shift = a[-1] * scale % m, len(a) - len(b)
            for i, c in enumerate(b):
                a[i + shift] = (a[i + shift] - factor * c) % m
            u += [0] * (len(v) + shift - len(u))
            for i, c in enumerate(v):
                u[i + shift] = (u[i + shift] - factor * c) % m
            trim(a)
        a, b, u, v = b, a, v, u
    if len(a) != 1:
        return None
    scale = pow(a[0], -1, m)
    inverse = [centre(c * scale, m) for c in u]
    return inverse + [0] * (P - len(inverse))


def sha(number, data):
    return hashlib.sha512(bytes([number]) + data).digest()[:32]


def pack_small(f):
    return pack([c + 1 for c in f] + [0] * 3, 2)


def random_short():
    keys = sorted((int.from_bytes(os.urandom(8), "big"), i) for i in range(P))
    f = [0] * P
    for _, i in keys[:W]:
        f[i] = 1 - 2 * (os.urandom(1)[0] & 1)
    return f


class Sntrup761:
    public_size, ciphertext_size = 1158, 1039

    def __init__(self):
        inverse = None
        while inverse is None:
            g = [os.urandom(2)[0] % 3 - 1 for _ in range(P)]
            inverse = ring_inverse(g, 3)
        self.f, self.g_inverse = random_short(), inverse
        h = ring_multiply(g, ring_inverse([3 * c for c in self.f], SQ), SQ)
        self.h = h
        self.public = encode([c + SQ // 2 for c in h], [SQ] * P)
        self.rejected = os.urandom(191)

    def hide(self, r):
        rounded = [c - centre(c, 3) for c in ring_multiply(self.h, r, SQ)]
        c = encode([(n + SQ // 2) // 3 for n in rounded], [(SQ + 2) // 3] * P)
        return c + sha(2, sha(3, pack_small(r)) + sha(4, self.public))

    def secret(self, ciphertext):
        assert len(ciphertext) == self.ciphertext_size
        c = [3 * n - SQ // 2 for n in decode(ciphertext[:-32], [(SQ + 2) // 3] * P)]
        e = ring_multiply(c, [3 * n for n in self.f], SQ)
        r = ring_multiply([centre(n, 3) for n in e], self.g_inverse, 3)
        if sum(n != 0 for n in r) != W:
            r = [1] * W + [0] * (P - W)
        good = self.hide(r) == ciphertext
        return sha(good, sha(3, pack_small(r) if good else self.rejected) + ciphertext)
