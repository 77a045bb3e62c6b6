"""What a regression learns from: samples and their numbers, all in memory, thinned where they are too many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats, SchemaError, SettingsError, Source

MOST_BYTES = 1_500_000_000


class Known(NamedTuple):
    """`values` (n, ...) float32 with NaN where they are missing, `numbers` (n, targets); `said` of what was left
    out."""

    values: Array
    numbers: Floats
    said: list[str]


def read_known(source: Source, targets: tuple[str, ...], kinds: tuple[str, ...]) -> Known:
    """Return the samples whose numbers are all known. Raises SchemaError for other kinds, SettingsError where a number
    is the same for all, or known of none."""
    if source.schema.kind not in kinds:
        raise SchemaError(f"the scorer regression reads {' or '.join(kinds)}, not a {source.schema.kind}")
    if not targets:
        raise SettingsError("regression learns numbers that are known of samples: name them by --labels n,phi2")
    values, numbers = list[Array](), list[Floats]()
    seen, size, every = 0, 0, 1
    for batch in source:
        known = np.stack([np.asarray(batch.meta[name], float) for name in targets], axis=1)
        rows = np.arange(seen, seen + len(batch)) % every == 0
        seen += len(batch)
        values.append(np.asarray(batch.values[rows], np.float32))
        numbers.append(known[rows])
        size += values[-1].nbytes
        if size > MOST_BYTES:  # every second of what there is, and from now on
            values, numbers = [np.concatenate(values)[::2]], [np.concatenate(numbers)[::2]]
            size, every = values[0].nbytes, 2 * every
    if not values:
        raise SchemaError("the source has no samples to learn from")
    x, y = np.concatenate(values), np.concatenate(numbers)
    there = np.isfinite(y).all(axis=1)
    said = [f"learned from {len(x):,} of {seen:,} samples: more do not fit into memory"] if every > 1 else []
    if not there.all():
        said.append(f"{int((~there).sum())} samples without a known number are left out")
    x, y = x[there], y[there]
    for name, own in zip(targets, y.T, strict=True):
        if not len(own) or own.std() == 0:
            what = "known of no sample" if not len(own) else f"{own[0]:g} for all samples: there is nothing to learn"
            raise SettingsError(f"--labels {name}: is {what}")
    return Known(x, y, said)
