"""VUS-PR of anomaly scores of univariate series: ours beside the matrix profile and PyOD's detectors on windows.

    python benchmarks/series.py [DATA] [--results FILE] [--methods "a|b"] [--scorers autoencoder] [--workers 1]

DATA (default: series/ in the folder LYNKEUS_DATA) is a folder with `ucr/` (values; the end of the file's name says
where the anomaly is) and `nab/` (Numenta Anomaly Benchmark). Results are kept in FILE, so that a second run computes
only what is missing. Peers: pip install pyod==3.6.7 stumpy tqdm. The first series and every second one after it were
used in development, the others were held out.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import maximum_filter1d

from lynkeus.core import Batch, Floats, Schema, plugins
from lynkeus.metrics.rates import bootstrap_interval, vus_pr
from lynkeus.sources import InMemory, Window
from lynkeus.transforms.period import NO_PERIOD, autocorrelation_period, window_length
from lynkeus.transforms.row_scores import row_scores

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
SCHEMA = Schema("table", ("value",), ("",), (1,))

WindowScores = Callable[[Floats, int], Floats]  # (rows,) values and a window's length -> (rows - length + 1,)


@dataclass(frozen=True)
class Series:
    name: str
    values: Floats  # (rows,)
    truth: np.ndarray  # (rows,) bool

    @property
    def period(self) -> int:
        return autocorrelation_period(self.values) or NO_PERIOD


def load_series(folder: Path) -> list[Series]:
    """All series with an anomaly: those of ucr, then those of nab, in the order of names."""
    found = []
    for file in sorted((folder / "ucr").glob("*.txt")):
        values, (first, last) = np.loadtxt(file).ravel(), file.stem.split("_")[-2:]
        rows = np.arange(1, len(values) + 1)
        found.append(Series(f"ucr/{file.stem[:3]}", values, (int(first) <= rows) & (rows <= int(last))))
    intervals = json.loads((folder / "nab/labels/combined_windows.json").read_text("utf-8"))
    for file in sorted((folder / "nab").glob("*/*.csv")):
        columns = [("time", "M8[us]"), ("value", float)]
        times, values = np.genfromtxt(file, columns, delimiter=",", skip_header=1, unpack=True)
        truth = np.zeros(len(values), bool)
        for first, last in intervals[f"{file.parent.name}/{file.name}"]:
            truth |= (times >= np.datetime64(first)) & (times <= np.datetime64(last))
        found.append(Series(f"{file.parent.name}/{file.stem}", values, truth))
    return [series for series in found if series.truth.any()]


def of_scorer(values: Floats, length: int, name: str, **options: object) -> Floats:
    """A scorer of ours, fitted and then asked on all windows."""
    source = Window(InMemory(Batch(SCHEMA, values[:, None])), length, stride=1)
    scorer = plugins.load("scorers", name)(**options).fit(source)
    return np.concatenate([scorer.score(batch)[:, 0] for batch in source])


def of_matrix_profile(values: Floats, length: int) -> Floats:
    import stumpy

    return stumpy.stump(values, length)[:, 0].astype(float)


def of_pyod(values: Floats, length: int, detector: Callable[[], object], z: bool) -> Floats:
    """One of PyOD's detectors on all windows, raw or z-normalised."""
    windows = sliding_window_view(values, length)
    if z:
        spread = np.maximum(windows.std(axis=1, ddof=1, keepdims=True), 1e-9)
        windows = (windows - windows.mean(axis=1, keepdims=True)) / spread
    return detector().fit(np.ascontiguousarray(windows)).decision_scores_  # type: ignore[attr-defined]


def knn() -> object:
    from pyod.models.knn import KNN

    return KNN()


def autoencoder() -> object:
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(verbose=0, random_state=0)


def pca() -> object:
    from pyod.models.pca import PCA

    return PCA()


def of_rolling_z(values: Floats, length: int) -> Floats:
    """The last value of each window against the mean and spread of the window."""
    windows = sliding_window_view(values, length)
    return np.abs(windows[:, -1] - windows.mean(axis=1)) / np.maximum(windows.std(axis=1), 1e-9)


def of_nothing(values: Floats, length: int) -> Floats:
    return np.random.default_rng(0).random(len(values) - length + 1)


OURS: dict[str, WindowScores] = {
    "discord": partial(of_scorer, name="discord"),
    "discord, raw": partial(of_scorer, name="discord", normalise="raw"),
    "discord, z": partial(of_scorer, name="discord", normalise="z"),
    "ensemble": partial(of_scorer, name="ensemble"),
}
PEERS: dict[str, WindowScores] = {
    "matrix profile": of_matrix_profile,
    **{
        f"Sub-{name}, {form}": partial(of_pyod, detector=detector, z=form == "z")
        for name, detector in (("KNN", knn), ("AE", autoencoder), ("PCA", pca))
        for form in ("z", "raw")
    },
}
LONG = " (our window)"
CONTROLS: dict[str, WindowScores] = {"rolling z-score": of_rolling_z, "random": of_nothing}
FASTER = [f"{name}{LONG}" for name in ("matrix profile", "Sub-KNN, z", "Sub-KNN, raw", "Sub-PCA, raw")]
METHODS = (*OURS, *PEERS, *FASTER, *CONTROLS)


def settle() -> None:
    """What is imported, and compiled, on the first call stays outside the clock."""
    warnings.simplefilter("ignore")
    compiled = partial(of_matrix_profile, np.random.default_rng(0).random(200), 10)
    for load in (knn, autoencoder, pca, compiled, partial(plugins.load, "scorers", "ensemble")):
        with suppress(ImportError):
            load()


def measure(method: str, series: Series) -> dict[str, float]:
    """VUS-PR with the mean, and with the highest, of all windows that hold a row; seconds to fit and score."""
    ours = method in OURS or method.endswith(LONG) or method in plugins.entries("scorers")
    length = window_length(series.values) if ours else series.period
    known = OURS | PEERS | CONTROLS
    score = known.get(method.removesuffix(LONG)) or partial(of_scorer, name=method)
    begun = time.perf_counter()
    scores = score(series.values, length)
    seconds = time.perf_counter() - begun
    finite = np.isfinite(scores)
    scores = np.where(finite, scores, scores[finite].min() if finite.any() else 0.0)
    mean = row_scores(scores, np.arange(len(scores)), length, len(series.values))
    padded = np.concatenate([np.full(length // 2, -np.inf), scores, np.full(length - 1 - length // 2, -np.inf)])
    highest = maximum_filter1d(padded, length, origin=0 if length % 2 else -1, mode="constant", cval=-np.inf)
    found = {name: vus_pr(series.truth, rows, series.period) for name, rows in (("mean", mean), ("max", highest))}
    return found | {"seconds": seconds}


def run(series: list[Series], methods: list[str], results: Path, workers: int) -> dict[str, dict[str, dict]]:
    """Results by method and series; those in the file are not computed again."""
    done: dict[str, dict[str, dict]] = json.loads(results.read_text("utf-8")) if results.exists() else {}
    wanted = [(method, one) for method in methods for one in series if one.name not in done.get(method, {})]
    for name in THREADS:
        os.environ[name] = "1"
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), settle) as pool:
        jobs = {pool.submit(measure, method, one): (method, one.name) for method, one in wanted}
        for job in as_completed(jobs):
            method, name = jobs[job]
            try:
                done.setdefault(method, {})[name] = job.result()
            except Exception as problem:  # one peer that fails is a result too; the others go on
                print(f"{method} on {name}: {problem!r}")
                continue
            results.write_text(json.dumps(done, indent=1), "utf-8")
    return done


def table(done: dict[str, dict[str, dict]], series: list[Series], methods: list[str]) -> str:
    """Markdown: mean VUS-PR with its 90 % interval, of each half, with the highest window, and seconds in all."""
    names = [one.name for one in series]
    lines = [
        "| method | mean VUS-PR [90 %] | development | held out | highest window | seconds in all |",
        "|---|---|---|---|---|---|",
    ]
    for method in methods:
        rows = [done.get(method, {}).get(name) for name in names]
        if any(row is None for row in rows):
            lines.append(f"| {method} | failed on {rows.count(None)} of {len(rows)} series | | | | |")
            continue
        mean, highest, seconds = (np.array([row[key] for row in rows if row]) for key in ("mean", "max", "seconds"))
        low, high = bootstrap_interval(lambda values: float(values.mean()), list(mean[:, None]))
        lines.append(
            f"| {method} | {mean.mean():.3f} [{low:.3f}, {high:.3f}] | {mean[::2].mean():.3f} | "
            f"{mean[1::2].mean():.3f} | {highest.mean():.3f} | {seconds.sum():.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path(os.environ.get("LYNKEUS_DATA", ".")) / "series")
    parser.add_argument("--results", type=Path, default=Path("build/series.json"))
    parser.add_argument("--methods", default="|".join(METHODS), help="separated by |")
    parser.add_argument("--scorers", default="", help="further scorers of ours by name, separated by commas")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    if not (given.data / "nab/labels").is_dir():
        print(f"{given.data} holds no series: nothing is measured; set LYNKEUS_DATA, or name the folder")
        return
    series = load_series(given.data)
    given.results.parent.mkdir(parents=True, exist_ok=True)
    methods = [*filter(None, given.methods.split("|")), *filter(None, given.scorers.split(","))]
    done = run(series, methods, given.results, given.workers)
    print(f"{len(series)} series\n{table(done, series, methods)}")


if __name__ == "__main__":
    main()
