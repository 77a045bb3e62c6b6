"""How many decisions on pads are wrong, with an eye-scan, with a partly wrong one, and without any?"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from lynkeus.core import Case, Check, Comparison, Part, plugins
from lynkeus.core.protocols import Source
from lynkeus.studies.tpc_pads.baselines import chi2_to_mean, peak_cuts
from lynkeus.studies.tpc_pads.look import PadLook
from lynkeus.studies.tpc_pads.samples import Known

PADS, LABELS, WRONG = 12_000, 1_000, 0.03
SMOKE, CURVE = 2_500, 3_000
QUESTION = (
    "The charge spectrum of 83mKr of each pad is good or problematic. How often is that decision wrong, learned from "
    "an eye-scan of 1,000 pads, from one of which 3 % of the labels are wrong, and from none? The document that this "
    "follows has 2.6 %. Beside it cuts on a peak that is searched for, chi-square to the mean spectrum, and the dense "
    "network of the document; the test pads are of another run and other faults."
)


def tpc_pads(smoke: bool = False) -> Comparison:
    """Return the study."""
    pads = SMOKE if smoke else PADS
    parts = {
        "eye-scan": _part(pads, {"labels": LABELS}, "label"),
        "partly wrong eye-scan": _part(pads, {"labels": LABELS, "wrong": WRONG}, "label"),
        "no labels": _part(pads, {}, "", not smoke),
    }
    if smoke:
        del parts["eye-scan"]
    return Comparison("tpc_pads", QUESTION, parts, _checks("smoke" if smoke else "full"))


def _part(pads: int, eye_scan: dict[str, Any], labels: str, curve: bool = False) -> Part:
    few = (Known(_pads(CURVE, 3), "truth_class"), Known(_pads(CURVE, 4), "truth_class"))
    train = Known(_pads(pads, 1, **eye_scan), labels)
    test = Known(_pads(pads, 2), "truth_class")
    return Part(
        cases={"krypton": Case(train, test)},
        scorers={"pad_spectrum": {}},
        baselines={"peak cuts": peak_cuts, "chi-square": chi2_to_mean} if labels else {},
        look=PadLook(train if labels else None, few if curve else None),
        data=f"{pads:,} simulated pads of NA61 (`sim://tpc_pads`), 12 % of them bad; a fifth is kept from the fit",
    )


def _pads(pads: int, seed: int, **what: Any) -> Source:
    found: Source = plugins.load("simulators", "tpc_pads")(n=pads, seed=seed, **what)
    return found


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
