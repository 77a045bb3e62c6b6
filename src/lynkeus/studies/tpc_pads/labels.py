"""How many labels does it take? Pads labelled in the order of the page, the least sure first, beside a random order."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lynkeus.core import Array, Batch, Floats, Source, concatenate
from lynkeus.metrics.rates import wilson_interval
from lynkeus.scorers.taggers.pads.scorer import PadSpectrum
from lynkeus.sources import InMemory
from lynkeus.studies.tpc_pads.baselines import dense_network
from lynkeus.transforms.pads.order import least_sure

COUNTS = (0, 50, 200, 1000)
Rows = list[tuple[str, ...]]
HEAD = ("pad_spectrum, least sure first", "pad_spectrum, random", "dense network, least sure first",
        "dense network, random")  # fmt: skip


def label_curve(train: Source, test: Source, counts: tuple[int, ...] = COUNTS) -> tuple[Rows, dict[str, float]]:
    """Return a table of wrong decisions on `test` by the number of labels, and the same as metrics; `truth` of both is
    the class of each pad, 0 for good."""
    pads, others = concatenate(list(train)), concatenate(list(test))
    random = np.random.default_rng(0).permutation(len(pads))
    none = _judge(pads, random[:0])
    further = none.further(pads)
    number = (1 + np.unique(further["class"], return_inverse=True)[1]) * ~further["good"]
    sure = least_sure(none.score(pads)[:, 0], number)
    rows: Rows = [(f"labels of {len(pads):,} pads", *HEAD)]
    metrics: dict[str, float] = {}
    taught = {"least": random[: counts[1]], "random": random[: counts[1]]}
    for count in counts:
        wrong = [_wrong(~_judge(pads, order[:count]).further(others)["good"], others) for order in (sure, random)]
        if count:
            taught = {"least": _next(pads, taught["least"], count), "random": random[:count]}
            wrong += [_wrong(_network(pads, own, others) > 0.5, others) for own in taught.values()]
        rows.append((f"{count:,}", *(_said(one, len(others)) for one in wrong), *[""] * (4 - len(wrong))))
        metrics |= {f"labels.{count}.{name}": one for name, one in zip(NAMES, wrong, strict=False)}
    return rows, metrics


NAMES = ("sure", "random", "dense_sure", "dense_random")


def _judge(train: Batch, labelled: Array) -> PadSpectrum:
    known = np.full(len(train), -1)
    known[labelled] = np.asarray(train.truth)[labelled]
    return PadSpectrum().fit(InMemory(replace(train, truth=known), batch_size=len(train)))


def _network(train: Batch, labelled: Array, test: Batch) -> Floats:
    return dense_network(train.values[labelled], np.asarray(train.truth)[labelled] != 0, test.values)


def _next(train: Batch, labelled: Array, count: int) -> Array:
    """Return `count` labelled pads: those that there are, and the ones of which the network is least sure."""
    if len(labelled) >= count:
        return labelled[:count]
    doubt = np.abs(_network(train, labelled, train) - 0.5)
    doubt[labelled] = np.inf
    return np.concatenate([labelled, np.argsort(doubt, kind="stable")[: count - len(labelled)]])


def _wrong(bad: Array, test: Batch) -> float:
    return float((bad != (np.asarray(test.truth) != 0)).mean())


def _said(wrong: float, pads: int) -> str:
    low, high = wilson_interval(round(wrong * pads), pads)
    return f"{wrong:.2%} ({low:.2%} to {high:.2%})"
