"""What is usually done: cuts on a peak that is searched for, chi-square to the mean spectrum, a dense network."""

from __future__ import annotations

import warnings

import numpy as np
from scipy.signal import find_peaks
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lynkeus.core import Floats


def chi2_to_mean(good: Floats, test: Floats) -> Floats:
    """Return (m,) chi-square a bin of spectra to the mean of good ones, both of one count."""
    mean = good.sum(axis=0) / good.sum()
    total = np.maximum(test.sum(axis=1, keepdims=True), 1.0)
    return (((test - total * mean) ** 2) / (total * mean + 1.0)).mean(axis=1)


def peak_cuts(good: Floats, test: Floats) -> Floats:
    """Return (m,) by how many spreads of good pads the highest peak of the upper part is off in place, width or height,
    or the number of peaks is."""
    start = int(0.5 * np.median(good[:, 20:].argmax(axis=1) + 20))
    usual, own = _peaks(good, start), _peaks(test, start)
    centre = np.median(usual, axis=0)
    spread = 1.4826 * np.median(np.abs(usual - centre), axis=0) + 1e-3
    return (np.abs(own - centre) / spread)[:, :3].max(axis=1) + 10.0 * (own[:, 3] != 1)


def _peaks(spectra: Floats, start: int) -> Floats:
    """Return place, logarithm of the height, width, and number of the peaks above bin `start` of each spectrum."""
    taps = np.exp(-0.5 * (np.arange(-4, 5) / 2.0) ** 2)
    found = np.zeros((len(spectra), 4))
    for k, own in enumerate(spectra):
        smooth = np.convolve(own, taps / taps.sum(), "same")[start:]
        peaks, said = find_peaks(
            smooth, height=0.4 * smooth.max() + 1e-9, width=1, prominence=0.25 * smooth.max() + 1e-9
        )
        if len(peaks):
            best = int(np.argmax(said["peak_heights"]))
            found[k] = peaks[best], np.log1p(said["peak_heights"][best]), said["widths"][best], len(peaks)
    return found


def dense_network(train: Floats, bad: Floats, test: Floats) -> Floats:
    """Return (m,) how probably pads are bad by a dense network of three layers on spectra that add up to 1, as the
    document has it, trained on labelled ones (n, bins)."""
    network = MLPClassifier((128, 64, 32), max_iter=120, alpha=1e-2, tol=0.0, n_iter_no_change=1000, random_state=0)
    model = make_pipeline(StandardScaler(), network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # as many turns as it was given
        model.fit(_scaled(train), bad)
    return np.asarray(model.predict_proba(_scaled(test))[:, 1])


def _scaled(spectra: Floats) -> Floats:
    total = spectra.sum(axis=1, keepdims=True)
    return np.hstack([spectra / np.maximum(total, 1.0) * 20.0, np.log1p(total)])
