"""T1tttt at any masses for Pythia: a spectrum in the SUSY Les Houches Accord format, written by hand."""

from __future__ import annotations

HEAVY = 1.0e5  # GeV: of everything that does not take part
SQUARKS = (1000001, 1000002, 1000003, 1000004, 1000005, 1000006, 2000001, 2000002, 2000003, 2000004, 2000005, 2000006)
SLEPTONS = (1000011, 1000012, 1000013, 1000014, 1000015, 1000016, 2000011, 2000013, 2000015)
OTHERS = (1000023, 1000024, 1000025, 1000035, 1000037)
GLUINO, NEUTRALINO = 1000021, 1000022
WIDTH = 1.0  # GeV of the gluino, whose three-body decay is flat in phase space


def slha_text(gluino: float, neutralino: float) -> str:
    """Return the spectrum: gluinos that decay to two tops and the neutralino, which is stable; all others decoupled."""
    masses = [f"  {code}  {HEAVY:.8e}" for code in (*SQUARKS, *SLEPTONS, *OTHERS)]
    masses += [f"  {GLUINO}  {gluino:.8e}", f"  {NEUTRALINO}  {neutralino:.8e}"]
    return "\n".join(
        [
            "BLOCK MODSEL", "  1  0", "BLOCK SPINFO", "  1  lynkeus", "BLOCK MASS", *masses,
            f"DECAY  {GLUINO}  {WIDTH:.8e}", f"  1.0  3  6  -6  {NEUTRALINO}",
            f"DECAY  {NEUTRALINO}  0.0", "",
        ]
    )  # fmt: skip
