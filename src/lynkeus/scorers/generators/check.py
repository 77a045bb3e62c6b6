"""Whether what a generator makes is like held-out samples, beside how alike two halves of real samples are."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from lynkeus.core import Array
from lynkeus.simulate.lattice.source import divergence
from lynkeus.transforms.linear import moments_of

WORDS = ("mean", "mean size", "mean square")


def check_of(made: Array, raw: Array, real: Array, flux: bool) -> tuple[dict[str, Any], list[str]]:
    """Return facts and lines: of each channel the Kolmogorov-Smirnov distance of its moments to those of all `real`
    samples, beside that of two halves of these; of flux the share of sites at which it is not conserved,
    before samples were rounded and after."""
    rng = np.random.default_rng(0)
    order = rng.permutation(len(real))
    halves = np.array_split(order, 2)
    own, theirs = moments_of(made), moments_of(real)
    distance = [float(ks_2samp(own[:, k], theirs[:, k], method="asymp").statistic) for k in range(own.shape[1])]
    control = [
        float(ks_2samp(theirs[halves[0]][: len(own), k], theirs[halves[1]][: len(own), k], method="asymp").statistic)
        for k in range(own.shape[1])
    ]
    spread = np.where(theirs.std(axis=0) > 0, theirs.std(axis=0), 1.0)
    off = np.abs(own.mean(axis=0) - theirs.mean(axis=0)) / spread
    worst = int(np.argmax(off))
    channels = made.shape[1]
    facts: dict[str, Any] = {"distance": distance, "control": control, "compared": len(own)}
    lines = [
        f"{len(own)} made and {len(real)} real samples: moments of channels are {max(distance):.2f} apart at most "
        f"(Kolmogorov-Smirnov; two halves of the real ones {max(control):.2f}), means by {off[worst]:.2f} of their "
        f"spread ({WORDS[worst // channels]} of channel {worst % channels})"
    ]
    if flux:
        before = float((np.abs(divergence(np.asarray(raw, float))) > 0.5).mean())
        after = float((divergence(np.rint(made)) != 0).mean())
        facts |= {"violated_before_rounding": before, "violated": after}
        lines.append(f"flux is not conserved at {before:.2%} of the sites before rounding, {after:.2%} after")
    return facts, lines
