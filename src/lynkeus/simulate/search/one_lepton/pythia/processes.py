"""How Pythia is told to make each process, and how it is begun."""

from __future__ import annotations

from tempfile import NamedTemporaryFile
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.core.extras import needing
from lynkeus.simulate.search.one_lepton.columns import ROOM, TOP, WHO
from lynkeus.simulate.search.one_lepton.pythia.slha import slha_text

ECM = 13000  # GeV
TOPS = ("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", "PhaseSpace:pTHatMin = 150")
LEPTONS = "24:onIfAny = 11 13 15"
LINES: dict[str, tuple[str, ...]] = {
    "signal": ("SUSY:gg2gluinogluino = on", "SUSY:qqbar2gluinogluino = on", "SLHA:minMassSM = 10", "SLHA:verbose = 0"),
    # One W of both to leptons, one to quarks: by its sign, so that every event is one of them.
    "tt1l": (*TOPS, "24:onMode = off", "24:onPosIfAny = 11 13 15", "24:onNegIfAny = 1 2 3 4"),
    "tt2l": (*TOPS, "24:onMode = off", LEPTONS),
    "wjets": ("WeakBosonAndParton:qqbar2Wg = on", "WeakBosonAndParton:qg2Wq = on", "PhaseSpace:pTHatMin = 200",
              "24:onMode = off", LEPTONS),
    "qcd": ("HardQCD:gg2bbbar = on", "HardQCD:qqbar2bbbar = on", "HardQCD:gg2ccbar = on", "HardQCD:qqbar2ccbar = on",
            "PhaseSpace:pTHatMin = 300"),
}  # fmt: skip
# K factors by which cross sections at leading order are scaled, about; the signal is known better (columns.py).
K_FACTOR = {"tt1l": 1.7, "tt2l": 1.7, "wjets": 1.3, "qcd": 1.3}


def begin(process: str, masses: tuple[float, float], seed: int) -> Any:
    """Return Pythia ready for a process. Raises SettingsError where it is not installed or does not start."""
    with needing("sim://one_lepton?engine=pythia", "jets"):
        import fastjet  # noqa: F401 - needed for the first event: better said before
        import pythia8mc
    if process == "signal" and masses[0] - masses[1] < 2 * TOP + 1:
        raise SettingsError(
            f"{WHO}: engine=pythia decays gluinos to real tops: {masses[0]:g} - {masses[1]:g} GeV is less than two of "
            f"them; take engine=fast, which has virtual ones down to {ROOM:g} GeV"
        )
    pythia = pythia8mc.Pythia("", False)
    lines = ["Print:quiet = on", f"Beams:eCM = {ECM}", "Random:setSeed = on", f"Random:seed = {seed}",
             "PartonLevel:MPI = off", *LINES[process]]  # fmt: skip
    with NamedTemporaryFile("w", suffix=".slha", encoding="utf-8") as file:
        if process == "signal":
            file.write(slha_text(*masses))
            file.flush()
            lines.append(f"SLHA:file = {file.name}")
        for line in lines:
            if not pythia.readString(line):
                raise SettingsError(f"{WHO}: Pythia does not know the setting {line!r}")
        if not pythia.init():
            raise SettingsError(f"{WHO}: Pythia cannot start with {process} at {masses[0]:g}, {masses[1]:g} GeV")
    return pythia
