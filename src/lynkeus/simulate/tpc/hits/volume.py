"""Volume: the geometry of a time projection chamber, its gas, its field and its electronics.

The beam flies along z, pad rows lie across it one behind the other; x is along a row of pads; electrons drift along y,
along which the magnetic field points, too: in the x-z plane tracks are circles.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from lynkeus.core.errors import SettingsError

LIGHT = 0.299792458  # p in GeV = LIGHT * B in T * R in m


@dataclass(frozen=True)
class Volume:
    """`rows` of `pads` pads of `pad_mm` every `pitch_mm` along the beam, read in `times` bins, in each of which
    electrons drift by `bin_mm`; the first pad row is `target_mm` behind the target. `field_t`: magnetic field in T.

    Electrons spread by `diffusion_mm` (across) and `diffusion_along_mm` (along the drift) times the square root of the
    drift in m. `prf_mm`: sigma of the pad response, `shaper`: peaking time of the electronics in time bins. `mip`:
    charge of a minimum-ionising track over one pad row in ADC counts, `noise`: of one cell, rms, in ADC counts;
    `threshold`: of the highest cell of a cluster in ADC counts, `saturation` likewise. `gain_spread`: of the gains of
    pads, rms. Raises SettingsError for a value out of range.
    """

    rows: int = 48
    pads: int = 128
    times: int = 200
    pitch_mm: float = 28.0
    pad_mm: float = 5.0
    bin_mm: float = 3.3
    target_mm: float = 900.0
    field_t: float = 1.2
    diffusion_mm: float = 2.6
    diffusion_along_mm: float = 2.2
    prf_mm: float = 2.9
    shaper: float = 2.0
    mip: float = 110.0
    noise: float = 1.2
    threshold: float = 5.5
    saturation: int = 1023
    gain_spread: float = 0.05

    def __post_init__(self) -> None:
        for name, least in {"rows": 8, "pads": 16, "times": 32}.items():
            if not least <= int(getattr(self, name)) <= 4096:
                raise SettingsError(f"{name} must lie from {least} to 4096, got {getattr(self, name)!r}")
        for own in fields(self)[3:]:
            value = getattr(self, own.name)
            if not (value >= 0 if own.name in ("field_t", "noise", "gain_spread") else value > 0):
                raise SettingsError(f"{own.name} must be positive, got {value!r}")

    @property
    def width_mm(self) -> float:
        """Return the length of a row of pads."""
        return self.pads * self.pad_mm

    @property
    def drift_mm(self) -> float:
        """Return the longest drift."""
        return self.times * self.bin_mm

    def radius_mm(self, momentum_gev: float) -> float:
        """Return the radius of the circle of a momentum across the field; infinite without one."""
        return 1000.0 * momentum_gev / (LIGHT * self.field_t) if self.field_t else float("inf")
