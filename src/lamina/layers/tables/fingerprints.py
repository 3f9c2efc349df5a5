"""Hashes of strings, the same on every machine and in every run: FarmHash's 64-bit fingerprint, and SipHash with a key.

They are those of TensorFlow's ``to_hash_bucket_fast`` and ``to_hash_bucket_strong``, which Keras's layers use.
References: Pike, "FarmHash", 2014, https://github.com/google/farmhash; Aumasson and Bernstein, "SipHash: a fast
short-input PRF", 2012, https://www.aumasson.jp/siphash/siphash.pdf
"""

from __future__ import annotations

_WORD = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def fingerprint(data: bytes) -> int:
    """FarmHash's ``Fingerprint64``, from 0 to 2**64 - 1.

    >>> fingerprint(b"") == 0x9AE16A3B2F90404F
    True
    """
    if len(data) <= 16:
        return _up_to_16(data)
    if len(data) <= 32:
        return _up_to_32(data)
    return _up_to_64(data) if len(data) <= 64 else _longer(data)


def join(first: int, second: int) -> int:
    """FarmHash's ``FingerprintCat64``: one fingerprint of two."""
    mul = 0xC6A4A7935BD1E995
    result = first ^ mul
    result ^= _mixed(second * mul & _WORD) * mul & _WORD
    result = result * mul & _WORD
    return _mixed(_mixed(result) * mul & _WORD)


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], "little")


def _turned(value: int, by: int) -> int:
    value &= _WORD
    return (value >> by | value << (64 - by)) & _WORD


def _mixed(value: int) -> int:
    value &= _WORD
    return value ^ value >> 47


def _pair(u: int, v: int, mul: int) -> int:
    a = _mixed(((u ^ v) & _WORD) * mul)
    return _mixed((v & _WORD ^ a) * mul) * mul & _WORD


def _up_to_16(s: bytes) -> int:
    n = len(s)
    mul = _K2 + n * 2
    if n >= 8:
        a, b = _word(s, 0) + _K2, _word(s, n - 8)
        return _pair(_turned(b, 37) * mul + a, (_turned(a, 25) + b) * mul, mul)
    if n >= 4:
        a, b = (int.from_bytes(part, "little") for part in (s[:4], s[-4:]))
        return _pair(n + (a << 3), b, mul)
    if n > 0:
        y, z = s[0] + (s[n >> 1] << 8), n + (s[-1] << 2)
        return _mixed(y * _K2 ^ z * _K0) * _K2 & _WORD
    return _K2


def _ends(s: bytes, mul: int) -> tuple[int, int, int]:
    n = len(s)
    a, b, c, d = _word(s, 0), _word(s, 8), _word(s, n - 8) * mul, _word(s, n - 16) * _K2
    a *= _K1 if n <= 32 else _K2
    return a, _turned(a + b, 43) + _turned(c, 30) + d, a + _turned(b + _K2, 18) + c


def _up_to_32(s: bytes) -> int:
    mul = _K2 + len(s) * 2
    _, y, z = _ends(s, mul)
    return _pair(y, z, mul)


def _up_to_64(s: bytes) -> int:
    n = len(s)
    mul = _K2 + n * 2
    a, y, rest = _ends(s, mul)
    z = _pair(y, rest, mul)
    e, f = _word(s, 16) * mul, _word(s, 24)
    g, h = (y + _word(s, n - 32)) * mul, (z + _word(s, n - 24)) * mul
    return _pair(_turned(e + f, 43) + _turned(g, 30) + h, e + _turned(f + a, 18) + g, mul)


def _weak(s: bytes, at: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(s, at + 8 * i) for i in range(4))
    a += w
    b = _turned(b + a + z, 21)
    total = a + x + y
    return (total + z) & _WORD, (b + _turned(total, 44) + a) & _WORD


def _longer(s: bytes) -> int:
    n, seed = len(s), 81
    x, y = (seed * _K2 + _word(s, 0)) & _WORD, (seed * _K1 + 113) & _WORD
    z = _mixed(y * _K2 + 113) * _K2 & _WORD
    v, w = (0, 0), (0, 0)

    def block(at: int, mul: int, far: int) -> None:
        nonlocal x, y, z, v, w
        x = _turned(x + y + v[0] + _word(s, at + 8), 37) * mul
        y = _turned(y + v[1] + _word(s, at + 48), 42) * mul
        x = (x & _WORD) ^ (w[1] * far & _WORD)
        y = (y + v[0] * far + _word(s, at + 40)) & _WORD
        z = _turned(z + w[0], 33) * mul & _WORD
        v = _weak(s, at, v[1] * mul, x + w[0])
        w = _weak(s, at + 32, z + w[1], y + _word(s, at + 16))
        z, x = x, z

    for at in range(0, (n - 1) // 64 * 64, 64):
        block(at, _K1, 1)
    mul = _K1 + ((z & 0xFF) << 1)
    w0 = (w[0] + (n - 1 & 63)) & _WORD
    v0 = (v[0] + w0) & _WORD
    v, w = (v0, v[1]), ((w0 + v0) & _WORD, w[1])
    block(n - 64, mul, 9)
    return _pair(_pair(v[0], w[0], mul) + _mixed(y) * _K0 + z, _pair(v[1], w[1], mul) + x, mul)


def keyed(data: bytes, key: tuple[int, int]) -> int:
    """SipHash-2-4 with a key of two 64-bit numbers, from 0 to 2**64 - 1.

    >>> hex(keyed(bytes(range(15)), (0x0706050403020100, 0x0F0E0D0C0B0A0908)))  # the example of the paper
    '0xa129ca6149be45e5'
    """
    k0, k1 = key[0] & _WORD, key[1] & _WORD
    state = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    whole = len(data) // 8 * 8
    last = (len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little")
    for word in [*(_word(data, at) for at in range(0, whole, 8)), last]:
        state[3] ^= word
        _rounds(state, 2)
        state[0] ^= word
    state[2] ^= 0xFF
    _rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _rounds(v: list[int], count: int) -> None:
    def left(value: int, by: int) -> int:
        return _turned(value, 64 - by)

    for _ in range(count):
        v[0] = (v[0] + v[1]) & _WORD
        v[2] = (v[2] + v[3]) & _WORD
        v[1], v[3] = left(v[1], 13) ^ v[0], left(v[3], 16) ^ v[2]
        v[0] = left(v[0], 32)
        v[2] = (v[2] + v[1]) & _WORD
        v[0] = (v[0] + v[3]) & _WORD
        v[1], v[3] = left(v[1], 17) ^ v[2], left(v[3], 21) ^ v[0]
        v[2] = left(v[2], 32)
