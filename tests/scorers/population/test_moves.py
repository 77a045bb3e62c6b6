"""Where a run is as a whole: found, put back, and as rare as good runs support."""

import numpy as np
import pytest

from lynkeus.core import Finding
from lynkeus.scorers.population.density import Density
from lynkeus.scorers.population.moves import Located, Moves, apart, clear, located, put_back, together, wider_than_said
from lynkeus.scorers.population.words import sentence


def events(rng: np.random.Generator, n: int, line: float = 0.25) -> np.ndarray:
    """A broad band and a narrow line in two columns that depend on each other."""
    size = rng.normal(0.0, 1.0, n)
    band = np.stack([size, 0.5 * size + rng.normal(0.0, 0.2, n)], axis=1)
    return np.where(rng.random((n, 1)) < line, np.array([1.5, -0.5]) + rng.normal(0.0, 0.05, (n, 2)), band)


@pytest.fixture(scope="module")
def density() -> Density:
    return Density.fit(events(np.random.default_rng(0), 4000), 0)


@pytest.mark.parametrize("line", [0.25, 0.0])
@pytest.mark.parametrize("size", [0.0, 0.1, -0.6])
def test_a_run_is_found_where_it_is_and_put_back(density: Density, size: float, line: float) -> None:
    rng, asked = np.random.default_rng(1), np.ones(2, bool)
    for _ in range(3):
        scaled = events(rng, 400, line)
        points = density.points(scaled + np.array([size, 0.0]))
        found = located(density, points, asked)
        away = (found.moved - np.array([size, 0.0]) / density.widths) / found.sigma
        assert np.abs(away).max() < 5.0
        back = density.scaled(put_back(density, points, found.moved))
        np.testing.assert_allclose(back, scaled, atol=6.0 * float((found.sigma * density.widths).max()))


def test_a_run_that_is_far_is_found_on_the_highest_hill_of_its_likelihood() -> None:
    """A band that two columns share hides which of them is moved: only a narrow line in it knows, once it is near."""
    rng = np.random.default_rng(7)

    def drawn(n: int) -> np.ndarray:
        size, line = rng.normal(2.0, 0.4, (n, 1)), rng.random((n, 1)) < 0.2
        return np.where(line, [2.48, 4.78], np.hstack([size, size + 2.0])) + rng.normal(0.0, 0.05, (n, 2))

    density = Density.fit(drawn(2000), 0)
    for move in ([0.0, -0.12], [0.02, 0.11], [0.0, 0.14], [0.0, -0.3], [0.2, 0.2], [-0.15, 0.15], [0.7, 0.0]):
        found = located(density, density.points(drawn(200) + np.array(move)), np.ones(2, bool))
        away = (found.moved - np.array(move) / density.widths) / found.sigma
        assert np.abs(away).max() < 6.0, move


def test_a_column_that_is_not_asked_stays(density: Density) -> None:
    points = density.points(events(np.random.default_rng(2), 300) + 0.3)
    found = located(density, points, np.array([True, False]))
    assert found.moved[1] == 0.0
    assert found.sigma[1] == np.inf
    assert clear(density, [points, points]).all()
    assert (wider_than_said(density, points) >= 1.0).all()


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_moves_of_good_runs_are_no_rarer_than_promised(spread: float) -> None:
    """Moves as Student's t of three degrees, over many references of twenty runs."""
    rng, p_values, far = np.random.default_rng(3), list[float](), list[float]()

    def drawn(count: int) -> list[Located]:
        moved = rng.normal(size=count) + spread * rng.standard_t(3.0, count)
        return [Located(np.array([one]), np.ones(1)) for one in moved]

    for _ in range(40):
        moves = Moves.fit(drawn(20), np.ones(1))
        p_values += [moves.p_value(one) for one in drawn(20)]
        far.append(moves.p_value(Located(np.array([12.0]), np.ones(1))))
    assert np.mean(np.array(p_values) < 0.01) < 0.03  # of 800
    assert np.mean(np.array(p_values) < 0.001) < 0.006
    assert np.median(far) < (1e-3 if spread == 0.0 else 1.0)


def test_many_columns_say_together_whether_moves_have_tails() -> None:
    """Of forty columns that move by Student's t, several look in twenty runs as if they did not, and one of forty is
    ten spreads off in one of a few new runs."""
    rng = np.random.default_rng(4)

    def drawn(count: int, freedom: float) -> list[Located]:
        moved = rng.normal(size=count) + 2.0 * (rng.standard_t(freedom, count) if freedom else rng.normal(size=count))
        return [Located(np.array([one]), np.ones(1)) for one in moved]

    far, rare = Located(np.array([20.0]), np.ones(1)), {}
    for freedom in (3.0, 0.0):
        alone = [Moves.fit(drawn(20, freedom), np.ones(1)) for _ in range(40)]
        known = together([None, *alone, None])
        assert known[0] is known[-1] is None
        rare[freedom] = [min(one.p_value(far) for one in own if one) for own in (alone, known)]
    assert rare[3.0][1] > 1.5 * rare[3.0][0]
    assert rare[0.0][1] < rare[0.0][0]
    assert together([alone[0]])[0].p_value(far) == pytest.approx(alone[0].p_value(far))
    assert together([None]) == [None]


def test_a_second_kind_of_runs_lies_apart_and_long_tails_of_moves_do_not() -> None:
    rng = np.random.default_rng(5)

    def of(moves: np.ndarray) -> np.ndarray:
        found = moves + rng.normal(size=(20, 2))
        return apart([Located(one, np.ones(2)) for one in found], np.ones(2))

    for many in (1, 3):
        moved = np.zeros((20, 2))
        moved[:many] = 12.0
        assert np.flatnonzero(of(moved)).tolist() == list(range(many))
    tails = [of(5.0 * rng.standard_t(3.0, (20, 2))).any() for _ in range(40)]
    assert sum(tails) <= 4


def test_a_sentence_names_other_changes_that_are_sure() -> None:
    gone = Finding("gone", "population near a 3", "a", "a 2 to 4", 1.0, "", 16.8)
    moved = Finding("shifted", "all events", "c", "", 0.4, "mm", 10.6)
    said = sentence(gone, 5e-5, [moved, Finding("none")])
    assert said.startswith(
        "population near a 3: 100% missing, a 2 to 4 (16.8 sigma); also all events shifted in c by +0.4 mm"
    )
    assert said.endswith("; a good run of this size looks as odd once in 20,000")
    assert "also" not in sentence(gone, 5e-5)
