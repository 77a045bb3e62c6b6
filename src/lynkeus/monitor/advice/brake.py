"""Brake: what was promised of applied advice is checked by people, and where it does not hold nothing is applied.

A promise is for tasks like those that were learned from. After a new rule it does not hold, and no model can see that
in the tasks: only in what people decide. So some sure advice is always asked about (audited), most of it about kinds of
tasks of which few decisions are known, and `Trust` says from the decisions which kinds still keep the promise.
"""

from __future__ import annotations

import hashlib


def is_audited(digest: str, share: float) -> bool:
    """Return whether a task of this checksum is left to people, whoever asks and whenever; one of a smaller share also
    is of a larger one."""
    number = int.from_bytes(hashlib.blake2b(digest.encode(), digest_size=4).digest(), "big")
    return number < share * 2**32
