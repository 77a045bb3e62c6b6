"""What a pass over rows in time has found, as rows of a ledger, and back: the same numbers, whoever made the pass."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from lynkeus.commission.passes import Placed, Undisturbed
from lynkeus.commission.turn_on import Case, Outcome
from lynkeus.core import Alarm
from lynkeus.files.journal import Row


def undisturbed_row(found: Undisturbed) -> Row:
    """Return the pass over the data as they are, as a row of plain numbers."""
    alarms = {output: [asdict(alarm) for alarm in own] for output, own in found.alarms.items()}
    return found._asdict() | {"alarms": alarms, "scores": found.scores.tolist()}


def undisturbed_of(row: Row, outputs: int) -> Undisturbed:
    """Return the pass that a row holds, of a scorer of so many outputs."""
    alarms = {output: tuple(Alarm(**alarm) for alarm in own) for output, own in row["alarms"].items()}
    return Undisturbed(**row | {"alarms": alarms, "scores": np.array(row["scores"]).reshape(-1, outputs)})


def placed_row(case: Case, output: str, placed: Placed) -> Row:
    """Return what an output made of a fault of a pass, as a row of plain numbers."""
    plain = placed.outcome._asdict()
    plain |= {name: np.asarray(plain[name]).tolist() for name in ("scores", "right")}
    plain |= {"found": bool(plain["found"]), "luck": float(plain["luck"])}
    return {"case": list(case), "output": output, "outcome": plain, "span": [placed.start_ns, placed.end_ns]}


def placed_of(row: Row) -> tuple[tuple[Case, str], Placed]:
    """Return the case and output that a row is of, and what was made of it."""
    arrays = {name: np.array(row["outcome"][name], float) for name in ("scores", "right")}
    return (Case(*row["case"]), row["output"]), Placed(Outcome(**row["outcome"] | arrays), *row["span"])
