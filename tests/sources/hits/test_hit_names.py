"""What columns of hits are called: places, answers that are never judged by, cells, and what labels say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.tpc import hit_columns

from lynkeus.core import SourceError
from lynkeus.sources import open_source
from lynkeus.sources.hits.names import is_answer, is_number_of, patch_of, roles_of
from lynkeus.sources.hits.prepared import PreparedHits
from lynkeus.sources.hits.source import HitSource, read_labels


@pytest.mark.parametrize(
    "name",
    ["truth", "true_track", "mc_pdg", "is_signal", "isNoise", "track_id", "trackId", "on_track", "label", "label_noise",
     "particle_id", "kind", "hits/is_noise", "pdg", "signal", "noise", "is_true_hit", "hit_type", "pt_true"],
)  # fmt: skip
def test_answers_are_known(name: str) -> None:
    assert is_answer(name)


@pytest.mark.parametrize(
    "name", ["charge", "noise_rms", "signal_to_noise", "width", "row", "time", "y", "adc", "height", "generation_time"]
)
def test_what_may_be_judged_by_is_no_answer(name: str) -> None:
    assert not is_answer(name)
    assert not is_number_of(name)


def test_places_are_found_by_usual_names() -> None:
    assert roles_of(["eventNumber", "padrow", "pad", "timeBin", "sector"]) == (
        "eventNumber", ("sector",), "padrow", "pad", "timeBin",
    )  # fmt: skip
    assert roles_of(["event_id", "row", "x", "y"]).places
    assert not roles_of(["charge", "row"]).places


def test_cells_are_found_in_any_writing() -> None:
    for form in ("adc[{},{}]", "adc_{}_{}", "adc_p{}_t{}", "ADC{}_{}"):
        names = ["charge", *(form.format(pad, time) for pad in range(3) for time in range(4)), "width2"]
        assert patch_of(names) == (list(range(1, 13)), (3, 4)), form
    assert patch_of([f"wave{k}" for k in range(12)]) == (list(range(12)), (1, 12))
    assert patch_of(["adc_0", "adc_1", "charge"]) == ([], (0, 0))
    assert patch_of([f"adc_{k}_{j}" for k in range(3) for j in range(3)][:-1]) == ([], (0, 0))


@pytest.mark.parametrize(
    ("name", "column", "noise"),
    [
        ("on_track", [1, 0, 1], [0, 1, 0]), ("is_noise", [1, 0, 1], [1, 0, 1]), ("y", [0.0, 1.0, 0.0], [0, 1, 0]),
        ("track_id", [-1, 0, 7], [1, 0, 0]), ("trackNumber", [0, 3, 7], [1, 0, 0]),
        ("what", ["noise", "track", "spark"], [1, 0, 1]),
    ],
)  # fmt: skip
def test_labels_say_which_are_noise(name: str, column: list, noise: list[int]) -> None:
    found = read_labels(name, np.array(column))
    assert found.noise.tolist() == noise
    assert name in found.says


def test_other_labels_are_refused() -> None:
    with pytest.raises(SourceError, match="0 and 1"):
        read_labels("on_track", np.array([0, 1, 2]))


def test_events_stay_whole_and_answers_aside(tmp_path: Path) -> None:
    own = hit_columns(6, seed=1)
    np.savez(tmp_path / "a.npz", **own)
    source = open_source(tmp_path / "a.npz", hits=True)
    assert not {"is_signal", "on_track", "event"} & set(source.schema.names)
    assert any("is_signal" in line for line in source.messages)
    prepared = PreparedHits(source, "on_track")
    (batch,) = list(prepared)
    np.testing.assert_array_equal(batch.truth, 1 - own["on_track"])
    assert "near/aligned" in batch.schema.names


def test_large_files_are_cut_between_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lynkeus.sources.hits.source as module

    own = hit_columns(6, seed=1)
    np.savez(tmp_path / "a.npz", **own)
    monkeypatch.setattr(module, "BATCH", 500)
    batches = list(HitSource([tmp_path / "a.npz"]))
    assert len(batches) > 2
    assert sum(map(len, batches)) == len(own["row"])
    seen = [set(batch.meta["event"].tolist()) for batch in batches]
    assert all(not one & other for one, other in pairwise(seen))
    order = np.random.default_rng(0).permutation(len(own["row"]))
    np.savez(tmp_path / "b.npz", **{name: column[order] for name, column in own.items()})
    assert len(list(HitSource([tmp_path / "b.npz"]))) == 1
