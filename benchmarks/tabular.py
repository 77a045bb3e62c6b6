"""Our scorers and PyOD's detectors on labelled tables: AUROC, average precision, seconds to fit and to score.

    python benchmarks/tabular.py [DATA] [--sets cardio letter] [--seeds 5] [--scorers table] [--peers KNN IForest]

DATA (default: adbench/ in the folder LYNKEUS_DATA) holds npz files with X (n, columns) and y (n,), 1 = anomalous,
split 70/30 per class. "clean" is fitted on the normal rows of the 70 %, "contaminated" on all of them. Ours get the
rows as they are, PyOD's with the fitted rows min-max scaled; all run in one pool of processes, one thread each. What is
finished is kept in OUTPUT.json and not run again; OUTPUT.md is the report. Peers: pip install pyod==3.6.7 tqdm.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import multiprocessing
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.progress import track
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split

from lynkeus.core import Batch, Schema, plugins
from lynkeus.metrics.rates import bootstrap_interval
from lynkeus.sources import InMemory

SCORERS = ("table", "nearest_neighbours", "isolation_forest", "mahalanobis", "pca_residual", "one_class_svm")
PEERS = {
    "IForest": "iforest", "OCSVM": "ocsvm", "KNN": "knn", "LOF": "lof", "PCA": "pca", "ECOD": "ecod",
    "AutoEncoder": "auto_encoder", "DeepSVDD": "deep_svdd",
}  # fmt: skip
FITS = ("clean", "contaminated")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
KEEP_EVERY_S = 5.0


class Cell(NamedTuple):
    """One method on one split of one set; `method` is `pyod NAME` for a peer."""

    set: str
    seed: int
    fit: str
    method: str


Result = dict[str, Any]  # auroc, average_precision, fit_s, score_us (per row); or problem, in words
Done = dict[Cell, Result]


@lru_cache(maxsize=1)  # all methods of one split follow each other
def split(file: Path, seed: int, rows: int) -> list[np.ndarray]:
    """Rows to fit and to score, and their labels; of at most `rows` rows."""
    with np.load(file, allow_pickle=False) as held:
        values, labels = held["X"].astype(np.float64), held["y"].ravel().astype(int)
    if len(values) > rows:
        values, _, labels, _ = train_test_split(values, labels, train_size=rows, stratify=labels, random_state=seed)
    return train_test_split(values, labels, test_size=0.3, stratify=labels, random_state=seed)


def as_batch(rows: np.ndarray) -> Batch:
    return Batch(Schema("table", tuple(f"column {k}" for k in range(rows.shape[1])), shape=rows.shape[1:]), rows)


def our_scorer(name: str, seed: int) -> Any:
    """By its name; `table:left_out=0.2` sets a field of it."""
    name, _, given = name.partition(":")
    kind = plugins.load("scorers", name)
    settings = {key: json.loads(value) for key, _, value in (part.partition("=") for part in given.split(",") if part)}
    seeded = {"seed": seed} if "seed" in inspect.signature(kind).parameters else {}
    return kind(**seeded | settings)


def their_detector(name: str, seed: int, columns: int) -> Any:
    """With its own settings."""
    kind = getattr(importlib.import_module(f"pyod.models.{PEERS[name]}"), name)
    offered = {"random_state": seed, "n_features": columns, "verbose": 0}
    return kind(**{key: value for key, value in offered.items() if key in inspect.signature(kind).parameters})


def measure(cell: Cell, file: Path, most_rows: int) -> Result:
    """A method that fails is a result, too."""
    rows, test, classes, truth = split(file, cell.seed, most_rows)
    rows = rows[classes == 0] if cell.fit == "clean" else rows
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            scores, fit_s, score_s = timed(cell, rows, test)
    except Exception as problem:
        return {"problem": f"{type(problem).__name__}: {problem}"[:200]}
    if not np.isfinite(scores).all():
        return {"problem": f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are inf or NaN"}
    return {
        "auroc": roc_auc_score(truth, scores),
        "average_precision": average_precision_score(truth, scores),
        "fit_s": fit_s,
        "score_us": 1e6 * score_s / len(test),
    }


def timed(cell: Cell, rows: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Scores, seconds to fit, seconds to score."""
    peer = cell.method.removeprefix("pyod ") if cell.method.startswith("pyod ") else ""
    if peer:
        low, span = rows.min(axis=0), np.ptp(rows, axis=0)
        span = np.where(span > 0, span, 1.0)
        rows, test = (rows - low) / span, (test - low) / span
        method = their_detector(peer, cell.seed, rows.shape[1])
    else:
        method = our_scorer(cell.method, cell.seed)
    begun = time.perf_counter()
    method.fit(rows if peer else InMemory(as_batch(rows)))
    fitted = time.perf_counter()
    scores = method.decision_function(test) if peer else method.score(as_batch(test))[:, 0]
    return scores, fitted - begun, time.perf_counter() - fitted


def settle() -> None:
    """One thread, and what is imported on the first call stays outside the clock."""
    with contextlib.suppress(ImportError):
        importlib.import_module("torch").set_num_threads(1)
    warm = np.random.default_rng(0).normal(size=(50, 3))
    our_scorer("table", 0).fit(InMemory(as_batch(warm)))


def run(cells: list[Cell], files: dict[str, Path], rows: int, output: Path, workers: int) -> Done:
    """All results; those in OUTPUT.json are not computed again."""
    kept = output.with_suffix(".json")
    done = {Cell(*key): result for key, result in json.loads(kept.read_text("utf-8"))} if kept.exists() else {}
    for name in THREADS:
        os.environ[name] = "1"
    written = time.monotonic()
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), settle) as pool:
        jobs = {pool.submit(measure, cell, files[cell.set], rows): cell for cell in cells if cell not in done}
        try:
            for job in track(as_completed(jobs), "fit and score", total=len(jobs)):
                done[jobs[job]] = job.result()
                if time.monotonic() - written > KEEP_EVERY_S:
                    keep(done, kept)
                    written = time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)
            keep(done, kept)
    return done


def keep(done: Done, file: Path) -> None:
    """In one step: a run that is killed leaves a whole file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".part")
    half.write_text("[" + ",\n".join(json.dumps([cell, result]) for cell, result in done.items()) + "]\n", "utf-8")
    half.replace(file)


def mean_of(done: Done, cells: list[Cell], what: str) -> float:
    """NaN where any of them failed."""
    return float(np.mean([done[cell].get(what, np.nan) for cell in cells]))


def report(done: Done, sets: list[str], seeds: int, fit: str, methods: list[str]) -> str:
    """Markdown: AUROC per set, mean over seeds; means over sets with a 90 % bootstrap interval; times and ratios."""
    groups = {(name, method): [Cell(name, s, fit, method) for s in range(seeds)] for name in sets for method in methods}
    grid = {what: np.array([[mean_of(done, groups[name, method], what) for method in methods] for name in sets])
            for what in ("auroc", "average_precision", "fit_s", "score_us")}  # fmt: skip
    auroc = grid["auroc"]
    whole = np.isfinite(auroc).all(axis=0)
    lines = [f"| {fit} fit | {' | '.join(methods)} |", "|---" * (len(methods) + 1) + "|"]
    for name, row in zip(sets, auroc, strict=True):
        lines.append(line(name, [f"{value:.3f}" if np.isfinite(value) else "fails" for value in row]))
    lines.append(line("**mean AUROC**", [mean_interval(column[np.isfinite(column)]) for column in auroc.T]))
    both = np.isfinite(auroc).all(axis=1)
    if not whole.all():
        lines.append(line(f"mean, {both.sum()} sets that all finish", [f"{v:.3f}" for v in auroc[both].mean(axis=0)]))
    lines.append(line("mean average precision", [f"{v:.3f}" for v in np.nanmean(grid["average_precision"], axis=0)]))
    for what, title, form in (("fit_s", "fit, s", ".3f"), ("score_us", "score, us per row", ".1f")):
        lines.append(line(f"median {title}", [f"{v:{form}}" for v in np.nanmedian(grid[what], axis=0)]))
        ratio = np.nanmedian(grid[what] / grid[what][:, :1], axis=0)
        lines.append(line(f"median ratio to {methods[0]}", [f"{value:.2f}" for value in ratio]))
    return "\n".join(lines)


def line(title: str, cells: list[str]) -> str:
    return f"| {title} | {' | '.join(cells)} |"


def mean_interval(values: np.ndarray) -> str:
    if not len(values):
        return "-"
    low, high = bootstrap_interval(lambda drawn: float(drawn.mean()), list(values[:, None]))
    return f"**{values.mean():.3f}** [{low:.3f}, {high:.3f}], {len(values)} sets"


def problems(done: Done, wanted: set[Cell]) -> str:
    """Each failure once, with how often it happened."""
    found: dict[str, int] = {}
    for cell, result in done.items():
        if cell in wanted and "problem" in result:
            said = f"- {cell.method}, {cell.set}, {cell.fit}: {result['problem']}"
            found[said] = found.get(said, 0) + 1
    return "\n".join(f"{said} ({count} times)" for said, count in sorted(found.items()))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?", default=Path(os.environ.get("LYNKEUS_DATA", ".")) / "adbench")
    parser.add_argument("--sets", nargs="*", help="names or parts of names; all by default")
    parser.add_argument("--seeds", type=int, default=5, help="how many splits")
    parser.add_argument("--rows", type=int, default=10_000, help="at most so many rows of a set")
    parser.add_argument("--fits", nargs="*", choices=FITS, default=FITS)
    parser.add_argument("--scorers", nargs="*", default=SCORERS, help="ours, by name; table:left_out=0.2 sets a field")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), metavar="PEER", help=", ".join(PEERS))
    parser.add_argument("--output", type=Path, default=Path("build/tabular"), help="without .json and .md")
    parser.add_argument("--workers", type=int, default=1)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    files = {file.stem: file for file in sorted(given.data.glob("*.npz"))}
    wanted = given.sets or [""]
    files = {name: file for name, file in files.items() if any(part in name for part in wanted)}
    if not files:
        raise SystemExit(f"{given.data} holds no such npz files: set LYNKEUS_DATA, or name the folder")
    if given.peers and importlib.util.find_spec("pyod") is None:
        raise SystemExit("PyOD is not there: pip install pyod==3.6.7 tqdm, or give --peers without a name")
    methods = [*given.scorers, *(f"pyod {name}" for name in given.peers)]
    cells = [Cell(*key) for key in product(files, range(given.seeds), given.fits, methods)]
    done = run(cells, files, given.rows, given.output, given.workers)
    parts = [report(done, list(files), given.seeds, fit, methods) for fit in given.fits]
    text = "\n\n".join([*parts, problems(done, set(cells))]).strip() + "\n"
    given.output.with_suffix(".md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
