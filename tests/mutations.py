"""Bytes that nobody foresaw: what disks, networks and people do to a file."""

from __future__ import annotations

import numpy as np

WORDS = (
    b"9" * 400, b"1e999", b"-", b"\x00", b"nan", b'"', b"[", b"{", b"\xff\xfe", b"\n", b",", b"(", b"9" * 5000,
    b"(a+)+$", b"\xed\xa0\x80", b"[" * 3000, b"99999999999999999999",
)  # fmt: skip


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """Return the bytes with one to three things done to them, more often near the beginning."""
    made = bytearray(data)
    for _ in range(random.integers(1, 4)):
        if not made:
            break
        most = min(len(made), 512) if random.random() < 0.4 else len(made)
        at = int(random.integers(most))
        end = min(at + int(random.integers(1, 64)), len(made))
        what = int(random.integers(7))
        if what == 0:
            made[at] ^= 1 << int(random.integers(8))
        elif what == 1:
            made[at:end] = bytes(end - at)
        elif what == 2:
            made[at:end] = b"\xff" * (end - at)
        elif what == 3:
            made[at:end] = random.bytes(end - at)
        elif what == 4:
            made = made[:at] if random.random() < 0.3 else made[:at] + made[end:]
        elif what == 5:
            made[at:at] = made[at:end]
        else:
            word = WORDS[int(random.integers(len(WORDS)))]
            made[at : at + (len(word) if random.random() < 0.5 else 0)] = word
    return bytes(made)
