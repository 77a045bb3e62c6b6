import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from lynkeus.core import AlarmRule, Calibration, CalibrationError, Floats, Point, advance
from lynkeus.core.calibration import fit_pareto
from lynkeus.core.reference_windows import ReferenceWindows
from lynkeus.core.words import at_least

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

HOUR = 3600
ALL = np.array([-np.inf, np.inf])


def white(n: int, noise: np.random.Generator) -> Floats:
    return noise.normal(size=n)


def correlated(n: int, noise: np.random.Generator) -> Floats:
    """AR(1) with a memory of ten windows."""
    return lfilter([np.sqrt(1 - 0.9**2)], [1, -0.9], noise.normal(size=n + 100))[100:]


def alarms(calibration: Calibration, scores: Floats, budget_per_hour: float) -> int:
    rates, rule, state, count = calibration.alarms_per_hour(scores), AlarmRule(budget_per_hour), None, 0
    for second in range(len(scores)):
        point = Point(second * 10**9, (second + 1) * 10**9, scores[second], rates[second])
        was_open = state
        state, _ = advance(rule, "anomaly", state, point)
        count += state is not None and (was_open is None or state.alarm.start_ns != was_open.alarm.start_ns)
    return count


@pytest.mark.parametrize("shape", [0.0, 0.1, 0.3])
def test_pareto_fit_finds_the_parameters_that_scipy_drew_with(shape: float) -> None:
    drawn = stats.genpareto.rvs(shape, scale=2.0, size=20_000, random_state=1)
    scale, found = fit_pareto(drawn)
    assert scale == pytest.approx(2.0, rel=0.05)
    assert found == pytest.approx(shape, abs=0.03)


def test_the_tail_is_scipys_survival_function() -> None:
    calibration = Calibration.fit(stats.genpareto.rvs(0.2, size=7200, random_state=3), hours=2.0)
    tail = calibration.tail
    scores = tail.threshold + np.array([0.0, 0.5, 3.0, 20.0])
    expected = tail.clusters_per_hour * stats.genpareto.sf(scores, tail.shape, tail.threshold, tail.scale)
    np.testing.assert_allclose(calibration.alarms_per_hour(scores), expected)
    np.testing.assert_allclose([tail.score_at(rate) for rate in expected], scores)


@pytest.mark.parametrize("step", [0.0, 0.1], ids=["continuous", "with ties"])
def test_clusters_are_counted_at_every_level_as_one_by_one(step: float) -> None:
    noise = np.random.default_rng(0)
    scores = noise.normal(size=1500)
    scores = np.round(scores / step) * step if step else scores
    time_ns = (np.cumsum(noise.exponential(1.0, 1500)) * 1e9).astype(np.int64)
    reference = ReferenceWindows(scores, time_ns, 0.4, 10.0)
    levels = reference.levels()
    singly = np.array([len(reference.clusters(level)[1]) for level in levels])
    np.testing.assert_array_equal(reference.counts(levels), np.maximum.accumulate(singly[::-1])[::-1])


def test_rates_agree_with_the_closed_form_of_exponential_scores() -> None:
    # Rarer than the quiet time merges, the rate of clusters is that of windows: 3600 exp(-score) per hour.
    inside, levels = 0, np.array([6.0, 7.0, 8.0])
    for seed in range(40):
        calibration = Calibration.fit(np.random.default_rng(seed).exponential(size=4 * HOUR), hours=4.0)
        for level in levels:
            low, high = calibration.alarms_per_hour_interval(level, coverage=0.9)
            inside += low <= HOUR * np.exp(-level) <= high
    assert inside >= 0.75 * 40 * len(levels)


@pytest.mark.parametrize(("draw", "hours"), [(white, 2), (correlated, 4)])
def test_alarms_on_fresh_data_keep_the_budget(draw, hours: int) -> None:
    noise, counts, watched = np.random.default_rng(5), [], 5
    for _ in range(24):
        calibration = Calibration.fit(draw(hours * HOUR, noise), hours=hours)
        fresh = draw(watched * HOUR, noise)
        near = np.flatnonzero(fresh > calibration.threshold(4.0))  # the rule looks at nothing lower than the release
        quiet = np.full(len(fresh), -10.0)
        quiet[near] = fresh[near]
        counts.append(alarms(calibration, quiet, 1.0))
    mean, error = np.mean(counts) / watched, np.std(counts) / watched / np.sqrt(len(counts))
    assert 0.5 < mean < 1.5, (mean, error)
    assert abs(mean - 1.0) < 4 * error


@pytest.mark.parametrize("draw", [white, correlated])
@pytest.mark.parametrize("hours", [0.1, 2.0, 28.0])
def test_rarer_never_scores_lower_and_nothing_jumps(draw, hours: float) -> None:
    calibration = Calibration.fit(draw(int(hours * HOUR), np.random.default_rng(2)), hours=hours)
    scores = np.linspace(-5, 12, 4001)
    for curve in (calibration.alarms_per_hour(scores), calibration.p_value(scores)):
        assert (np.diff(curve) <= 0).all()
        assert (curve > 0).all()
    assert (calibration.p_value(scores) <= 1).all()
    threshold = calibration.tail.threshold
    around = np.array([threshold - 1e-9, threshold + 1e-9])
    for curve in (calibration.alarms_per_hour, calibration.p_value):
        below, above = curve(around)
        assert below == pytest.approx(above, rel=1e-3)


@pytest.mark.parametrize("budget", [200.0, 50.0, 20.0, 3.0, 1.0, 0.1, 0.001])
def test_the_threshold_is_where_the_rate_is_the_budget(budget: float) -> None:
    calibration = Calibration.fit(white(2 * HOUR, np.random.default_rng(3)), hours=2.0)
    score = calibration.threshold(budget)
    rate = calibration.alarms_per_hour(np.array([score]))[0]
    assert rate <= budget * (1 + 1e-9)
    if budget < 100:  # more often than good data has any alarm, all of it is allowed
        assert rate == pytest.approx(budget, rel=0.05)


@pytest.mark.parametrize("per_s", [0.1, 1, 10])
def test_incidents_in_the_reference_are_left_out_and_counted(per_s: float) -> None:
    n = int(4 * HOUR * per_s)
    clean = white(n, np.random.default_rng(4))
    dirty = clean.copy()
    for start in (0.2, 0.5, 0.9):  # a twentieth of the time, in three stretches of four minutes
        dirty[int(start * n) : int(start * n) + n // 60] += 12.0
    fitted = Calibration.fit(dirty, hours=4.0)
    assert fitted.excluded == 3
    assert fitted.excluded_s == pytest.approx(0.05 * 4 * HOUR, rel=0.05)
    assert fitted.hours == pytest.approx(3.8, rel=0.01)
    assert fitted.maximum < 7
    without = Calibration.fit(clean, hours=4.0)
    assert without.excluded == 0
    assert fitted.threshold(1.0) == pytest.approx(without.threshold(1.0), abs=0.3)


def test_again_and_again_is_left_out_too() -> None:
    noise = np.random.default_rng(6)
    scores = np.abs(noise.normal(size=(2 * HOUR, 200))).max(axis=1)
    for start in range(120, 2 * HOUR, 600):  # a jump of six seconds every ten minutes
        scores[start : start + 6] += 6.0
    fitted = Calibration.fit(scores, hours=2.0)
    assert fitted.excluded == 12
    assert fitted.threshold(1.0) < 6


def test_a_long_exponential_reference_has_next_to_no_incidents() -> None:
    drawn = [np.random.default_rng(seed).exponential(size=4 * HOUR) for seed in range(20)]
    assert sum(Calibration.fit(scores, hours=4.0).excluded for scores in drawn) <= 2


def test_without_times_there_are_p_values_only() -> None:
    scores = np.random.default_rng(7).exponential(size=50_000)
    calibration = Calibration.fit(scores, hours=None)
    np.testing.assert_allclose(calibration.p_value(np.array([1.0, 5.0])), np.exp([-1.0, -5.0]), rtol=0.1)
    assert calibration.p_value(np.array([12.0]))[0] == pytest.approx(np.exp(-12.0), rel=0.9)
    for refused in (lambda: calibration.alarms_per_hour(ALL), lambda: calibration.threshold(1.0)):
        with pytest.raises(CalibrationError, match="the reference has no times"):
            refused()


def test_times_of_the_windows_are_respected() -> None:
    # Ten crossings within a second are one alarm, wherever they stand in the file.
    scores = np.zeros(1000) + np.linspace(0, 0.1, 1000)
    scores[::50] = 5.0
    spread = np.arange(1000, dtype=np.int64) * 10**9
    packed = spread // 1000
    apart = Calibration.fit(scores, hours=1000 / HOUR, time_ns=spread)
    together = Calibration.fit(scores, hours=1000 / HOUR, time_ns=packed)
    assert apart.rates.max() > 10 * together.rates.max()


def test_windows_without_a_score_are_left_out_and_stay_nan() -> None:
    scores = white(2 * HOUR, np.random.default_rng(8))
    scores[::2] = np.nan
    calibration = Calibration.fit(scores, hours=2.0)
    assert calibration.samples == HOUR
    assert calibration.hours == pytest.approx(1.0)
    assert np.isnan(calibration.alarms_per_hour(np.array([np.nan]))[0])
    assert np.isnan(calibration.p_value(np.array([np.nan]))[0])


def test_infinitely_high_is_as_rare_as_it_gets() -> None:
    calibration = Calibration.fit(white(HOUR, np.random.default_rng(8)), hours=1.0)
    often, never = calibration.alarms_per_hour(ALL)
    assert often == calibration.rates[0]
    assert never == pytest.approx(1.0 / 1000.0)  # once in a thousand references, which is the least that can be asked
    calibration.threshold(never)
    assert [at_least(one) for one in (0.00501, 0.005, 1.04)] == ["0.0053", "0.005", "1.1"]  # each can be asked for
    assert calibration.p_value(ALL)[1] == pytest.approx(1.0 / (1000.0 * calibration.samples))
    assert calibration.beyond_what_is_known(ALL)[1] == pytest.approx(1e-300)
    assert calibration.alarms_per_hour_interval(np.inf) == pytest.approx((never, never))
    before = replace(calibration, rarest=0.0)  # of a model of before, which says what it said
    assert (before.alarms_per_hour(ALL)[1], before.p_value(ALL)[1]) == pytest.approx((0.0, 1e-300))


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        (np.arange(99.0), "only 99 reference windows have a score"),
        (np.full(500, np.nan), "only 0 reference windows"),
        (np.ones(500), "all 500 reference windows have the same score 1"),
    ],
)
def test_a_reference_that_says_nothing_is_refused(scores: Floats, says: str) -> None:
    with pytest.raises(CalibrationError, match=says):
        Calibration.fit(scores, hours=1.0)


def test_a_budget_the_reference_cannot_support_is_marked_or_refused() -> None:
    calibration = Calibration.fit(white(2 * HOUR, np.random.default_rng(9)), hours=2.0)
    assert not calibration.extrapolates(1.0)
    assert calibration.extrapolates(0.1)
    assert calibration.threshold(0.1) > calibration.threshold(1.0)
    with pytest.raises(
        CalibrationError, match=r"cannot be supported by 2\.00 h of reference; ask for at least 0\.0005"
    ):
        calibration.threshold(1e-4)
    for nonsense in (0.0, -1.0, float("nan")):
        with pytest.raises(CalibrationError, match="a budget must be positive"):
            calibration.threshold(nonsense)


@pytest.mark.parametrize("hours", [2.0, None])
def test_a_calibration_survives_json(hours: float | None) -> None:
    before = Calibration.fit(correlated(2 * HOUR, np.random.default_rng(10)), hours=hours)
    after = Calibration.from_dict(json.loads(json.dumps(before.to_dict(), allow_nan=False)))
    scores = np.linspace(-4, 9, 101)
    np.testing.assert_array_equal(after.p_value(scores), before.p_value(scores))
    assert after.to_dict() == before.to_dict()
    assert after.alarms_per_hour_interval(5.0) == before.alarms_per_hour_interval(5.0)


def test_the_same_reference_gives_the_same_calibration() -> None:
    scores = white(HOUR, np.random.default_rng(11))
    assert Calibration.fit(scores, hours=1.0).to_dict() == Calibration.fit(scores, hours=1.0).to_dict()


def test_a_day_of_windows_is_calibrated_at_once() -> None:
    scores = white(100_000, np.random.default_rng(12))
    scores[5000:10_000] += 8.0
    begin = time.process_time()
    Calibration.fit(scores, hours=100_000 / HOUR)
    assert time.process_time() - begin < 1.0


@pytest.mark.parametrize("windows", [160, 1200])
def test_a_reference_shorter_than_the_quiet_time_promises_no_more_than_it_has_seen(windows: int) -> None:
    """Windows of a tenth of a second are one cluster or few by a quiet time of ten: what is above all of them was
    called impossible, though one good window in 160 is."""
    shares = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        times = np.arange(windows, dtype=np.int64) * 10**8
        fitted = Calibration.fit(rng.normal(size=windows), windows / 36_000, times, quiet_s=10.0)
        p_values = fitted.p_value(rng.normal(size=20_000))
        shares.append([np.mean(p_values < p) for p in (1e-2, 1e-3, 1e-5)])
        assert fitted.p_value(np.array([8.0]))[0] < 0.01  # and still what is far out is rare
    found = np.mean(shares, axis=0)
    assert found[0] < 0.02
    assert found[1] < 0.0015
    assert found[2] < 1e-5


@pytest.mark.parametrize(
    "draw",
    [np.random.Generator.standard_normal, np.random.Generator.standard_exponential],
    ids=["normal", "exponential"],
)
@pytest.mark.parametrize("count", [20, 30])
def test_few_windows_without_times_promise_no_more_than_they_know(count: int, draw: Any) -> None:
    rng = np.random.default_rng(count)
    p_values = []
    for _ in range(150):
        known, new = draw(rng, count), draw(rng, 200)
        p_values.append(Calibration.fit(known, None).p_value(new))
    assert np.mean(np.array(p_values) < 0.01) < 0.012  # 0.019 and 0.029 by their own tail alone
    assert np.mean(np.array(p_values) < 0.001) < 0.0015  # 0.006 and 0.011


def test_few_windows_of_which_most_have_the_highest_score() -> None:
    known = Calibration.fit(np.array([0.0] * 5 + [1.0] * 20), None)
    assert known.excluded == 0
    p_values = known.p_value(np.array([0.5, 1.0, 2.0]))
    assert np.isfinite(p_values).all()
    assert (np.diff(p_values) <= 0).all()


def test_one_bad_window_among_few_is_left_out() -> None:
    rng = np.random.default_rng(3)
    left_out = []
    for _ in range(50):
        scores = rng.exponential(size=20)
        scores[7] = 16.0
        left_out.append(Calibration.fit(scores, None).excluded == 1)
    assert np.mean(left_out) > 0.85  # 0.81 by the tail alone, which it makes wide
