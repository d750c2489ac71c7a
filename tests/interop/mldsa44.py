"""ML-DSA-44 straight from FIPS 204, to have an implementation that shares nothing with ours. Slow,
and its time depends on secrets: for tests only. A polynomial is a list of 256 numbers."""

import hashlib
import os

Q, N, K, L, D = 8380417, 256, 4, 4, 13
TAU, GAMMA1, GAMMA2, BETA, OMEGA = 39, 1 << 17, (Q - 1) // 88, 78, 80
PUBLIC, SIGNATURE = 1312, 2420
ZETAS = [pow(1753, int(f"{i:08b}"[::-1], 2), Q) for i in range(N)]


def h(data, length):
    return hashlib.shake_256(data).digest(length)


def ntt(poly):
    w, m, half = list(poly), 0, 128
    while half:
        for start in range(0, N, 2 * half):
            m += 1
            for j in range(start, start + half):
                t = ZETAS[m] * w[j + half] % Q
                w[j], w[j + half] = (w[j] + t) % Q, (w[j] - t) % Q
        half //= 2
    return w


def inverse_ntt(poly):
    w, m, half = list(poly), N, 1
    while half < N:
        for start in range(0, N, 2 * half):
            m -= 1
            for j in range(start, start + half):
                t = w[j]
                w[j], w[j + half] = (t + w[j + half]) % Q, -ZETAS[m] * (t - w[j + half]) % Q
        half *= 2
    return [x * 8347681 % Q for x in w]


def product(a, b):
    return [x * y % Q for x, y in zip(a, b)]


def add(*polys):
    return [sum(xs) % Q for xs in zip(*polys)]


def negative(poly):
    return [-x % Q for x in poly]


def times(matrix, vector):
    """Both in the NTT's domain; what comes back is not."""
    return [inverse_ntt(add(*(product(a, v) for a, v in zip(row, vector)))) for row in matrix]


def centred(x, m):
    x %= m
    return x - m if x > m // 2 else x


def norm(polys):
    return max(abs(centred(x, Q)) for poly in polys for x in poly)


def decompose(x):
    x %= Q
    low = centred(x, 2 * GAMMA2)
    return (0, low - 1) if x - low == Q - 1 else ((x - low) // (2 * GAMMA2), low)


def high(poly):
    return [decompose(x)[0] for x in poly]


def pack(values, bits):
    return sum(v << i * bits for i, v in enumerate(values)).to_bytes(len(values) * bits // 8, "little")


def unpack(data, bits):
    number = int.from_bytes(data, "little")
    return [number >> i * bits & (1 << bits) - 1 for i in range(len(data) * 8 // bits)]


def expand_a(rho):
    def poly(r, s):
        data, out, at = hashlib.shake_128(rho + bytes([s, r])).digest(1500), [], 0
        while len(out) < N:
            value = int.from_bytes(data[at:at + 3], "little") & 0x7FFFFF
            at += 3
            if value < Q:
                out.append(value)
        return out
    return [[poly(r, s) for s in range(L)] for r in range(K)]


def expand_s(seed):
    def poly(number):
        halves = [b >> shift & 15 for b in h(seed + number.to_bytes(2, "little"), 700)
                  for shift in (0, 4)]
        return [2 - half % 5 for half in halves if half < 15][:N]
    return [poly(i) for i in range(L)], [poly(L + i) for i in range(K)]


def in_ball(challenge):
    data, c, at = h(challenge, 1000), [0] * N, 8
    signs = int.from_bytes(data[:8], "little")
    for i in range(N - TAU, N):
        while data[at] > i:
            at += 1
        j = data[at]
        at += 1
        c[i] = c[j]
        c[j] = 1 - 2 * (signs & 1)
        signs >>= 1
    return c


class Key:
    """From a seed: the expanded private key, and `public`."""

    def __init__(self, seed):
        seeds = h(seed + bytes([K, L]), 128)
        rho, self.k = seeds[:32], seeds[96:]
        self.a = expand_a(rho)
        s1, s2 = expand_s(seeds[32:96])
        self.s1, self.s2 = [ntt(p) for p in s1], [ntt(p) for p in s2]
        t = [add(p, s) for p, s in zip(times(self.a, self.s1), s2)]
        t0 = [[centred(x, 1 << D) for x in p] for p in t]
        t1 = [[(x - low) >> D for x, low in zip(p, lows)] for p, lows in zip(t, t0)]
        self.t0 = [ntt(p) for p in t0]
        self.public = rho + b"".join(pack(p, 10) for p in t1)

    def sign(self, message, context=b""):
        mu = h(h(self.public, 64) + bytes([0, len(context)]) + context + message, 64)
        seed, kappa = h(self.k + os.urandom(32) + mu, 64), 0
        while True:
            y = [[GAMMA1 - x for x in unpack(h(seed + (kappa + i).to_bytes(2, "little"), 576), 18)]
                 for i in range(L)]
            kappa += L
            w = times(self.a, [ntt(p) for p in y])
            challenge = h(mu + b"".join(pack(high(p), 6) for p in w), 32)
            c = ntt(in_ball(challenge))
            z = [add(p, inverse_ntt(product(c, s))) for p, s in zip(y, self.s1)]
            r = [add(p, negative(inverse_ntt(product(c, s)))) for p, s in zip(w, self.s2)]
            lows = [[decompose(x)[1] for x in p] for p in r]
            if norm(z) >= GAMMA1 - BETA or max(abs(x) for p in lows for x in p) >= GAMMA2 - BETA:
                continue
            ct0 = [inverse_ntt(product(c, t)) for t in self.t0]
            hints = [[int(a != b) for a, b in zip(high(p), high(add(p, t)))]
                     for p, t in zip(r, ct0)]
            if norm(ct0) < GAMMA2 and sum(map(sum, hints)) <= OMEGA:
                packed = [pack([(GAMMA1 - x) % Q for x in p], 18) for p in z]
                return challenge + b"".join(packed) + pack_hints(hints)


def pack_hints(hints):
    places, ends = [], []
    for poly in hints:
        places += [i for i, x in enumerate(poly) if x]
        ends.append(len(places))
    return bytes(places).ljust(OMEGA, b"\0") + bytes(ends)


def unpack_hints(data):
    """None: not the one form of such hints."""
    hints, start = [], 0
    for end in data[OMEGA:]:
        if not start <= end <= OMEGA:
            return None
        places = data[start:end]
        if list(places) != sorted(set(places)):
            return None
        hints.append([int(i in places) for i in range(N)])
        start = end
    return None if any(data[start:OMEGA]) else hints


def use_hint(hint, x):
    top, low = decompose(x)
    return (top + (1 if low > 0 else -1)) % 44 if hint else top


def verify(public, message, signature, context=b""):
    if len(public) != PUBLIC or len(signature) != SIGNATURE:
        return False
    z = [[GAMMA1 - x for x in unpack(signature[32 + 576 * i:608 + 576 * i], 18)] for i in range(L)]
    hints = unpack_hints(signature[32 + 576 * L:])
    if hints is None or norm(z) >= GAMMA1 - BETA:
        return False
    mu = h(h(public, 64) + bytes([0, len(context)]) + context + message, 64)
    c = ntt(in_ball(signature[:32]))
    t1 = [unpack(public[32 + 320 * i:352 + 320 * i], 10) for i in range(K)]
    ct1 = [inverse_ntt(product(c, ntt([x << D for x in p]))) for p in t1]
    w = times(expand_a(public[:32]), [ntt(p) for p in z])
    w1 = [[use_hint(hint, a - b) for hint, a, b in zip(*polys)] for polys in zip(hints, w, ct1)]
    return h(mu + b"".join(pack(p, 6) for p in w1), 32) == signature[:32]
