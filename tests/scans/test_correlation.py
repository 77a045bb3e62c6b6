"""Rank correlations: against SciPy, by all orders, and how often they find what is not there and what is."""

import numpy as np
import pytest
from scipy.stats import permutation_test, spearmanr

from lynkeus.core import SettingsError
from lynkeus.scans import correlation
from lynkeus.scans.correlation import correlate, seen_with_power, spearman


def test_rho_and_its_p_value_are_those_of_scipy_over_all_orders() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=6), rng.integers(0, 4, 6).astype(float)
    found = correlate({"max": x}, {"field": y})
    (pair,) = found.pairs
    assert found.exact
    assert pair.rho == pytest.approx(spearmanr(x, y).statistic)
    by_scipy = permutation_test(
        (x,),
        lambda a: abs(spearmanr(a, y).statistic),
        permutation_type="pairings",
        alternative="greater",
        n_resamples=np.inf,
    )
    assert pair.p_value == pytest.approx(by_scipy.pvalue)
    assert pair.corrected == pair.p_value  # one pair


def test_many_orders_agree_with_a_t_distribution_for_many_cavities() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=60)
    y = 0.3 * x + rng.normal(size=60)
    (pair,) = correlate({"max": x}, {"field": y}).pairs
    assert pair.p_value == pytest.approx(spearmanr(x, y).pvalue, abs=0.01)
    assert pair.low < pair.rho < pair.high


def noise(rng: np.random.Generator, cavities: int, missing: float = 0.0) -> tuple[dict, dict]:
    """Aggregations that resemble each other and one with ties; properties that have nothing to do with them."""
    shared = rng.normal(size=cavities)
    scores = {f"score{k}": shared + 0.5 * rng.normal(size=cavities) for k in range(4)}
    scores["spots"] = rng.poisson(1.0, cavities).astype(float)
    properties = {f"property{k}": rng.normal(size=cavities) for k in range(3)}
    for column in properties.values():
        column[rng.random(cavities) < missing] = np.nan
    return scores, properties


def test_a_score_that_one_cavity_alone_has_leaves_no_correlation_within_its_interval() -> None:
    """Drawn again without that cavity nothing varies: no correlation, not an undefined one."""
    (pair,) = correlate({"spots": np.eye(12)[0]}, {"field": np.arange(12.0)}).pairs
    assert pair.rho < 0
    assert pair.high == 0.0


@pytest.mark.slow(4)
@pytest.mark.parametrize(("cavities", "missing"), [(12, 0.0), (20, 0.3)])
def test_in_pure_noise_something_is_found_in_one_case_of_twenty(
    cavities: int, missing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 15 pairs uncorrected p-values find something several times as often."""
    monkeypatch.setattr(correlation, "PERMUTATIONS", 399)
    monkeypatch.setattr(correlation, "COPIES", 20)
    rng, cases = np.random.default_rng(3), 250
    runs = [correlate(*noise(rng, cavities, missing)) for _ in range(cases)]
    spread = np.sqrt(0.05 * 0.95 / cases)
    assert abs(np.mean([bool(run.found) for run in runs]) - 0.05) < 3 * spread
    assert np.mean([any(pair.p_value <= 0.05 for pair in run.pairs) for run in runs]) > 0.2


def test_the_power_that_is_stated_is_reached() -> None:
    rng = np.random.default_rng(4)
    found = correlate({"max": rng.normal(size=24)}, {"field": rng.normal(size=24)})
    normal_rho = 2 * np.sin(np.pi / 6 * found.seen)  # the rank correlation of a Gaussian pair is then `seen`
    x, other = rng.normal(size=(2, 500, 24))
    y = normal_rho * x + np.sqrt(1 - normal_rho**2) * other
    seen = np.mean([abs(spearman(a, b)) >= found.critical for a, b in zip(x, y, strict=True)])
    assert seen == pytest.approx(0.8, abs=0.06)


def test_a_planted_correlation_is_found_among_noise_and_the_answer_says_so() -> None:
    rng = np.random.default_rng(5)
    scores, properties = noise(rng, 30)
    properties["max_field"] = -scores["score1"] + 0.3 * rng.normal(size=30)
    found = correlate(scores, properties)
    assert found.pairs[0].property == "max_field"
    assert {pair.property for pair in found.found} == {"max_field"}
    assert found.words().startswith("Correlation found")
    assert "score1 with max_field, rho = -0." in found.words()


def test_no_correlation_is_an_answer_with_what_could_have_been_seen() -> None:
    found = correlate(*noise(np.random.default_rng(6), 14))
    assert not found.found
    words = found.words()
    assert words.startswith("No correlation found in 15 pairs over 14 cavities")
    assert f"|rho| > {found.seen:.2f} would have been seen with 80 % power" in words


def test_five_cavities_can_hardly_show_anything_and_that_is_said() -> None:
    found = correlate(*noise(np.random.default_rng(7), 5))
    assert np.isnan(seen_with_power(1.0, 5))
    assert "none could have been seen reliably" in found.words() or found.seen > 0.95


def test_what_cannot_be_asked_is_left_out_and_named() -> None:
    rng = np.random.default_rng(8)
    some = np.where(np.arange(10) < 4, rng.normal(size=10), np.nan)
    found = correlate({"max": rng.normal(size=10), "spots": np.zeros(10)}, {"q0": rng.normal(size=10), "field": some})
    assert [(pair.score, pair.property) for pair in found.pairs] == [("max", "q0")]
    assert found.left_out == ("field: fewer than 5 cavities have it", "spots: the same for all cavities")
    assert correlate({"spots": np.zeros(6)}, {"q0": np.arange(6.0)}).words().startswith("Nothing could be asked: spots")


def test_missing_values_leave_pairs_with_the_cavities_that_have_both() -> None:
    x, y = np.arange(12.0), np.arange(12.0)
    x[0], y[[5, 6]] = np.nan, np.nan
    (pair,) = correlate({"max": x}, {"field": y}).pairs
    assert (pair.cavities, pair.rho) == (9, pytest.approx(1.0))
    assert pair.p_value == pytest.approx(1e-4)  # the least that 9,999 orders can say


def test_too_few_cavities_and_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"4 cavities .* needs 5"):
        correlate({"max": np.arange(4.0)}, {"q0": np.arange(4.0)})
    with pytest.raises(SettingsError, match="one number per cavity"):
        correlate({"max": np.arange(6.0)}, {"q0": np.arange(7.0)})
