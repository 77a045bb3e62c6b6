"""Which hard process gives jets of a class, and how Pythia is told."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.simulate.jets.settings import Wanted

ECM = 13000  # GeV


@dataclass(frozen=True)
class Process:
    """`lines` of settings; `particle` code of what decays in the jet (0: a parton makes it).

    `low`, `high` times the wanted range of pt, and a few resolutions more, is that of the hard process; `jets` of an
    event that are wanted, about, to know how many events to ask for.
    """

    lines: tuple[str, ...]
    particle: int = 0
    low: float = 1.0
    high: float = 1.0
    jets: float = 0.5


def _decays(code: int, *to: int) -> tuple[str, ...]:
    return f"{code}:onMode = off", f"{code}:onIfAny = {' '.join(map(str, to))}"


_QUARKS = (1, 2, 3, 4, 5)
_Z_AND_PARTON = ("WeakBosonAndParton:qqbar2gmZg = on", "WeakBosonAndParton:qg2gmZq = on", "WeakZ0:gmZmode = 2")
_W_AND_PARTON = ("WeakBosonAndParton:qqbar2Wg = on", "WeakBosonAndParton:qg2Wq = on")
PROCESSES: dict[str, Process] = {
    "dijets": Process(("HardQCD:all = on",), jets=0.8),
    "quarks": Process(
        ("HardQCD:qq2qq = on", "HardQCD:gg2qqbar = on", "HardQCD:qqbar2qqbarNew = on"), jets=0.8
    ),
    "gluons": Process(("HardQCD:gg2gg = on", "HardQCD:qqbar2gg = on"), jets=0.7),
    "bb": Process(("HardQCD:gg2bbbar = on", "HardQCD:qqbar2bbbar = on"), jets=0.6),
    "cc": Process(("HardQCD:gg2ccbar = on", "HardQCD:qqbar2ccbar = on"), jets=0.7),
    "tt": Process(("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_decays(24, *_QUARKS)), 6, jets=0.4),
    "w": Process((*_W_AND_PARTON, *_decays(24, *_QUARKS)), 24, jets=0.25),
    "z": Process((*_Z_AND_PARTON, *_decays(23, *_QUARKS)), 23, jets=0.25),
    "h": Process(("HiggsSM:ffbar2HZ = on", *_decays(25, 5), *_decays(23, 12, 14, 16)), 25, jets=0.25),
    "tau": Process((*_Z_AND_PARTON, *_decays(23, 15)), 15, 0.6, 2.0, jets=0.2),
    "electron": Process((*_Z_AND_PARTON, *_decays(23, 11)), 11, 0.6, 1.6, jets=0.4),
    "muon": Process((*_Z_AND_PARTON, *_decays(23, 13)), 13, 0.6, 1.6, jets=0.4),
}  # fmt: skip
OF_CLASS = {
    "qcd": "dijets", "light": "quarks", "gluon": "gluons", "b": "bb", "c": "cc", "top": "tt", "w": "w", "z": "z",
    "higgs": "h", "tau": "tau", "electron": "electron", "muon": "muon",
}  # fmt: skip
FLAT = 4.5  # power of pt by which high ones are preferred, so that pt is about flat in its range


def settings_of(process: Process, wanted: Wanted, seed: int, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the settings of Pythia, a line each; later ones hold."""
    low = process.low * wanted.pt[0] * (1 - 2 / np.sqrt(wanted.pt[0]))
    high = process.high * wanted.pt[1] * (1 + 3 / np.sqrt(wanted.pt[1]))
    scale = (
        f"PhaseSpace:pTHatMin = {low}", f"PhaseSpace:pTHatMax = {high}",
        "PhaseSpace:bias2Selection = on", f"PhaseSpace:bias2SelectionPow = {FLAT}",
    )  # fmt: skip
    first = ("Print:quiet = on", f"Beams:eCM = {ECM}", "Random:setSeed = on", f"Random:seed = {seed}")
    return (*first, *process.lines, *scale, *more)


def begin(lines: tuple[str, ...]) -> Any:
    """Return Pythia with these settings, ready. Raises SettingsError where it is not installed or does not start."""
    with needing("sim://jets?generator=pythia", "jets"):
        import_module("fastjet")  # which is needed for the first jet: better said before the first collision
        import pythia8mc
    pythia = pythia8mc.Pythia("", False)
    for line in lines:
        if not pythia.readString(line):
            raise SettingsError(f"sim://jets: Pythia does not know the setting {line!r}")
    if not pythia.init():
        raise SettingsError("sim://jets: Pythia cannot start with these settings; take another range of pt")
    return pythia
