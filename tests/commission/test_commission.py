from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from lynkeus.commission.commission import CommissionSettings, commission
from lynkeus.commission.turn_on import CHANCE, TurnOn, read_table, write_table
from lynkeus.core import Batch, CalibrationError, SchemaError, SettingsError, SourceError
from lynkeus.sources import InMemory

pytestmark = pytest.mark.slow(0.5)  # each, about: many of them, or processes of their own

BUDGET = 20.0  # an hour of reference supports it
SINGLE = CommissionSettings(BUDGET, {"offset": (2.0, 4.0, 6.0)}, length=1, every=20, per_case=300)
MIXED = CommissionSettings(BUDGET, {"offset": (0.3, 5.0), "swapped": (1.0,), "flip": (1.0,)}, length=30, per_case=12)


@pytest.fixture(scope="module")
def single(loudest, gaussian):
    """300 faults of one row for each size."""
    return commission(loudest, gaussian(9000, seed=2), SINGLE)


def _rows(found, **wanted) -> list[TurnOn]:
    return [row for row in found.rows if all(getattr(row, name) == value for name, value in wanted.items())]


def test_the_turn_on_curve_is_the_closed_form(single, loudest):
    threshold = loudest.calibrations["monitor"].threshold(BUDGET)
    for row in _rows(single, output="monitor", scorer="loudest"):
        expected = norm.sf(threshold - row.size)
        assert row.low <= expected <= row.high
        assert row.efficiency == pytest.approx(expected, abs=0.06)
        assert row.faults <= 300
        assert row.high - row.low < 0.11


def test_place_time_and_auroc_of_single_rows(single):
    large = _rows(single, output="monitor", scorer="loudest", size=6.0)[0]
    assert large.right_place == 1.0
    assert large.right_window > 0.97
    assert large.detect_median_s == pytest.approx(0.1)
    assert large.auroc_low <= large.auroc <= large.auroc_high
    # P(largest of five |N(0, 1)| < |N(6, 1)|), the other four channels cannot matter at this size.
    assert large.auroc > 0.99


def test_false_alarms_are_compatible_with_the_budget(single):
    for counted in single.false_alarms:
        _, low, high = counted.rate
        assert counted.exposure == pytest.approx(0.25)
        assert low <= BUDGET <= high
        assert not counted.extrapolated
        assert all(alarm.end_ns > alarm.start_ns for alarm in counted.alarms)


def test_faults_that_coincide_with_a_real_event_are_left_out(loudest, gaussian):
    source = gaussian(6000, 3)
    source.batch.values[1000:2200, 1] += 20.0
    chosen = CommissionSettings(BUDGET, {"offset": (1e-9,)}, length=30, per_case=20)
    found = commission(loudest, source, chosen)
    monitor = next(counted for counted in found.false_alarms if counted.output == "monitor")
    event = max(monitor.alarms, key=lambda alarm: alarm.end_ns - alarm.start_ns)
    assert event.where == "BPME.1.SA1/x"
    assert event.end_ns - event.start_ns == pytest.approx(120e9, rel=0.01)
    row = _rows(found, output="monitor", scorer="loudest")[0]
    assert 2 <= monitor.left_out == 20 - row.faults
    assert row.efficiency == 0.0  # a fault of no size is not found because the event is


def test_chance_stands_beside_and_cross_talk_is_kept_apart(single):
    chance = _rows(single, scorer=CHANCE)
    assert len(chance) == 3
    assert all(row.efficiency == pytest.approx(BUDGET * 0.1 / 3600, rel=1e-3) for row in chance)
    assert all(row.right_place == pytest.approx(1 / 5) for row in chance)
    assert {row.output for row in single.rows if not row.meant} == {"beam"}


def test_the_same_seed_gives_the_same_numbers_however_batches_are_cut(loudest, gaussian):
    first = commission(loudest, gaussian(6000, 3), MIXED)
    cut = commission(loudest, gaussian(6000, 3, batch_size=997), MIXED)
    assert repr(first.rows) == repr(cut.rows)
    assert repr(first.rows) != repr(commission(loudest, gaussian(6000, 3), replace(MIXED, seed=1)).rows)


def test_kinds_share_passes_and_each_output_has_its_own_faults(loudest, gaussian):
    found = commission(loudest, gaussian(6000, 3), MIXED)
    meant = {(row.fault, row.output) for row in found.rows if row.meant}
    assert meant == {("offset", "monitor"), ("swapped", "monitor"), ("flip", "beam")}
    assert _rows(found, fault="offset", output="monitor", size=5.0)[0].efficiency == 1.0
    flip = _rows(found, fault="flip", output="beam", scorer="loudest")[0]
    assert np.isnan(flip.right_place)
    assert np.isnan(flip.right_window)
    assert abs(flip.auroc - 0.5) < 0.15  # a mirrored Gaussian is a Gaussian


def test_windows_of_rows_and_the_time_to_the_end_of_the_first(fit_loudest, gaussian):
    windowed = fit_loudest(window=10)
    chosen = CommissionSettings(BUDGET, {"offset": (3.0,)}, length=60, per_case=20)
    row = _rows(commission(windowed, gaussian(6000, 4), chosen), output="monitor", scorer="loudest")[0]
    assert row.efficiency == row.right_place == row.right_window == 1.0
    assert 0.5 <= row.detect_median_s <= 1.5
    with pytest.raises(SettingsError, match="shorter than the windows"):
        commission(windowed, gaussian(6000, 4), replace(chosen, length=9))


def test_a_scorer_without_monitor_and_beam_answers_for_all(fit_loudest, gaussian):
    plain = fit_loudest()
    plain.scorer.outputs = ("anomaly", "size")
    plain.calibrations = dict(zip(plain.scorer.outputs, plain.calibrations.values(), strict=True))
    found = commission(plain, gaussian(6000, 3), MIXED)
    assert all(row.meant for row in found.rows)


def test_others_get_the_very_same_faults(loudest, fit_loudest, gaussian):
    progress = []
    found = commission(
        loudest, gaussian(6000, 3), MIXED, {"twin": fit_loudest()}, lambda what, share: progress.append((what, share))
    )
    own, twin = ([replace(row, scorer="") for row in _rows(found, scorer=name)] for name in ("loudest", "twin"))
    assert repr(own) == repr(twin)
    assert list(found.lineages) == ["loudest", "twin"]
    shares = [share for _, share in progress]
    assert shares == sorted(shares)
    assert progress[-1] == ("done", 1.0)
    with pytest.raises(SettingsError, match="rename"):
        commission(loudest, gaussian(6000, 3), MIXED, {"loudest": loudest})


def test_a_budget_beyond_the_reference_is_refused_or_marked(loudest, gaussian):
    source = gaussian(1200, 3)
    with pytest.raises(CalibrationError, match="cannot be supported"):
        commission(loudest, source, MIXED.at(1e-6))
    found = commission(loudest, source, replace(MIXED, faults={"offset": (5.0,)}, per_case=2).at(0.1))
    assert all(row.extrapolated for row in found.rows if row.scorer == "loudest")
    assert all(counted.extrapolated for counted in found.false_alarms)


def test_other_data_are_refused(loudest, gaussian):
    source = gaussian(1200, 3)
    names = tuple(f"other {k}" for k in range(5))
    renamed = Batch(replace(source.schema, names=names), source.batch.values, source.batch.time_ns)
    with pytest.raises(SchemaError, match="names"):
        commission(loudest, InMemory(renamed), MIXED)


def test_the_table_comes_back_and_is_whole_or_not_there(single, tmp_path):
    path = tmp_path / "new" / "table.parquet"
    write_table(single.rows, path)
    assert repr(read_table(path)) == repr(single.rows)
    assert [item.name for item in path.parent.iterdir()] == ["table.parquet"]
    path.write_bytes(b"PAR1")
    with pytest.raises(SourceError, match="no table of turn-on curves"):
        read_table(path)
    (tmp_path / "folder.parquet").mkdir()
    with pytest.raises(SourceError, match="is a folder: give a file name"):
        write_table(single.rows, tmp_path / "folder.parquet")
    assert not list(tmp_path.glob("*.partial"))
