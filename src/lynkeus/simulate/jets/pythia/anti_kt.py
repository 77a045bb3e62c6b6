"""Anti-kT jets of what the detector sees of events, by FastJet."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.extras import needing
from lynkeus.simulate.jets.detector.seen import Seen
from lynkeus.simulate.jets.find_jets import by_pt


def anti_kt(seen: Seen, events: int, radius: float, least: float) -> tuple[Seen, Floats, Array]:
    """Return the objects in jets of pt above `least` GeV, owner the jet, their four-vectors (jets, 4), and the event
    (jets,) of each. Raises SettingsError where fastjet is not installed."""
    with needing("sim://jets?generator=pythia", "jets"):
        import awkward as ak
        import fastjet
    with suppress(AttributeError, TypeError):  # its greeting goes to the standard output, where tables may go, too
        fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    seen = seen.cut(np.argsort(seen.owner, kind="stable"))
    sizes = np.bincount(seen.owner, minlength=events)
    columns = {name: seen.p[:, k] for k, name in enumerate(("px", "py", "pz", "E"))}
    objects = ak.unflatten(ak.zip(columns, with_name="Momentum4D"), sizes)
    found = fastjet.ClusterSequence(objects, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
    inside = found.constituent_index(min_pt=least)
    event = np.repeat(np.arange(events), np.asarray(ak.num(inside, axis=1)))
    count = np.asarray(ak.flatten(ak.num(inside, axis=2)))
    start = np.cumsum(sizes) - sizes
    jet = np.repeat(np.arange(len(count)), count)
    rows = np.asarray(ak.flatten(inside, axis=None)).astype(np.int64) + start[event[jet]]
    p = np.stack([np.bincount(jet, seen.p[rows, k], len(count)) for k in range(4)], axis=1)
    return by_pt(seen.cut(rows).of(jet)), p, event
