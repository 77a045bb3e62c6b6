"""make_chunks: chunks of jets one after the other; slow ones by several processes where that is allowed, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from lynkeus.core.batch import Batch
from lynkeus.core.progress import report_progress
from lynkeus.files.workers import Work, in_order, processes_allowed
from lynkeus.simulate.jets.cache import keep_chunk, kept_chunk
from lynkeus.simulate.jets.chunk import batch_of
from lynkeus.simulate.jets.plan import Plan
from lynkeus.simulate.jets.pythia import jets as pythia_jets
from lynkeus.simulate.jets.shower import jets as fast_jets

AHEAD = 2  # chunks that each process makes before the first of them is given


def make_chunk(plan: Plan, number: int) -> Batch:
    """Return the jets of the chunk of that number, from 0, made from the seed and the number alone."""
    rng = np.random.default_rng([plan.seed, number])
    label = rng.choice(len(plan.wanted.shares), plan.chunk, p=np.array(plan.wanted.shares))
    if plan.generator == "pythia":
        asked = pythia_jets.Asked(plan.wanted, plan.variation.response, plan.variation.pythia)
        jets = pythia_jets.make_jets(label, asked, (plan.seed, number))
    else:
        jets = fast_jets.make_jets(label, plan.wanted, plan.variation.fast, plan.variation.response, rng)
    return batch_of(jets, label, plan)


def make_chunks(plan: Plan, count: int) -> Iterator[Batch]:
    """Yield the first `count` chunks of jets; those of Pythia are kept on disk, and made by as many processes as are
    allowed."""
    if plan.generator != "pythia":
        for number in range(count):
            yield make_chunk(plan, number)
        return
    processes = processes_allowed()
    work = Work(_begin, (plan,), here=partial(_make_and_keep, plan))
    first = 0
    while first < count:
        wave = list(range(first, min(first + AHEAD * processes, count)))
        missing = [number for number in wave if kept_chunk(plan, number) is None]
        made = dict(zip(missing, in_order(work, missing, processes), strict=True))
        for number in wave:
            batch = made[number] if number in made else kept_chunk(plan, number)
            yield batch if batch is not None else make_chunk(plan, number)
            report_progress(f"jets: {number + 1} of {count} chunks", (number + 1) / count)
        first = wave[-1] + 1


def _begin(plan: Plan) -> Callable[[int], Batch]:
    return partial(_make_and_keep, plan)


def _make_and_keep(plan: Plan, number: int) -> Batch:
    batch = make_chunk(plan, number)
    keep_chunk(plan, number, batch)
    return batch
