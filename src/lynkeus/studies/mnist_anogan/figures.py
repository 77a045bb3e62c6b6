"""What the study looks at by itself: histograms of scores, images beside what is made of them, error and sharpness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lynkeus.commission.figures import COLOURS, SERIES, finished, save
from lynkeus.core import Batch, Findings, Floats, Outcome
from lynkeus.metrics.rates import auroc
from lynkeus.scorers.learned.trained import per_sample
from lynkeus.studies.mnist_anogan.reconstruction import mean_square_error, sharpness

BINS = 50
SHOWN = 5  # images of the normal digit, and as many of others


def look(case: str, outcomes: Sequence[Outcome], folder: Path) -> Findings:
    """Figures of the adversarial scorers; error and sharpness of all that reconstruct, on images of the normal digit.

    Both as the scorer sees images, each at mean 0 and spread 1 (raw: in sigmas of all good ones).
    """
    adversarial = [outcome for outcome in outcomes if outcome.name.startswith("adversarial")]
    networks = [outcome for outcome in outcomes if hasattr(outcome.scorer, "task_")]
    save(_histograms(adversarial), folder / "scores.png")
    save(_reconstructions(networks), folder / "reconstructions.png")
    metrics: dict[str, float] = {}
    for outcome in networks:
        images, made = _made(outcome, _good(outcome))
        metrics[f"reconstruction.{outcome.name}.mean_square"] = mean_square_error(images, made)
        metrics[f"reconstruction.{outcome.name}.sharpness"] = sharpness(images, made)
    figures = {
        "scores.png": f"scores of test images: {case} is normal, all other digits are not; epochs of the generator",
        "reconstructions.png": f"test images (above), of {case} and of others, and what is made of them",
    }
    return Findings(figures, metrics, {f"Images of {case} made again: error and sharpness": _table(metrics)})


def _table(metrics: Mapping[str, float]) -> list[tuple[str, ...]]:
    """Error and sharpness of each scorer."""
    names = [key.split(".")[1] for key in metrics if key.endswith(".sharpness")]
    numbers = [
        [f"{metrics[f'reconstruction.{name}.{key}']:.2f}" for key in ("mean_square", "sharpness")] for name in names
    ]
    rows = [(name, *own) for name, own in zip(names, numbers, strict=True)]
    return [("", "mean square error", "sharpness (1: as the images themselves)"), *rows]


def _histograms(outcomes: Sequence[Outcome]) -> Figure:
    figure = Figure(figsize=(2.7 * len(outcomes), 2.6), layout="constrained")
    for axes, outcome in zip(figure.subplots(1, len(outcomes), squeeze=False).flat, outcomes, strict=True):
        score, truth = outcome.scores[:, 0], outcome.test.truth
        assert truth is not None
        bins = np.linspace(score.min(), np.quantile(score, 0.995), BINS)
        for wrong, colour, name in ((False, SERIES[0], "normal"), (True, COLOURS["alarm"], "anomalous")):
            axes.hist(score[(truth != 0) == wrong], bins, density=True, color=colour, alpha=0.6, label=name)
        axes.set_title(f"{outcome.name.removeprefix('adversarial ')}: AUROC {auroc(truth, score):.3f}")
        axes.set_xlabel("score")
        axes.set_yticks([])
    axes.legend(frameon=False)
    return finished(figure)


def _reconstructions(outcomes: Sequence[Outcome]) -> Figure:
    truth = outcomes[0].test.truth
    assert truth is not None
    chosen = np.concatenate([np.flatnonzero((truth != 0) == wrong)[:SHOWN] for wrong in (False, True)])
    test = outcomes[0].test[chosen]
    lines = [("test images", _made(outcomes[0], test)[0])]
    lines += [(outcome.name.removeprefix("adversarial "), _made(outcome, test)[1]) for outcome in outcomes]
    figure = Figure(figsize=(0.75 * len(chosen) + 1.8, 0.8 * len(lines)), layout="constrained")
    grid = figure.subplots(len(lines), len(chosen), squeeze=False)
    low, high = lines[0][1].min(), np.quantile(lines[0][1], 0.98)
    for row, (name, images) in zip(grid, lines, strict=True):
        for axes, image in zip(row, images, strict=True):
            axes.imshow(image[0], cmap="Greys", vmin=low, vmax=high)
        row[0].set_ylabel(name.replace(", ", "\n").replace("_auto", "\nauto"), rotation=0, ha="right", va="center")
    figure = finished(figure)
    for axes in grid.flat:
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def _good(outcome: Outcome) -> Batch:
    assert outcome.test.truth is not None
    return outcome.test[np.flatnonzero(outcome.test.truth == 0)]


def _made(outcome: Outcome, batch: Batch) -> tuple[Floats, Floats]:
    """Images as the network sees them, and what it makes of them, both in sigmas."""
    scorer = outcome.scorer
    images = per_sample(scorer, batch, lambda x: x)
    return images, per_sample(scorer, batch, scorer.task_.reconstruct)  # type: ignore[union-attr]
