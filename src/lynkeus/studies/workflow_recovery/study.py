"""How often is advice about failed tasks right, are wrong decisions found, and does what it promises hold later?"""

from __future__ import annotations

import json
from importlib import resources

from lynkeus.core import Check, Repeated
from lynkeus.studies.workflow_recovery.measured import Recovery

TASKS, SMOKE = 2000, 1000
QUESTION = (
    "A task of a production has failed: run the failed part again (acdc, 88 %), clone it (10 %) or treat it otherwise "
    "(2 %)? The public studies that this follows had a balanced accuracy of 0.656 (acdc or not) where always acdc is "
    "right in 87 %. Beside the two stages of the advisor one stage, boosted trees, rules and the majority."
)
NOTES = {
    "recovery": "Later tasks of the same kind. Balanced accuracy: of usual or not. Confusion MSE: mean square of the "
    "confusion matrix with rows of 1, less the identity.",
    "planted wrong decisions": "5 % of the decisions are planted wrong ones, beside the habit of operators to do what "
    "is usual (10 %), which is not planted and counts as right. Each decision is judged by models that have not seen "
    "it; most doubtful first.",
    "months with drift": "Learned from the first half of the time, applied in the second, in which a site or a code is "
    "new, a rule has changed (storage failures, a quarter of all tasks, are cloned), or a site has turned bad. Wrong: "
    "people decided otherwise. Sure: by the confidence alone. Blind: apply of the table of `lynkeus score` where the "
    "file does not say what was decided: what is unlike the tasks that were learned from is held; of a new rule "
    "nothing can be seen. Table: where it does, the decisions about the tasks before each one say whether advice about "
    "its code is still trusted. Served: as `lynkeus serve --apply` does it, which knows only the decisions about what "
    "it asked: most of the first ones about a code, then a tenth.",
}


def workflow_recovery(smoke: bool = False) -> Repeated:
    """Return the study."""
    measure = Recovery(SMOKE, ("none",)) if smoke else Recovery(TASKS)
    return Repeated(
        "workflow_recovery", QUESTION, measure,
        seeds=(1, 2) if smoke else tuple(range(1, 9)), checks=_checks("smoke" if smoke else "full"), notes=NOTES,
        data=f"{SMOKE if smoke else TASKS:,} simulated tasks a fit (`sim://workflows`)",
    )  # fmt: skip


def _checks(which: str) -> tuple[Check, ...]:
    """Bounds from `expected.json`, beside this file."""
    text = resources.files(__package__).joinpath("expected.json").read_text(encoding="utf-8")
    bounds = json.loads(text)[which]
    return tuple(Check(metric, bound.get("at_least"), bound.get("at_most")) for metric, bound in bounds.items())
