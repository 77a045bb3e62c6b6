"""Which hard process gives jets of a class, and how Pythia is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.simulate.jets.settings import Wanted

ECM = 13000  # GeV


@dataclass(frozen=True)
class Process:
    """`lines` of settings; `particle` code of what decays in the jet (0: a parton makes it); `low`, `high` times the
    wanted range is that of the hard process: of pt, or where a single boson is made (`by_mass`) of its mass; `jets` of
    an event that are wanted, about, to know how many events to ask for."""

    lines: tuple[str, ...]
    particle: int = 0
    low: float = 0.85
    high: float = 1.3
    by_mass: bool = False
    jets: float = 0.5


def _decays(code: int, *to: int) -> tuple[str, ...]:
    return f"{code}:onMode = off", f"{code}:onIfAny = {' '.join(map(str, to))}"


_QUARKS = (1, 2, 3, 4, 5)
_DRELL_YAN = ("WeakSingleBoson:ffbar2gmZ = on",)
PROCESSES: dict[str, Process] = {
    "dijets": Process(("HardQCD:all = on",), jets=0.6),
    "bb": Process(("HardQCD:gg2bbbar = on", "HardQCD:qqbar2bbbar = on"), jets=0.4),
    "cc": Process(("HardQCD:gg2ccbar = on", "HardQCD:qqbar2ccbar = on"), jets=0.5),
    "tt": Process(("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_decays(24, *_QUARKS)), 6, jets=0.4),
    "w": Process(("WeakBosonAndParton:qqbar2Wg = on", "WeakBosonAndParton:qg2Wq = on", *_decays(24, *_QUARKS)), 24, jets=0.3),
    "z": Process(
        ("WeakBosonAndParton:qqbar2gmZg = on", "WeakBosonAndParton:qg2gmZq = on", "WeakZ0:gmZmode = 2",
         *_decays(23, *_QUARKS)), 23, jets=0.3,
    ),
    "h": Process(("HiggsSM:ffbar2HZ = on", *_decays(25, 5), *_decays(23, 12, 14, 16)), 25, jets=0.3),
    "tau": Process((*_DRELL_YAN, *_decays(23, 15)), 15, 2.0, 6.0, True, 0.2),
    "electron": Process((*_DRELL_YAN, *_decays(23, 11)), 11, 2.0, 3.0, True, 0.4),
    "muon": Process((*_DRELL_YAN, *_decays(23, 13)), 13, 2.0, 3.0, True, 0.4),
}  # fmt: skip
OF_CLASS = {
    "qcd": "dijets", "light": "dijets", "gluon": "dijets", "b": "bb", "c": "cc", "top": "tt", "w": "w", "z": "z",
    "higgs": "h", "tau": "tau", "electron": "electron", "muon": "muon",
}  # fmt: skip
FLAT = 4.5  # power of pt by which high ones are preferred, so that pt is about flat in its range


def settings_of(process: Process, wanted: Wanted, seed: int, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the settings of Pythia, a line each; later ones hold."""
    low, high = process.low * wanted.pt[0], process.high * wanted.pt[1]
    if process.by_mass:
        scale: tuple[str, ...] = (f"PhaseSpace:mHatMin = {low}", f"PhaseSpace:mHatMax = {high}")
    else:
        scale = (
            f"PhaseSpace:pTHatMin = {low}", f"PhaseSpace:pTHatMax = {high}",
            "PhaseSpace:bias2Selection = on", f"PhaseSpace:bias2SelectionPow = {FLAT}",
        )  # fmt: skip
    first = ("Print:quiet = on", f"Beams:eCM = {ECM}", "Random:setSeed = on", f"Random:seed = {seed}")
    return (*first, *process.lines, *scale, *more)


def begin(lines: tuple[str, ...]) -> Any:
    """Return Pythia with these settings, ready. Raises SettingsError where it is not installed or does not start."""
    with needing("sim://jets?generator=pythia", "jets"):
        import pythia8mc
    pythia = pythia8mc.Pythia("", False)
    for line in lines:
        if not pythia.readString(line):
            raise SettingsError(f"sim://jets: Pythia does not know the setting {line!r}")
    if not pythia.init():
        raise SettingsError("sim://jets: Pythia cannot start with these settings; take another range of pt")
    return pythia
