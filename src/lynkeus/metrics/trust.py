"""Trust: whether a promised share of errors still holds, group by group, by what people decide.

A promise is for samples like those that were learned from. After a new rule it does not hold, and no model can see that
in the samples: only in what people decide about them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

LAST, LAST_OF_ALL = 60, 60  # decisions of a group, and of all that are trusted together, that say how it is now
PRIOR = 20  # decisions that the expected share of errors counts for, where few are known
BESIDES = "~"  # ends the name of a group that is only a small part of a sample
SHAKEN = 2.0  # times what was promised is expected of each group, where all together break the promise
DEVIATIONS = 1.0  # standard deviations that a group must stay below it then
LEAST, MOST = 0.002, 0.6  # of the share of errors that is expected; MOST of what was promised
ASKED, ASKED_FIRST = 0.1, 0.7  # share of advice that people decide all the same: of groups well known, and of new ones


class Trust:
    """Told of decisions whether the advice was `wrong`, says of which groups advice may be applied, such that the share
    of errors that is to be expected stays below `promised`.

    A sample belongs to one or several groups; those whose name ends in BESIDES are a small part of it: they are held
    where they make errors, so that these are not blamed on others, but need not show themselves. `expected`: share of
    errors as it was found where the promise comes from; `probation`: decisions that must be known before any group is
    trusted that has not shown itself.
    """

    def __init__(self, promised: float, expected: float, probation: int = 0) -> None:
        self.promised, self.expected = promised, min(max(expected, LEAST), MOST * promised)
        self.probation, self.heard, self.wrong = probation, 0, 0
        self.all: deque[bool] = deque(maxlen=LAST_OF_ALL)
        self.groups: dict[str, deque[bool]] = {}
        self._told: dict[str, tuple[int, int]] = {}  # errors and decisions of a group, as in `groups`
        self._failing: dict[str, bool] = {}  # as long as nothing new is known of a group
        self._surely: dict[tuple[int, int], bool] = {}  # by errors and decisions

    def tell(self, groups: Sequence[str], wrong: bool) -> None:
        """Take note of a decision about advice that may be applied. An error is blamed on the one of its groups that
        makes most errors, where that makes more than were promised, and on all where none does."""
        failing = [one for one in groups if self._fails(one)]
        if not failing:
            self.all.append(wrong)
        elif wrong:
            groups = (max(failing, key=lambda one: self.errors(one, self.expected)),)
        for one in groups:
            if one not in self.groups:
                self.groups[one] = deque(maxlen=LAST)
            self.groups[one].append(wrong)
            self._told[one] = (sum(self.groups[one]), len(self.groups[one]))
            self._failing.pop(one, None)
            self._failing.pop(one + BESIDES, None)
        self.heard += 1
        self.wrong += wrong

    def errors(self, group: str, expected: float) -> float:
        """Return the share of errors of a group: of its last decisions, and where they are few as expected."""
        wrong, cases = self._told.get(group, (0, 0))
        return (wrong + PRIOR * expected) / (cases + PRIOR)

    @property
    def is_shaken(self) -> bool:
        """Return whether groups must show themselves: by all decisions but those of groups that are held already."""
        return (
            self.heard < self.probation
            or (sum(self.all) + PRIOR * self.expected) / (len(self.all) + PRIOR) > self.promised
        )

    def allows(self, groups: Sequence[str]) -> bool:
        """Return whether advice about what belongs to these groups may be applied."""
        shaken = self.is_shaken
        return not any(self._fails(one) for one in groups) and (
            not shaken or all(self._shows_itself(one) for one in groups if not one.endswith(BESIDES))
        )

    def _shows_itself(self, group: str) -> bool:
        """Return whether a group makes so few errors that its decisions alone say that the promise holds."""
        share = self.errors(group, SHAKEN * self.promised)
        return share + DEVIATIONS * self._spread(group, share) <= self.promised

    def _fails(self, group: str) -> bool:
        """Return whether a group makes more errors than were promised. One that is only a small part, of which each
        sample has many, must do so beyond chance, or else show that it does not where it does as the chief part."""
        if (known := self._failing.get(group)) is not None:
            return known
        if not group.endswith(BESIDES):
            found = self.errors(group, self.expected) > self.promised
        elif self._surely_fails(group.removesuffix(BESIDES)):
            found = self.errors(group, SHAKEN * self.promised) > self.promised
        else:
            found = self._surely_fails(group)
        self._failing[group] = found
        return found

    def _surely_fails(self, group: str) -> bool:
        told = self._told.get(group, (0, 0))
        if (found := self._surely.get(told)) is None:
            share = self.errors(group, self.expected)
            found = self._surely[told] = share - DEVIATIONS * self._spread(group, share) > self.promised
        return found

    def _spread(self, group: str, share: float) -> float:
        """Return the standard deviation of a share of errors of a group."""
        cases = self._told.get(group, (0, 0))[1] + PRIOR
        return (share * (1.0 - share) / cases) ** 0.5

    def asked(self, groups: Sequence[str]) -> float:
        """Return which share of advice about groups people should decide all the same: less, the more they have."""
        chief = (one for one in groups if not one.endswith(BESIDES))
        known = min((len(self.groups.get(one, ())) for one in chief), default=0)
        return max(ASKED, min(ASKED_FIRST, 1.0 / (1.0 + known)))

    @property
    def held(self) -> list[str]:
        """Return the groups about which there are decisions and nothing may be applied, in their order."""
        return sorted(name for name in self.groups if not self.allows([name]))

    def state(self) -> dict[str, list[bool]]:
        """Return the last decisions by group, and under "/all" those of all."""
        return {"/all": list(self.all), **{name: list(own) for name, own in self.groups.items()}}

    def resume(self, state: Mapping[str, Sequence[bool]], heard: int) -> None:
        """Go on from a state, after so many decisions."""
        self.heard = heard
        self.all = deque(state.get("/all", ()), maxlen=LAST_OF_ALL)
        self.groups = {name: deque(own, maxlen=LAST) for name, own in state.items() if name != "/all"}
        self._told = {name: (sum(own), len(own)) for name, own in self.groups.items()}
        self._failing.clear()
