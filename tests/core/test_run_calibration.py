"""How rare a run is, by few good ones: what is promised holds, and nothing is rarer than they support."""

import numpy as np
import pytest

from lynkeus.core import CalibrationError
from lynkeus.core.run_calibration import RunCalibration, rarest_of


@pytest.mark.parametrize("runs", [10, 20, 50, 100])
def test_good_runs_are_as_rare_as_was_promised(runs: int) -> None:
    """Scores on the scale -log10 p, over many references of that size."""
    rng = np.random.default_rng(runs)
    p_values = []
    for _ in range(400):
        calibration = RunCalibration.fit(rng.exponential(1 / np.log(10), runs))
        p_values.append(calibration.p_value(rng.exponential(1 / np.log(10), 200)))
    found = np.concatenate(p_values)
    assert (found < 0.01).mean() < 0.012
    assert (found < 0.001).mean() < 0.0015
    assert (found < 0.2).mean() == pytest.approx(0.2, abs=0.03)


def test_nothing_is_rarer_than_the_good_runs_support() -> None:
    scores = np.random.default_rng(0).exponential(0.4, 22)
    calibration = RunCalibration.fit(scores)
    rising = calibration.p_value(np.linspace(0, 500, 2000))
    assert (np.diff(rising) <= 0).all()
    assert rising[-1] == rarest_of(22) == calibration.rarest
    assert rising[0] == 1.0
    assert np.isnan(calibration.p_value(np.array([np.nan]))).all()
    again = RunCalibration.from_dict(calibration.to_dict())
    np.testing.assert_array_equal(again.p_value(scores), calibration.p_value(scores))


def test_bad_runs_among_the_good_ones_are_left_out() -> None:
    rng = np.random.default_rng(1)
    clean = rng.exponential(0.4, 38)
    dirty = RunCalibration.fit(np.concatenate([clean, [30.0, 40.0]]))
    assert dirty.excluded == 2
    assert dirty.samples == 38
    assert dirty.p_value(np.array([8.0]))[0] < 0.01  # heavier tails than an exponential are possible


def test_too_few_runs_and_copies_of_one_are_refused() -> None:
    with pytest.raises(CalibrationError, match="only 9 good runs have a score"):
        RunCalibration.fit(np.arange(9.0))
    with pytest.raises(CalibrationError, match="are they copies"):
        RunCalibration.fit(np.ones(20))
