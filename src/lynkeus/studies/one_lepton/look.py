"""What the study looks at: a whole search with the network that was learned, and the region of the earlier analysis."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.commission.figures import save
from lynkeus.core import Batch, Findings, Floats, Tagged
from lynkeus.metrics.significance import asimov_significance
from lynkeus.searches.events import Events, read_all
from lynkeus.searches.plan.plan import Plan
from lynkeus.searches.plan.read import plan_of
from lynkeus.searches.report.figures import figures_of
from lynkeus.searches.run import Search, run

UNCERTAIN = 0.2  # share of the background, in the comparison of signal regions
LEAST_JETS, LEAST_B = 5, 1  # of the earlier analysis
SHOWN = ("regions", "factors", "limits", "limit_plane")
CAPTIONS = {
    "regions": "Control regions at the first point: as simulated, and scaled to the data",
    "factors": "Factors by mass point; thin: with systematics",
    "limits": "Limits on the signal strength by mass point: expected without a signal, bands of one and two sigmas",
    "limit_plane": "The same in the plane of masses; filled: excluded",
}


@dataclass(frozen=True)
class SearchLook:
    """Searches in `data` with `simulation` (both sim://), into which the factors `true` are injected, at `points`."""

    simulation: str
    data: str
    true: Mapping[str, float]
    points: Sequence[str]

    def __call__(self, test: Batch, tagged: Sequence[Tagged], folder: Path) -> Findings:
        """Return figures, metrics and tables."""
        model = folder / "model"
        if not model.exists():
            tagged[0].models[0].save(model)
        plan = self.plan(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pyhf on the way to a minimum
            found = run(plan, folder / "search")
        for name, figure in figures_of(found).items():
            if name in SHOWN:
                save(figure, folder / f"{name}.svg")
        earlier = earlier_region(read_all(plan.samples.simulation, plan.samples), plan, found)
        tables = {
            "Factors, data over simulation, ± of data and simulation ± of systematics": self._factors(found),
            "Errors, by 300 pseudo-experiments, and pyhf's fit of the same regions": self._errors(found),
            "A signal of strength 1 in the control regions: its share of the data there, and by how much it moves each "
            "factor, in errors": _contamination(found),
            f"Expected significance (Asimov, background uncertain by {UNCERTAIN:.0%} and by its simulation)": _power(
                found, earlier
            ),
        }
        captions = {f"{name}.svg": CAPTIONS[name] for name in SHOWN if (folder / f"{name}.svg").is_file()}
        return Findings(captions, self._metrics(found, earlier), tables)

    def plan(self, model: Path) -> Plan:
        """Return the plan of the search."""
        given: dict[str, Any] = {
            "name": "one lepton", "signal": "signal", "parameters": ["m_gluino", "m_lsp"], "points": list(self.points),
            "samples": {"simulation": self.simulation, "data": self.data, "model": str(model.resolve())},
            "processes": {"normalised": list(self.true)[::-1], "fixed": {"qcd": 0.5}},
            "regions": {
                "signal": {"class": "signal", "signal": True, "bins": 3}, "one lepton": {"class": "tt1l"},
                "two leptons": {"class": "tt2l"}, "W+jets": {"class": "wjets"}, "QCD": {"class": "qcd"},
            },
            "systematics": {"btag": "weights", "isr": "weights", "jec": "columns", "lumi": 0.025,
                            "wscale": {"kind": "weights", "processes": ["wjets"]}},
        }  # fmt: skip
        return plan_of(given, "the study", model.parent)

    def _factors(self, found: Search) -> list[list[str]]:
        rows = [["point", *(f"{name} (true {self.true[name]:g})" for name in found.plan.normalised)]]
        for point, one in found.estimates.items():
            values = zip(one["factors"], one["errors"], one["errors_systematic"], strict=True)
            rows.append([point, *(f"{value:.3f} ± {error:.3f} ± {other:.3f}" for value, error, other in values)])
        return rows

    def _errors(self, found: Search) -> list[list[str]]:
        rows = [["point", "within one sigma", "width of pulls", "largest difference of pyhf, in errors", "condition",
                 "largest move by a signal of strength 1, in errors"]]  # fmt: skip
        for point, one in found.estimates.items():
            boot = one["bootstrap"]
            rows.append([
                point, ", ".join(f"{x:.0%}" for x in boot["inside"]), ", ".join(f"{x:.2f}" for x in boot["width"]),
                f"{np.abs(one['pyhf_difference']).max():.4f}", f"{one['condition']:.2f}",
                f"{np.abs(one['contamination']['moved']).max():.2f}",
            ])  # fmt: skip
        return rows

    def _metrics(self, found: Search, earlier: Mapping[str, tuple[float, float, float]]) -> dict[str, float]:
        true = np.array([self.true[name] for name in found.plan.normalised])
        every = [{key: np.array(one[key]) for key in ("factors", "errors")} for one in found.estimates.values()]
        pulls = np.array([(one["factors"] - true) / one["errors"] for one in every])
        values = np.array([one["factors"] for one in every])
        boots = [one["bootstrap"] for one in found.estimates.values()]
        j = list(found.plan.normalised).index("wjets")
        z = {name: _network(found, name) for name in found.points}
        better = [z[name] / max(earlier[name][2], 1e-9) for name in found.points]
        return {
            "factors.largest_pull": float(np.abs(pulls).max()),
            "factors.wjets": float(values[:, j].mean()),
            "factors.wjets_error": float(np.mean([one["errors"][j] for one in every])),
            "factors.spread_in_errors": float((np.ptp(values, axis=0) / every[0]["errors"]).max()),
            "factors.inside": float(np.mean([boot["inside"] for boot in boots])),
            "factors.width": float(np.mean([boot["width"] for boot in boots])),
            "factors.pyhf_difference": float(max(np.abs(one["pyhf_difference"]).max() for one in
                                                 found.estimates.values())),
            "significance.over_earlier_region": float(np.median(better)),
        }  # fmt: skip


def earlier_region(events: Events, plan: Plan, found: Search) -> dict[str, tuple[float, float, float]]:
    """Return signal, background and significance in the region of the earlier analysis: a large angle between W and
    lepton, five jets, a b tag."""
    inside = (events.columns["region"] == "high_dphi") & (events.columns["n_jet"] >= LEAST_JETS)
    inside &= events.columns["n_b"] >= LEAST_B
    background = inside & ~events.of(plan.signal, plan.samples.labels)
    b, b2 = float(events.weight[background].sum()), float((events.weight[background] ** 2).sum())
    masses = events.values(plan.parameters)
    rows = {}
    for point in found.points:
        at = np.array([float(one) for one in point.split("_")])
        own = inside & events.of(plan.signal, plan.samples.labels) & np.isclose(masses, at).all(axis=1)
        s = float(events.weight[own].sum())
        rows[point] = s, b, _z(np.array([s]), np.array([b]), np.array([b2]))
    return rows


def _network(found: Search, point: str) -> float:
    """Return the significance of the bins of the network's signal region, before factors, by the same formula."""
    rows = found.estimates[point]["prediction"]
    s, b, error = (np.array([row[key] for row in rows]) for key in ("signal", "simulation", "error_simulation"))
    return _z(s, b, error**2)


def _z(signal: Floats, background: Floats, variance: Floats) -> float:
    sigma = np.sqrt((UNCERTAIN * background) ** 2 + variance)
    return float(np.sqrt(np.sum(asimov_significance(signal, np.maximum(background, 1e-9), sigma) ** 2)))


def _contamination(found: Search) -> list[list[str]]:
    first = found.estimates[found.points[0]]
    rows = [["point", *(f"in {name}" for name in first["regions"]), *(f"moves {b}" for b in first["backgrounds"])]]
    for point, one in found.estimates.items():
        own = one["contamination"]
        rows.append([point, *(f"{x:.3%}" for x in own["share"]), *(f"{x:+.3f}" for x in own["moved"])])
    return rows


def _power(found: Search, earlier: Mapping[str, tuple[float, float, float]]) -> list[list[str]]:
    rows = [["point", "network: signal", "background", "Z", "angle, 5 jets, 1 b: signal", "background", "Z",
             "expected limit on the strength"]]  # fmt: skip
    for point in found.points:
        own, (s, b, z) = found.likelihoods[point], earlier[point]
        rows.append([
            point, f"{own['signal']:.3g}", f"{own['background']:.3g}", f"{_network(found, point):.2f}", f"{s:.3g}",
            f"{b:.3g}", f"{z:.2f}", f"{own['limit_expected'][2]:.3g}",
        ])  # fmt: skip
    return rows
