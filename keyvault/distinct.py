"""How many different things there were, without remembering one of them: a HyperLogLog sketch.

Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation algorithm" (2007); the estimator is the improved raw
one of Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017, algorithms 4 to 6), which has no ranges of its own
for few and for many.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from hashlib import blake2b
from typing import Final, Self

from keyvault import base64url

_INDEX_BITS: Final = 11
_REGISTERS: Final = 1 << _INDEX_BITS
_REST_BITS: Final = 64 - _INDEX_BITS
_RANKS: Final = _REST_BITS + 1
"""A register is 0 before its first, and then 1 to this."""
STANDARD_ERROR: Final = 1.04 / math.sqrt(_REGISTERS)
"""Of an estimate, as a part of it: 2.3 %. Few are told almost exactly."""


class Distinct:
    """A set that only knows about how many members it has. It grows, and joins with others that were made with the same secret.

    A member leaves its mark as a hash that is keyed with a secret: who has the sketch but not the secret can't ask whether somebody is in
    it, and even with the secret the answer is never more than "maybe". It takes 2 KB in memory and at most about 1.4 KB of text.
    """

    __slots__ = ("_registers",)

    def __init__(self) -> None:
        self._registers = bytearray(_REGISTERS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Distinct) and self._registers == other._registers

    __hash__ = None  # type: ignore[assignment]  # it changes

    def add(self, member: str, secret: bytes) -> None:
        """Counts the member, unless it was counted before.

        Args:
            member: of the set.
            secret: 16 to 64 random bytes, the same for everything that is to be joined.
        """
        # A lone surrogate is no character of any text; it must not stop whoever counts.
        found = int.from_bytes(blake2b(member.encode(errors="surrogatepass"), digest_size=8, key=secret).digest())
        rest = found & ((1 << _REST_BITS) - 1)
        rank = _RANKS - rest.bit_length()
        index = found >> _REST_BITS
        self._registers[index] = max(self._registers[index], rank)

    def join(self, other: Distinct) -> None:
        """Counts all members of the other set, too."""
        self._registers[:] = bytes(map(max, self._registers, other._registers))

    def estimate(self) -> int:
        """About how many members there are; see `STANDARD_ERROR`."""
        counts = Counter(self._registers)
        if counts[0] == _REGISTERS:
            return 0
        z = _REGISTERS * _tau(1 - counts[_RANKS] / _REGISTERS)
        for rank in range(_REST_BITS, 0, -1):
            z = 0.5 * (z + counts[rank])
        z += _REGISTERS * _sigma(counts[0] / _REGISTERS)
        return round(_REGISTERS * _REGISTERS / (2 * math.log(2) * z))

    def encode(self) -> str:
        """The sketch as text; short while there are few members."""
        return base64url.encode(zlib.compress(self._registers, 9))

    @classmethod
    def decode(cls, text: str) -> Self:
        """The sketch that `encode` wrote.

        Raises:
            ValueError: the text is no sketch.
        """
        unpack = zlib.decompressobj()
        try:
            registers = unpack.decompress(base64url.decode(text), _REGISTERS + 1)
        except zlib.error as error:
            raise ValueError(f"not a sketch: {error}") from error
        if len(registers) != _REGISTERS or max(registers) > _RANKS:
            raise ValueError(f"not a sketch of {_REGISTERS} registers up to {_RANKS}")
        sketch = cls()
        sketch._registers[:] = registers
        return sketch


def _sigma(x: float) -> float:
    """Ertl's correction for registers that nothing fell into."""
    if x == 1:
        return math.inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    """Ertl's correction for registers that can grow no more."""
    if x in {0, 1}:
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = math.sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3
