"""From hypotheses on the events of a run to changes of named populations, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lynkeus.core import Array, Finding, Floats
from lynkeus.scorers.population.changes import Hypothesis
from lynkeus.scorers.population.density import Density
from lynkeus.transforms.event_columns import Scale

SURE = 4.5  # gain from which a population that is not the chief one is said to have changed (three sigma)
BESIDE = 0.5  # of the chief gain that another change must reach: what one change leaves over looks like others


@dataclass(frozen=True)
class PopulationWords:
    """`names` and `units` of the columns of a view, their `scale`, and the group of events that it is of."""

    names: tuple[str, ...]
    units: tuple[str, ...]
    scale: Scale
    group: str

    def changes(self, density: Density, hypotheses: Sequence[Hypothesis]) -> list[Finding]:
        """Return a finding for each population, the most conspicuous first; all are stable where `hypotheses` is
        empty."""
        populations = np.argsort(-density.share)
        chief = hypotheses[0] if hypotheses else None
        found = [] if chief is None else [self.change(chief, density)]
        for p in map(int, populations):
            own = next((hypothesis for hypothesis in hypotheses if hypothesis.population == p), None)
            if chief is not None and chief.population in (-1, p) and chief.kind != "new":
                if chief.population == p:
                    continue
                found.append(self._stable(density, p, "moved with all others"))
            elif own is not None and own.gain > max(SURE, BESIDE * (chief.gain if chief else 0.0)):
                found.append(self.change(own, density))
            else:
                found.append(self._stable(density, p))
        return found

    def change(self, hypothesis: Hypothesis, density: Density) -> Finding:
        """Return one hypothesis as a finding, in raw units of its columns."""
        sigma = float(np.sqrt(2.0 * max(hypothesis.gain, 0.0)))
        region = self._region(hypothesis.low, hypothesis.high)
        where = self.place(region)
        if hypothesis.kind == "shifted":
            name, log = self.names[hypothesis.column], self.scale.log[hypothesis.column]
            size, unit = (10.0**hypothesis.size, "x") if log else (hypothesis.size, self.units[hypothesis.column])
            whose = (
                self._title("all events")
                if hypothesis.population < 0
                else self.population(density, hypothesis.population)
            )
            return Finding("shifted", whose, name, where, float(size), unit, sigma, region, self.group)
        variables = ", ".join(self.names)
        if hypothesis.kind == "gone":
            whose = self.population(density, hypothesis.population)
            return Finding("gone", whose, variables, where, float(hypothesis.size), "of it", sigma, region, self.group)
        return Finding(
            "new", self._title("new population"), variables, where, float(hypothesis.size), "events", sigma, region
        )

    def population(self, density: Density, number: int) -> str:
        """Return a name for a population: where its highest component is."""
        raw = self._raw(density.top(number))
        at = ", ".join(f"{name} {value:.3g}" for name, value in zip(self.names, raw, strict=True))
        return self._title(f"population near {at}")

    def place(self, region: dict[str, tuple[float, float]]) -> str:
        """Return a region in words, such as "s1 3 to 20, s2 200 to 800"."""
        return ", ".join(f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in region.items())

    def _stable(self, density: Density, number: int, why: str = "") -> Finding:
        weight = np.exp(density.mixture.log_weight) * (density.population == number)
        region = self._region(*density.region(weight))
        return Finding(
            "none", self.population(density, number), "", why or self.place(region), region=region, group=self.group
        )

    def _region(self, low: Floats, high: Floats) -> dict[str, tuple[float, float]]:
        ends = zip(self.names, self._raw(low), self._raw(high), strict=True)
        return {name: (float(a), float(b)) for name, a, b in ends}

    def _raw(self, scaled: Floats) -> Floats:
        """Return values (c,) of scaled columns in the units of the data, the logarithm undone."""
        return np.where(self.scale.log, 10.0 ** np.where(self.scale.log, scaled, 0.0), scaled)

    def _title(self, what: str) -> str:
        return f"{self.group}: {what}" if self.group else what


def kind_change(sigmas: Floats, shares: Floats, usual: Floats, groups: Sequence[str], names: Sequence[str]) -> Finding:
    """Return a finding on the group whose share changed most, or the column that has most or fewest values missing,
    from `shares` of a run (groups + 1 + columns,) and how far they are from `usual`."""
    k = int(np.abs(sigmas).argmax())
    sigma, ratio = float(abs(sigmas[k])), float(shares[k] / max(usual[k], 1e-12))
    if k > len(groups):
        name = names[k - len(groups) - 1]
        where = f"missing in {shares[k]:.2%} of the events, {usual[k]:.2%} in good runs"
        return Finding(
            "gone" if sigmas[k] > 0 else "new", f"values of {name}", name, where, float(shares[k]), "of it", sigma
        )
    group = groups[k] if k < len(groups) else ""
    whose = group or "events of no known group"
    where = f"{shares[k]:.2%} of the events, {usual[k]:.2%} in good runs"
    if sigmas[k] < 0:
        return Finding("gone", whose, "", where, 1.0 - ratio, "of it", sigma, group=group)
    return Finding("new", whose, "", where, float(shares[k] - usual[k]), "of the events", sigma, group=group)


def sentence(change: Finding, p_value: float, others: Sequence[Finding] = ()) -> str:
    """Return a sentence on the chief change, `others` that are sure, too, and the p-value of the run, for the table of
    verdicts and the page."""
    also = [_told(other) for other in others if other.kind != "none"]
    more = f"; also {', '.join(also)}" if also and change.kind != "none" else ""
    return f"{_told(change)}{more}; a good run of this size looks as odd {_how_often(p_value)}"


def _told(change: Finding) -> str:
    if change.kind == "shifted":
        by = f"by a factor {change.size:.4g}" if change.unit == "x" else f"by {change.size:+.4g} {change.unit}".rstrip()
        return f"{change.population} shifted in {change.variable} {by} ({change.sigma:.1f} sigma)"
    if change.kind == "gone":
        return f"{change.population}: {change.size:.0%} missing, {change.where} ({change.sigma:.1f} sigma)"
    if change.kind == "new":
        size = f"{change.size:.3g} {change.unit}"
        return f"{change.population}: {size} more than expected at {change.where} ({change.sigma:.1f} sigma)"
    return "all populations as in good runs"


def _how_often(p_value: float) -> str:
    if p_value > 0.1:
        return "often"
    return f"once in {float(f'{1 / p_value:.2g}'):,.0f}" if p_value > 1e-6 else "less than once in a million"


def group_numbers(group: Array, scaled: Floats, groups: Sequence[str]) -> Floats:
    """Return 0 or 1 (n, groups + 1 + columns) for each event: of which group it is, of none, and which of its values
    are missing."""
    own = np.stack([group == name for name in groups], axis=1)
    return np.column_stack([own, ~own.any(axis=1), ~np.isfinite(scaled)]).astype(float)
