"""Classes of pulses from their quantities and from their waveforms, beside a majority and cuts by hand."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import f1_score
from sklearn.tree import DecisionTreeClassifier

from lynkeus.core import SchemaError
from lynkeus.files.arrays import arrays_of, part_of
from lynkeus.simulate.pulses.source import CLASSES, COLUMNS, SensorPulses, draw_pulses
from lynkeus.studies.xenon_data_quality.pulse_classes import PulseClassifier
from lynkeus.transforms.pulse_quantities import QUANTITIES

OF_WAVEFORM = len(QUANTITIES)  # the first columns are measured on the waveform alone


@pytest.fixture(scope="module")
def sets() -> tuple[SensorPulses, SensorPulses]:
    """To learn from, and to test on."""
    return draw_pulses(7000, np.random.default_rng(2)), draw_pulses(5000, np.random.default_rng(3))


def f1(test: SensorPulses, called: np.ndarray) -> float:
    return float(f1_score(test.truth, called, average="macro", labels=range(len(CLASSES)), zero_division=0.0))


@pytest.mark.slow
def test_pulses_are_called_by_their_names(sets):
    train, test = sets
    by_all = PulseClassifier.fit(train.quantities, train.truth, len(CLASSES)).classify(test.quantities)
    waves = slice(OF_WAVEFORM)
    by_wave = PulseClassifier.fit(train.quantities[:, waves], train.truth, len(CLASSES))
    assert f1(test, by_all) > 0.98
    assert f1(test, by_wave.classify(test.quantities[:, waves])) > 0.97
    most = np.full(len(test.truth), np.bincount(train.truth).argmax())
    two = [COLUMNS.index("area_phd"), COLUMNS.index("width_ns")]
    cuts = DecisionTreeClassifier(max_leaf_nodes=8).fit(np.nan_to_num(train.quantities[:, two]), train.truth)
    assert f1(test, most) < 0.1
    assert f1(test, cuts.predict(np.nan_to_num(test.quantities[:, two]))) < 0.93


def test_the_arrays_do_what_the_trees_of_scikit_learn_do(sets, tmp_path):
    train, test = (SensorPulses(*(part[:1500] for part in pulses)) for pulses in sets)
    ours = PulseClassifier.fit(train.quantities, train.truth, len(CLASSES), trees=20)
    theirs = ExtraTreesClassifier(20, min_samples_leaf=2, random_state=0)
    theirs.fit(np.nan_to_num(train.quantities, nan=-1), train.truth)
    expected = theirs.predict_proba(np.nan_to_num(test.quantities, nan=-1))
    np.testing.assert_allclose(ours.probabilities(test.quantities), expected, atol=1e-6)
    save_file(arrays_of(ours), tmp_path / "pulses.safetensors")
    again = part_of(PulseClassifier, load_file(tmp_path / "pulses.safetensors"))
    np.testing.assert_array_equal(again.classify(test.quantities), ours.classify(test.quantities))


def test_a_class_that_was_never_seen_is_never_called(sets):
    train, test = (SensorPulses(*(part[:1500] for part in pulses)) for pulses in sets)
    some = train.truth != CLASSES.index("MPE")
    found = PulseClassifier.fit(train.quantities[some], train.truth[some], len(CLASSES), trees=20)
    assert (found.probabilities(test.quantities)[:, CLASSES.index("MPE")] == 0).all()
    np.testing.assert_allclose(found.probabilities(test.quantities).sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("truth", [[], [0, 9], [-1, 0]])
def test_labels_beyond_the_classes_are_refused(truth):
    with pytest.raises(SchemaError, match="labels from 0 to 5"):
        PulseClassifier.fit(np.zeros((len(truth), 3)), np.array(truth, int), 6)
