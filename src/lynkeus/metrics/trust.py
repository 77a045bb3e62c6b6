"""Trust: whether a promised share of errors still holds, group by group, by what people decide.

A promise is for samples like those that were learned from. After a new rule it does not hold, and no model can see that
in the samples: only in what people decide about them. Each group is either as it was, or has changed; how probable that
is follows from its decisions one by one (a hidden Markov chain of two states, Page 1954 for the question), so that two
errors close together count for more than two in a year.
"""

from __future__ import annotations

from collections.abc import Mapping

CHANGE = 0.01  # chance, from one decision to the next, that a group has changed
CHANGED = 0.3  # share of errors of a group that has changed; rules that are new are wrong more often
ALL_CHANGED = 0.15  # of all groups together, where some have changed
SHAKEN = 0.5  # chance that all together have changed, from which each group must show itself anew
LEAST, MOST = 0.002, 0.6  # of the share of errors that is expected; MOST of what was promised


class Trust:
    """Told of each decision whether the advice was `wrong`, says of which groups advice may be applied, such that the
    share of errors that is expected stays below `promised`.

    `expected`: share of errors as it was found where the promise comes from; `doubt`: chance that a group that was
    never met has changed; 0.5 asks for about six decisions that agree, before anything of it is applied.
    """

    def __init__(self, promised: float, expected: float, doubt: float = CHANGE) -> None:
        self.promised, self.expected = promised, min(max(expected, LEAST), MOST * promised)
        self.doubt, self.all = doubt, 0.0
        self.groups: dict[str, float] = {}

    def tell(self, group: str, wrong: bool) -> None:
        """Take note of a decision about advice that may be applied."""
        self.groups[group] = self._moved(self.groups.get(group, self.doubt), wrong, CHANGED)
        self.all = self._moved(self.all, wrong, ALL_CHANGED)
        if self.all > SHAKEN:
            self.all, self.doubt = 0.0, max(self.doubt, SHAKEN)
            self.groups = {name: max(own, SHAKEN) for name, own in self.groups.items()}

    def _moved(self, changed: float, wrong: bool, errors: float) -> float:
        changed += (1.0 - changed) * CHANGE
        new, old = (errors, self.expected) if wrong else (1.0 - errors, 1.0 - self.expected)
        return changed * new / (changed * new + (1.0 - changed) * old)

    def errors(self, group: str) -> float:
        """Return the share of errors that is expected of the next advice about a group."""
        changed = self.groups.get(group, self.doubt)
        return changed * CHANGED + (1.0 - changed) * self.expected

    def allows(self, group: str) -> bool:
        """Return whether advice about a group may be applied."""
        return self.errors(group) <= self.promised

    def held(self) -> list[str]:
        """Return the groups that were met and about which nothing may be applied, in their order."""
        return sorted(name for name in self.groups if not self.allows(name))

    def state(self) -> dict[str, float]:
        """Return all numbers that it goes on from: of groups, `""` of all together, and of what was never met."""
        return {**{f"group {name}": own for name, own in self.groups.items()}, "all": self.all, "doubt": self.doubt}

    def resume(self, state: Mapping[str, float]) -> None:
        """Go on from a state."""
        self.all, self.doubt = float(state.get("all", self.all)), float(state.get("doubt", self.doubt))
        self.groups = {name[6:]: float(own) for name, own in state.items() if name.startswith("group ")}
