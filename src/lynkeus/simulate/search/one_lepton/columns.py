"""What an event of the one-lepton search has: columns with units, processes, mass points and their cross sections."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Floats, Schema
from lynkeus.core.errors import SettingsError

WHO = "sim://one_lepton"
PROCESSES = ("signal", "tt1l", "tt2l", "wjets", "qcd")
COLUMNS: dict[str, str] = {
    "met": "GeV", "mt": "GeV", "lt": "GeV", "ht": "GeV", "dphi_w_l": "rad", "lepton_pt": "GeV", "lepton_eta": "1",
    "n_jet": "1", "n_b": "1", "n_top": "1", "jet1_pt": "GeV", "jet2_pt": "GeV", "n_iso_track": "1",
    "iso_track_pt": "GeV", "iso_track_mt2": "GeV",
}  # fmt: skip
MASSES = ("m_gluino", "m_lsp")
SHIFTED = ("met", "mt", "lt", "ht", "dphi_w_l", "n_jet", "n_b", "jet1_pt", "jet2_pt")  # by the jet energy scale
# The ten mass points of the table of background factors in the published talk.
POINTS = (
    "1500_1000", "1500_1200", "1600_1100", "1700_1200", "1800_1300", "1900_100", "1900_1000", "1900_800", "2200_100",
    "2200_800",
)  # fmt: skip
TOP, W = 172.5, 80.4  # GeV
ROOM = 200.0  # GeV between gluino and neutralino: less leaves no real W
# Gluino pairs at 13 TeV in fb as commonly quoted (NLO + NLL): GeV -> fb; between them the logarithm is a straight line.
GLUINO_FB = {
    800: 1490.0, 1000: 325.0, 1200: 85.6, 1400: 25.3, 1500: 14.2, 1600: 8.10, 1700: 4.70, 1800: 2.76, 1900: 1.63,
    2000: 0.981, 2200: 0.356, 2400: 0.133, 2600: 0.050,
}  # fmt: skip
# fb in the generated part of phase space (top or W above a transverse momentum), about as measured at 13 TeV.
BACKGROUND_FB = {"tt1l": 2.8e4, "tt2l": 5.2e3, "wjets": 1.5e4, "qcd": 6.0e2}
# Share of raw events that are selected, by 600,000 of them each (a signal: by sixty thousand); see fast.py.
SELECTED: dict[str, float] = {
    "tt1l": 0.021562, "tt2l": 0.0063033, "wjets": 0.013657, "qcd": 0.01971,
    "1500_1000": 0.15583, "1500_1200": 0.043317, "1600_1100": 0.15895, "1700_1200": 0.16225, "1800_1300": 0.16635,
    "1900_100": 0.31312, "1900_1000": 0.27773, "1900_800": 0.29375, "2200_100": 0.32008, "2200_800": 0.3089,
}  # fmt: skip


def schema() -> Schema:
    """Return the schema of the events: a table of the columns and the mass point, its classes the processes."""
    names = (*COLUMNS, *MASSES)
    units = (*COLUMNS.values(), "GeV", "GeV")
    return Schema("table", names, units, (len(names),), instrument="one_lepton", classes=PROCESSES)


def masses_of(point: str) -> tuple[float, float]:
    """Return the masses of gluino and neutralino of a point such as 1900_100. Raises SettingsError for one without room
    for two tops, which may be virtual, or beyond the cross sections that are known."""
    gluino, dash, lsp = str(point).partition("_")
    try:
        found = float(gluino), float(lsp)
    except ValueError as error:
        raise SettingsError(f"{WHO}: {point!r} is no mass point; write GLUINO_LSP in GeV, such as 1900_100") from error
    low, high = min(GLUINO_FB), max(GLUINO_FB)
    if not dash or not low <= found[0] <= high:
        raise SettingsError(f"{WHO}: point {point}: the mass of the gluino must lie from {low} to {high} GeV")
    if not 0 <= found[1] <= found[0] - ROOM:
        raise SettingsError(
            f"{WHO}: point {point}: the neutralino must leave room for two tops, at most {found[0] - ROOM:g} GeV"
        )
    return found


def gluino_fb(mass: Floats) -> Floats:
    """Return the cross sections of gluino pairs in fb for masses in GeV."""
    known = np.array(sorted(GLUINO_FB))
    return np.exp(np.interp(mass, known, np.log([GLUINO_FB[int(one)] for one in known])))
