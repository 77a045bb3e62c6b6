"""Hits that a filter keeps, and a row per event to watch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.tpc import hit_columns

import lynkeus
from lynkeus.core import SettingsError, concatenate
from lynkeus.fitting.filtered import Filtered, PerEvent
from lynkeus.sources import open_source
from lynkeus.sources.writers.write import write_source

pytestmark = pytest.mark.slow(2)


def test_a_stream_keeps_what_is_not_removed_and_rates_rise_with_noise(tmp_path: Path) -> None:
    np.savez(tmp_path / "train.npz", **hit_columns(14, seed=1))
    own = hit_columns(6, seed=2)
    np.savez(tmp_path / "later.npz", **own)
    options = {"method": "trees", "trees": 25}
    model = lynkeus.fit(tmp_path / "train.npz", "hit_filter", labels="on_track", options=options)
    fitted = model.fitted
    assert any("loses" in line for line in model.messages)
    with pytest.warns(UserWarning, match="hit|track") as said:
        columns = model.score(tmp_path / "later.npz")
    assert any("neighbours of each hit by event" in str(one.message) for one in said)
    assert columns["remove"].dtype == bool
    later = open_source(tmp_path / "later.npz", expected=fitted.view.schema)
    kept = Filtered(fitted, later)
    assert write_source(kept, tmp_path / "kept.parquet") == kept.hits - kept.removed
    read = concatenate(list(open_source(tmp_path / "kept.parquet")))
    assert read.schema.names == fitted.view.schema.names
    assert read.meta["is_signal"].mean() > own["is_signal"].mean() + 0.2
    assert kept.own_messages == [f"{kept.removed} of {kept.hits} hits are removed"]
    (rates,) = list(PerEvent(fitted, later))
    assert rates.meta["event"].tolist() == np.unique(own["event"]).tolist()
    noise = np.array([1 - own["is_signal"][own["event"] == event].mean() for event in rates.meta["event"]])
    np.testing.assert_allclose(rates.values[:, 1], noise, atol=0.12)
    del own["event"]
    np.savez(tmp_path / "without.npz", **own)
    with pytest.raises(SettingsError, match="event"):
        list(PerEvent(fitted, open_source(tmp_path / "without.npz", expected=fitted.view.schema)))
