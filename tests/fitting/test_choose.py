"""-s auto: the scorer that finds most planted faults in held-out data, and a reason."""

from __future__ import annotations

import numpy as np
import pytest
from tests.jets import source as jets

from lynkeus.core import Batch, Schema, SettingsError
from lynkeus.fitting.choose import choose
from lynkeus.fitting.fit import FitSettings
from lynkeus.fitting.recommended import recommended
from lynkeus.sources import InMemory


def rows(n: int, columns: int = 12, timed: bool = False) -> InMemory:
    """Two numbers decide all columns: a fault in one column is seen by what all others say, not by the column alone."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(n, 2)) @ np.random.default_rng(0).normal(size=(2, columns))
    values += 0.1 * rng.normal(size=values.shape)
    schema = Schema("table", tuple(f"c{k}" for k in range(columns)), (), (columns,), 10.0 if timed else None)
    return InMemory(Batch(schema, values, np.arange(n, dtype=np.int64) * 10**8 if timed else None))


@pytest.mark.slow(4)
@pytest.mark.parametrize("timed", [False, True])
def test_a_scorer_that_sees_correlations_beats_one_that_does_not(timed: bool) -> None:
    choice = choose(rows(1500, timed=timed), FitSettings("auto"))
    found = {candidate.name: candidate for candidate in choice.candidates}
    assert found["conditional_residual"].low > found["three_sigma"].high
    assert found[choice.best].high > max(c.efficiency for c in choice.candidates if not c.refused)
    assert found["cavity"].refused == "it reads waveform"
    assert choice.why.startswith(f"{choice.best} is chosen: finds ")
    assert all(candidate.faults >= 300 for candidate in choice.candidates if not candidate.refused)


def test_data_that_no_scorer_can_use_are_refused_with_a_reason() -> None:
    with pytest.raises(SettingsError, match="no scorer can be fitted on these data; the first says:"):
        choose(rows(3), FitSettings("auto"))


def test_jets_are_of_classes_and_what_to_do_is_said() -> None:
    with pytest.raises(SettingsError, match="name jet_observables or particle_net"):
        choose(jets(60, 1), FitSettings("auto"))
    assert recommended(jets(60, 1)) == ("particle_net", "jets of known classes")
