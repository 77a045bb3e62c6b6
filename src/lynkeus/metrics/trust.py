"""Trust: whether a promised share of errors still holds, group by group, by what people decide.

A promise is for samples like those that were learned from. After a new rule it does not hold, and no model can see that
in the samples: only in what people decide about them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

LAST, LAST_OF_ALL = 60, 60  # decisions of a group, and of all that are trusted together, that say how it is now
PRIOR = 20  # decisions that the expected share of errors counts for, where few are known
SHAKEN = 2.0  # times what was promised is expected of each group, where all together break the promise
DEVIATIONS = 1.0  # standard deviations that a group must stay below it then
LEAST, MOST = 0.002, 0.6  # of the share of errors that is expected; MOST of what was promised
ASKED, ASKED_FIRST = 0.1, 0.7  # share of advice that people decide all the same: of groups well known, and of new ones


class Trust:
    """Told of decisions whether the advice was `wrong`, says of which groups advice may be applied, such that the share
    of errors that is to be expected stays below `promised`.

    A sample belongs to one or several groups. `expected`: share of errors as it was found where the promise comes from;
    `probation`: decisions that must be known before any group is trusted that has not shown itself.
    """

    def __init__(self, promised: float, expected: float, probation: int = 0) -> None:
        self.promised, self.expected = promised, min(max(expected, LEAST), MOST * promised)
        self.probation, self.heard, self.wrong = probation, 0, 0
        self.all: deque[bool] = deque(maxlen=LAST_OF_ALL)
        self.groups: dict[str, deque[bool]] = {}

    def tell(self, groups: Sequence[str], wrong: bool) -> None:
        """Take note of a decision about advice that may be applied. An error is blamed on the one of its groups that
        makes most errors, where that makes more than were promised, and on all where none does."""
        worst = max(groups, key=lambda one: self.errors(one, self.expected), default="")
        held = self.errors(worst, self.expected) > self.promised
        if not held:
            self.all.append(wrong)
        for one in (worst,) if wrong and held else groups:
            self.groups.setdefault(one, deque(maxlen=LAST)).append(wrong)
        self.heard += 1
        self.wrong += wrong

    def errors(self, group: str, expected: float) -> float:
        """Return the share of errors of a group: of its last decisions, and where they are few as expected."""
        own = self.groups.get(group, ())
        return (sum(own) + PRIOR * expected) / (len(own) + PRIOR)

    @property
    def is_shaken(self) -> bool:
        """Return whether groups must show themselves: by all decisions but those of groups that are held already."""
        return (
            self.heard < self.probation
            or (sum(self.all) + PRIOR * self.expected) / (len(self.all) + PRIOR) > self.promised
        )

    def allows(self, groups: Sequence[str]) -> bool:
        """Return whether advice about what belongs to these groups may be applied."""
        return all(self._allows(one) for one in groups)

    def _allows(self, group: str) -> bool:
        if not self.is_shaken:
            return self.errors(group, self.expected) <= self.promised
        share = self.errors(group, SHAKEN * self.promised)
        cases = len(self.groups.get(group, ())) + PRIOR
        return bool(share + DEVIATIONS * (share * (1.0 - share) / cases) ** 0.5 <= self.promised)

    def asked(self, groups: Sequence[str]) -> float:
        """Return which share of advice about groups people should decide all the same: less, the more they have."""
        known = min((len(self.groups.get(one, ())) for one in groups), default=0)
        return max(ASKED, min(ASKED_FIRST, 1.0 / (1.0 + known)))

    @property
    def held(self) -> list[str]:
        """Return the groups about which there are decisions and nothing may be applied, in their order."""
        return sorted(name for name in self.groups if not self._allows(name))

    def state(self) -> dict[str, list[bool]]:
        """Return the last decisions by group, and under "/all" those of all."""
        return {"/all": list(self.all), **{name: list(own) for name, own in self.groups.items()}}

    def resume(self, state: Mapping[str, Sequence[bool]], heard: int) -> None:
        """Go on from a state, after so many decisions."""
        self.heard = heard
        self.all = deque(state.get("/all", ()), maxlen=LAST_OF_ALL)
        self.groups = {name: deque(own, maxlen=LAST) for name, own in state.items() if name != "/all"}
