"""The FODO line against the closed forms of its textbook, and against Cheetah."""

from dataclasses import replace

import numpy as np
import pytest

from lynkeus.core.errors import SettingsError
from lynkeus.simulate.beam.optics import Fodo, drift, quadrupole

LINE = Fodo(stations=24)
PLANES = ("x", "y")


def thin(stations: int = 12, focal_m: float = 14.0) -> Fodo:
    length = 1e-6
    return Fodo(stations, half_cell_m=6.1, quadrupole_m=length, k1_per_m2=1 / (focal_m * length))


@pytest.mark.parametrize("k1", [-2.0, 0.0, 1e-9, 2.0])
def test_matrices_keep_phase_space_area_and_halves_make_a_whole(k1):
    whole = quadrupole(0.4, k1)
    assert np.linalg.det(whole) == pytest.approx(1.0, abs=1e-14)
    np.testing.assert_allclose(quadrupole(0.2, k1) @ quadrupole(0.2, k1), whole, rtol=1e-12)
    np.testing.assert_allclose(drift(1.0) @ drift(2.0), drift(3.0))


@pytest.mark.parametrize("focal_m", [8.0, 14.0, 30.0])
@pytest.mark.parametrize("plane", PLANES)
def test_thin_lens_cell_has_the_closed_form(focal_m, plane):
    line, length = thin(focal_m=focal_m), 2 * 6.1
    sign = 1 if plane == "x" else -1  # half lens, drift, lens, drift, half lens
    half, lens = np.array([[1, 0], [-sign / (2 * focal_m), 1]]), np.array([[1, 0], [sign / focal_m, 1]])
    expected = half @ drift(length / 2) @ lens @ drift(length / 2) @ half
    np.testing.assert_allclose(line.cell(plane), expected, atol=1e-5)
    assert np.cos(line.phase_advance()) == pytest.approx(1 - length**2 / (8 * focal_m**2), abs=1e-5)
    half_phase = line.phase_advance() / 2
    largest = length * (1 + np.sin(half_phase)) / np.sin(2 * half_phase)
    smallest = length * (1 - np.sin(half_phase)) / np.sin(2 * half_phase)
    focusing_first = [largest, smallest] if plane == "x" else [smallest, largest]
    np.testing.assert_allclose(line.beta_m(plane)[:2], focusing_first, rtol=1e-5)


@pytest.mark.parametrize("plane", PLANES)
def test_periodic_functions_repeat_and_determinants_are_one(plane):
    cell, beta = LINE.cell(plane), LINE.beta_m(plane)
    sigma = np.diag([beta[0], 1 / beta[0]])  # alpha = 0 in the centre of a quadrupole
    np.testing.assert_allclose(cell @ sigma @ cell.T, sigma, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(LINE.transfer(plane)), 1.0, atol=1e-10)
    steps = LINE.transfer(plane)
    np.testing.assert_allclose((steps @ sigma @ np.swapaxes(steps, 1, 2))[:, 0, 0], beta, rtol=1e-10)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("station", [0, 3, 10])
def test_kick_response_is_root_beta_beta_sine(plane, station):
    beta, phase = LINE.beta_m(plane), _phases(LINE, plane)
    expected = np.sqrt(beta[station] * beta) * np.sin(phase - phase[station])
    expected[: station + 1] = 0
    np.testing.assert_allclose(LINE.kick_response_m_per_rad(plane, station), expected, atol=1e-9)


@pytest.mark.parametrize("plane", PLANES)
def test_leaked_dispersion_keeps_its_invariant(plane):
    start = np.array([6e-3, -2e-4])  # D in m, D' in rad
    along = LINE.transfer(plane) @ start
    beta = LINE.beta_m(plane)
    invariant = along[:, 0] ** 2 / beta + beta * along[:, 1] ** 2  # gamma D^2 + 2 alpha D D' + beta D'^2
    np.testing.assert_allclose(invariant, invariant[0], rtol=1e-9)


@pytest.mark.parametrize("plane", PLANES)
def test_trajectories_are_root_beta_times_cosine_and_sine(plane):
    phase = _phases(LINE, plane)
    expected = np.sqrt(LINE.beta_m(plane)) * np.array([np.cos(phase), np.sin(phase)])
    np.testing.assert_allclose(LINE.trajectories(plane), expected, atol=1e-9)
    assert not LINE.trajectories(plane, station=5)[:, :5].any()


def test_impossible_lines_are_refused():
    with pytest.raises(SettingsError, match="too strong"):
        replace(LINE, k1_per_m2=50.0)
    with pytest.raises(SettingsError, match="two stations"):
        Fodo(stations=1)


@pytest.mark.slow
@pytest.mark.parametrize("plane", PLANES)
def test_orbit_response_agrees_with_cheetah(plane):
    torch = pytest.importorskip("torch")
    cheetah = pytest.importorskip("cheetah")
    angle, corrector_at = 1e-6, 2
    number = {"dtype": torch.float64}

    def quad(k1: float) -> object:
        return cheetah.Quadrupole(torch.tensor(LINE.quadrupole_m / 2, **number), torch.tensor(k1, **number))

    kind = cheetah.HorizontalCorrector if plane == "x" else cheetah.VerticalCorrector
    elements, response = [kind(torch.tensor(0.0, **number), torch.tensor(angle, **number))], [0.0]
    free = torch.tensor(LINE.half_cell_m - LINE.quadrupole_m, **number)
    beam = cheetah.ParameterBeam.from_parameters(energy=torch.tensor(14e9, **number), dtype=torch.float64)
    for station in range(corrector_at, LINE.stations - 1):
        k1 = LINE.k1_per_m2 * (1 if station % 2 == 0 else -1)
        elements += [quad(k1), cheetah.Drift(free), quad(-k1)]
        after = cheetah.Segment(elements).to(torch.float64).track(beam)
        response.append(float(getattr(after, f"mu_{plane}")) / angle)
    mine = LINE.kick_response_m_per_rad(plane, corrector_at)[corrector_at:]
    np.testing.assert_allclose(mine, response, rtol=1e-6, atol=1e-6 * np.abs(mine).max())


def _phases(line: Fodo, plane: str) -> np.ndarray:
    """Betatron phase at each station: half a cell is half of the cell's phase by symmetry only on average."""
    beta = line.beta_m(plane)
    half = [np.arcsin(line.half_cell(plane, k)[0, 1] / np.sqrt(beta[k] * beta[k + 1])) for k in (0, 1)]
    return np.concatenate([[0.0], np.cumsum(np.resize(half, line.stations - 1))])
