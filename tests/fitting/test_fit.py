"""fit: a reference that nobody has cleaned, and how much of it was left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lynkeus.core import Batch, CalibrationError, Schema, SchemaError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.simulate.beam.orbit import OrbitSource
from lynkeus.sources import InMemory, open_source
from lynkeus.transforms.faults import Fault

FAULTS = (Fault("noisy", start=2000, length=60, channel=40, size=8.0), Fault("step", 5000, 80, channel=10, size=15.0))


def test_incidents_of_the_reference_are_found_named_and_left_out() -> None:
    unclean = OrbitSource(hours=0.2, seed=1, faults=FAULTS)
    fitted = fit(unclean, FitSettings("orbit", window=10))
    incidents = fitted.lineage["incidents"]
    for fault in FAULTS:
        began, ended = (unclean.start_ns + row * 10**8 for row in (fault.start, fault.stop))
        touched = [i for i in incidents if i["start_ns"] < ended and i["end_ns"] > began]
        assert touched, fault.kind
        if fault.kind == "noisy":
            assert unclean.schema.names[40] in {incident["where"] for incident in touched}
    for output, calibration in fitted.calibrations.items():
        assert 0 < calibration.excluded == fitted.lineage["excluded"][output]["incidents"]
        assert 0 < calibration.excluded_s < 120
        assert calibration.hours == pytest.approx(0.2, abs=0.04)


def test_an_unclean_reference_gives_nearly_the_thresholds_of_a_clean_one() -> None:
    clean = fit(OrbitSource(hours=0.2, seed=1), FitSettings("orbit", window=10))
    unclean = fit(OrbitSource(hours=0.2, seed=1, faults=FAULTS), FitSettings("orbit", window=10))
    for output, calibration in clean.calibrations.items():
        assert unclean.calibrations[output].threshold(1.0) == pytest.approx(calibration.threshold(1.0), rel=0.5)


@pytest.mark.parametrize("stride", [0, 5, 2])
def test_each_moment_of_the_reference_counts_once(stride: int) -> None:
    steps = np.tile([5, 15], 600) * 10**8  # ns: rows come in pairs
    time_ns = 1_700_000_000 * 10**9 + np.cumsum(steps)
    values = np.random.default_rng(1).normal(size=(len(steps), 3))
    rows = InMemory(Batch(Schema("table", ("a", "b", "c"), shape=(3,)), values, time_ns))
    hours = (time_ns[-1] - time_ns[0]) / 3.6e12
    by_row = fit(rows, FitSettings("mahalanobis"))
    assert by_row.lineage["reference_hours"] == pytest.approx(hours, rel=0.01)
    by_window = fit(rows, FitSettings("mahalanobis", window=10, stride=stride))
    assert by_window.lineage["reference_hours"] == pytest.approx(hours, rel=0.03)


def test_references_are_good_samples_and_lineage_says_what_was_used(orbits: Any) -> None:
    fitted = fit(open_source(orbits.good, "xfel_orbits"), FitSettings("orbit", window=10))
    assert 100 < len(fitted.reference["reference"]) <= 1024
    assert fitted.reference["reference"].shape[1] == 206
    assert np.isfinite(fitted.reference["reference"]).all()
    (file,) = fitted.lineage["data"]
    assert file["path"] == str(orbits.good)
    assert len(file["sha256"]) == 64
    assert fitted.lineage["reference_hours"] == 0.2
    assert (fitted.lineage["samples"], fitted.lineage["channels"]) == (720, 206)


def test_too_little_or_dead_data_are_refused() -> None:
    rows = concatenate(list(OrbitSource(hours=0.02)))
    with pytest.raises(CalibrationError, match=r"only 72 samples .* at least 100: give more data or shorter windows"):
        fit(InMemory(rows), FitSettings("orbit", window=10))
    with pytest.raises(SchemaError, match="none of the 206 channels carries a signal"):
        fit(InMemory(rows.with_values(np.zeros_like(rows.values))), FitSettings("orbit", window=10))
