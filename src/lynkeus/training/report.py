"""The training report as a picture: losses and planted faults found, epoch by epoch, and which epoch was kept."""

from __future__ import annotations

import io

from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from lynkeus.training.history import History
from lynkeus.transforms.planting import FALSE_POSITIVES


def training_figure(history: History) -> bytes:
    """SVG: above the losses, below the share of faults found in held-out data; a line marks the epoch that was kept."""
    figure = Figure(figsize=(7.0, 5.0), layout="constrained")
    losses, found = figure.subplots(2, 1, sharex=True)
    epochs = range(1, len(history.epochs) + 1)
    for name in history.epochs[0].losses if history.epochs else ():
        losses.plot(epochs, [epoch.losses[name] for epoch in history.epochs], label=f"training: {name}")
    losses.plot(epochs, [epoch.held_out for epoch in history.epochs], "k--", label="held-out good data")
    losses.set_ylabel("loss")
    if all(value > 0 for epoch in history.epochs for value in (epoch.held_out, *epoch.losses.values())):
        losses.set_yscale("log")
    label = "held-out samples" if history.named else "faults found"
    found.plot(epochs, [epoch.efficiency for epoch in history.epochs], "C2", label=label)
    what = f"share\n{history.named}" if history.named else f"share found at\n{FALSE_POSITIVES:.0%} false positives"
    found.set(xlabel="epoch", ylabel=what, ylim=(0.0, 1.02))
    for axis in (losses, found):
        axis.axvline(history.best + 1, color="0.6", lw=1, label="kept")
        axis.legend(frameon=False, fontsize="small")
    figure.suptitle(history.says().partition(";")[0], fontsize="medium")
    content = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(content)
    return content.getvalue()
