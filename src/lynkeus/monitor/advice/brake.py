"""Brake: what was promised of applied advice is checked by people, and where it does not hold nothing is applied.

A promise is for tasks like those that were learned from. After a new rule it does not hold, and no model can see that
in the tasks: only in what people decide. So some sure advice is always asked about (audited).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque

AUDITED = 0.1  # of sure advice that people decide all the same
LAST = 60  # audited decisions that say how it is now
BROKEN = 0.99  # confidence that a promise is broken: it is looked at after each decision
SURE = 0.9  # that it is kept


def is_audited(digest: str, share: float = AUDITED) -> bool:
    """Return whether a task of this checksum is left to people, whoever asks and whenever."""
    number = int.from_bytes(hashlib.blake2b(digest.encode(), digest_size=4).digest(), "big")
    return number < share * 2**32


class Brake:
    """Told of each audited decision whether the advice was `wrong`, says of which `group` of tasks advice may still be
    applied, such that at most a share `promised` of it is wrong.

    Pulled when the last LAST decisions show more errors than promised, with confidence BROKEN (Clopper & Pearson); then
    a group is released by decisions of its own, which show that it keeps the promise, and held again by others.
    """

    def __init__(self, promised: float) -> None:
        self.promised, self.pulled = promised, False
        self.last: deque[bool] = deque(maxlen=LAST)
        self.groups: defaultdict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=LAST))

    def tell(self, group: str, wrong: bool) -> None:
        """Take note of a decision of a person about advice that may be applied."""
        self.last.append(wrong)
        self.groups[group].append(wrong)
        from scipy.stats import beta  # it takes long to import, and pages do without

        errors, cases = sum(self.last), len(self.last)
        if not self.pulled and errors and beta.ppf(1.0 - BROKEN, errors, cases - errors + 1) > self.promised:
            self.pulled = True
            self.groups.clear()

    def allows(self, group: str) -> bool:
        """Return whether advice about tasks of a group may be applied."""
        if not self.pulled:
            return True
        from scipy.stats import beta

        own = self.groups.get(group, ())
        errors, cases = sum(own), len(own)
        return cases > errors and beta.ppf(SURE, errors + 1, cases - errors) <= self.promised
