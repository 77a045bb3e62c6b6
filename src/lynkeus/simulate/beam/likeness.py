"""How alike two stretches of orbits are: the summary statistics that the simulator is tuned to."""

from __future__ import annotations

import numpy as np

from lynkeus.core.batch import Floats

MINUTE = 600
QUANTILES = (0, 10, 50, 90, 100)


def orbit_statistics(rows_um: Floats) -> dict[str, list[float]]:
    """Spectrum, jitter, conditional noise and autocorrelation of orbits (n, c) in um at 10 Hz, minute medians removed.

    `correlation_spectrum`: cumulative share of the largest eigenvalues. `conditional_noise_um`: standard deviation of
    a channel given all others. `residual_drift`: how far the conditional residual of a channel strays from minute to
    minute over the stretch, in its own standard deviations. Quantiles are 0, 10, 50, 90, 100 % of the channels.
    """
    count, channels = len(rows_um) // MINUTE, rows_um.shape[1]
    minutes = np.asarray(rows_um[: count * MINUTE], float).reshape(count, MINUTE, channels)
    centred = (minutes - np.median(minutes, axis=1, keepdims=True)).reshape(-1, channels)
    covariance = np.cov(centred.T)
    precision = np.linalg.inv(covariance)
    conditional = 1 / np.sqrt(np.diag(precision))
    sigma = np.sqrt(np.diag(covariance))
    spectrum = np.linalg.eigvalsh(covariance / np.outer(sigma, sigma))[::-1]
    residual = (minutes.mean(1) - minutes.mean((0, 1))) @ (precision * conditional)
    lagged = {lag: (centred[:-lag] * centred[lag:]).mean(0) / centred.var(0) for lag in (1, 10, 50)}
    return {
        "correlation_spectrum": (np.cumsum(spectrum) / spectrum.sum())[:17].tolist(),
        "covariance_eigenvalues_um2": np.linalg.eigvalsh(covariance)[::-1][:13].tolist(),
        "jitter_um": np.percentile(np.median(minutes.std(1), 0), QUANTILES).tolist(),
        "conditional_noise_um": np.percentile(conditional, QUANTILES).tolist(),
        "autocorrelation_lag_1_10_50": [float(np.median(values)) for values in lagged.values()],
        "residual_drift": np.percentile(residual.std(0), QUANTILES).tolist(),
    }
