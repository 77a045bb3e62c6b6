"""Which network a search keeps: the one that learned for discovery, or the one that it began from.

A loss that is a significance hangs on few events, and may learn their fluctuations. So both networks are compared as
they will be used, with the best cut on the output, on held-out events; what was learned for discovery is kept where it
is better by a tenth at least, with a confidence of 90 %: held-out events are few, and tell of looser regions than those
that are used later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Array, Floats
from lynkeus.metrics.significance import asimov_significance
from lynkeus.scorers.taggers.searching.dense import COLUMNS
from lynkeus.scorers.taggers.searching.points import Points

DRAWS = 40  # of the held-out events, with replacement, by which their spread is known
SURE, WORTH = 1.28, 1.1  # standard deviations (90 %, one side), and the ratio that must be exceeded


class HeldOut(NamedTuple):
    """Events that were not learned from: columns (n, columns) as the network reads them, whether each is of the
    signal (n,), and weights (n,)."""

    x: Tensor
    is_signal: Array
    weight: Floats


class Wanted(NamedTuple):
    """What is looked for: the number of the class of the `signal`, expected events of it and of the `background`, that
    is uncertain by a part `systematic`; mass `points`, where there are several."""

    signal: int
    expected: float
    background: float
    systematic: float
    least: float
    points: Points | None


class Choice(NamedTuple):
    """Whether what was learned for discovery is `kept`, by how much it is better (a ratio of significances), and the
    spread of that."""

    kept: bool
    ratio: float
    spread: float


def choose(start: nn.Module, learned: nn.Module, events: HeldOut, wanted: Wanted) -> Choice:
    """Compare two networks by the expected significance of the best cut, a geometric mean over mass points."""
    rng = np.random.default_rng(0)
    draws = np.concatenate([np.ones((1, len(events.weight))), rng.poisson(1.0, (DRAWS, len(events.weight)))])
    both = [_logarithms(network, events, wanted, draws * events.weight) for network in (start, learned)]
    gain = both[1] - both[0]
    spread = float(np.std(gain[1:]))
    return Choice(bool(gain[0] - SURE * spread > np.log(WORTH)), float(np.exp(gain[0])), spread)


def _logarithms(network: nn.Module, events: HeldOut, wanted: Wanted, weight: Floats) -> Floats:
    """Return (draws,) the mean logarithm of the significance at the points, of weights (draws, n)."""
    if wanted.points is None:
        output = _output(network, events.x, wanted.signal)
        return np.log(_best(output, events.is_signal, weight, wanted.expected, wanted))
    number = np.where(events.is_signal, wanted.points.numbers(events.x).numpy(), -1)
    found = []
    for k, expected in enumerate(wanted.points.expected):
        rows = np.flatnonzero((number == k) | ~events.is_signal)
        if not (number == k).any():
            continue
        at = events.x[rows].clone()
        at[:, list(wanted.points.columns)] = wanted.points.values[k].to(at)
        output = _output(network, at, wanted.signal)
        found.append(np.log(_best(output, events.is_signal[rows], weight[:, rows], expected, wanted)))
    return np.mean(found, axis=0) if found else np.zeros(len(weight))


def _output(network: nn.Module, x: Tensor, signal: int) -> Floats:
    given: Mapping[str, tuple[Tensor, Tensor]] = {COLUMNS: (x, torch.arange(len(x) + 1))}
    with torch.no_grad():
        logits = network.eval()(given).double()
        found: Floats = (
            logits[:, signal] - logits.index_fill(1, torch.tensor([signal]), -torch.inf).logsumexp(1)
        ).numpy()
    return found


def _best(output: Floats, is_signal: Array, weight: Floats, expected: float, wanted: Wanted) -> Floats:
    """Return (draws,) the largest significance of all cuts."""
    order = np.argsort(-output, kind="stable")
    s, b = (np.cumsum(weight[:, order] * own[order], axis=1) for own in (is_signal, ~is_signal))
    b = wanted.background * b / np.maximum(b[:, -1:], 1e-300) + wanted.least
    s = expected * s / np.maximum(s[:, -1:], 1e-300)
    return np.maximum(asimov_significance(s, b, wanted.systematic * b).max(axis=1), 1e-9)


def said_of(choice: Choice, loss: str) -> str:
    """Return in a line which network was kept, and why."""
    size = f"{choice.ratio:.2f} ± {choice.spread:.2f} times the significance of cross-entropy with the best cut"
    if choice.kept:
        return f"loss={loss} is kept: on held-out events it expects {size}"
    return (
        f"the network of cross-entropy is kept: loss={loss} is not a tenth better for sure, on held-out events {size}"
    )
