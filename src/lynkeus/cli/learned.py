"""What `lynkeus fit` says when it is done: what was learned from, what was left out, what can be promised."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lynkeus.cli.options import screen
from lynkeus.core import Calibration, Refines, about_of
from lynkeus.progress import say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted

SHOWN = 30  # incidents of the training data that are printed


def say_what_was_learned(fitted: Fitted, output: Path) -> None:
    """Say what a fit learned from, what it left out, and where the model is."""
    if about_of(fitted.scorer).labels == "heads":
        _say_heads(fitted, output)
        return
    if about_of(fitted.scorer).tags:
        _say_classes(fitted, output)
        return
    if about_of(fitted.scorer).labels == "numbers" or about_of(fitted.scorer).generates:
        _say_numbers(fitted, output)
        return
    if fitted.view.kind == "hits":
        _say_hits(fitted, output)
        return
    say(screen, [f"set aside {name}: {reason}" for name, reason in fitted.lineage["set_aside"].items()])
    say(screen, fitted.messages)
    samples, width = fitted.lineage["samples"], fitted.lineage["channels"]
    if samples < width:
        say(screen, [f"only {samples} samples for {width} columns: what they do not show is guessed"])
    known = fitted.lineage["known_anomalies"]
    if known:
        say(screen, [f"{known} samples are known to be anomalous"])
    history = getattr(fitted.scorer, "history_", None)
    if history is not None:
        say(
            screen,
            [*history.resumed, *history.messages, history.says(), f"{output / 'training.svg'}: every epoch"],
        )
        if not fitted.lineage["held_out"]:
            say(screen, ["calibrated on what it was trained on, so p-values are a little too small"])
    for name, calibration in fitted.calibrations.items():
        seen = f"{calibration.samples} samples"
        if calibration.effective is not None:
            seen = f"{seen} with weights, worth {calibration.effective:.0f} that weigh alike"
        if calibration.hours is not None:
            seen = f"{calibration.hours:.2f} h of reference"
        left_out = f"{calibration.excluded} incidents of its own left out ({calibration.excluded_s:.0f} s)"
        known = isinstance(calibration, Calibration) and calibration.rarest
        rarest = f"; p-values are known down to {calibration.rarest:.1g}" if known else ""
        say(screen, [f"{name}: {seen}, {left_out}{rarest}"])
    incidents = sorted(fitted.lineage["incidents"], key=lambda incident: -incident["score"])
    shown = sorted(incidents[:SHOWN], key=lambda incident: incident["start_ns"])
    say(screen, [f"  {_incident(incident)}" for incident in shown])
    if len(incidents) > SHOWN:
        say(screen, [f"  ... and {len(incidents) - SHOWN} smaller ones: see model.json"])
    shape = fitted.view.schema.shape
    size = f" of {shape[2]} x {shape[1]} pixels" if fitted.view.schema.kind == "image" and shape[1] and shape[2] else ""
    say(screen, [f"{output}: {fitted.name}, {width} channels{size}"])


def _incident(incident: dict[str, Any]) -> str:
    """One line: when, on which output, where, how long."""
    at = datetime.fromtimestamp(incident["start_ns"] / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S")
    seconds = (incident["end_ns"] - incident["start_ns"]) / 1e9
    return f"{at}  {incident['output']:8s} {incident['where']:20s} {seconds:5.0f} s"


def _say_heads(fitted: Fitted, output: Path) -> None:
    """Say of a model of questions how often each answer was given."""
    say(screen, fitted.messages)
    for question, counts in fitted.lineage["classes"].items():
        said = ", ".join(f"{many} {word}" for word, many in sorted(counts.items(), key=lambda one: -one[1])[:SHOWN])
        say(screen, [f"{question}: {said}"])
    say(screen, [f"{output}: {fitted.name}, learned from {fitted.lineage['samples']} samples"])


def _say_classes(fitted: Fitted, output: Path) -> None:
    """Say of a model of classes how many samples each had, and the smallest background efficiency it can state."""
    say(screen, fitted.messages)
    history = getattr(fitted.scorer, "history_", None)
    if history is not None:
        lines = [*history.resumed, *history.messages, history.says(), f"{output / 'training.svg'}: every epoch"]
        say(screen, lines)
    counts = fitted.lineage["classes"]
    if about_of(fitted.scorer).labels == "optional":
        said = ", ".join(f"{n} {k}" for k, n in counts.items())
        say(
            screen,
            [
                f"learned from {fitted.lineage['samples']} pads, {sum(counts.values())} of them labelled"
                + (f": {said}" if said else "")
            ],
        )
        say(screen, [f"{output}: {fitted.name}, classes {', '.join(fitted.scorer.outputs)}"])
        return
    say(screen, [f"learned from {sum(counts.values())} samples: {', '.join(f'{n} {k}' for k, n in counts.items())}"])
    right = fitted.lineage.get("calibration")
    if right:
        before, after = (100 * right[f"expected_calibration_error{when}"] for when in ("_before", ""))
        say(screen, [f"probabilities by {right['method']}: calibration error {after:.2f} % (before {before:.2f} %)"])
    for name, calibration in fitted.calibrations.items():
        kept = f"{calibration.samples} samples of other classes that were not learned from"
        rarest = getattr(calibration, "rarest", 0.0)
        say(screen, [f"{name}: background efficiencies down to {rarest:.1e}, counted on {kept}"])
    say(screen, [f"{output}: {fitted.name}, classes {', '.join(fitted.scorer.outputs)}"])


def _say_numbers(fitted: Fitted, output: Path) -> None:
    """Say of a model of numbers how far its estimates are from held-out truth, and whether their spreads hold; of a
    generator how far what it makes is."""
    say(screen, fitted.messages)
    if about_of(fitted.scorer).generates:
        asked = ", ".join(getattr(fitted.scorer, "targets", ())) or "nothing"
        can = "finer images: --set low=COARSE" if isinstance(fitted.scorer, Refines) else asked
        say(screen, [f"{output}: {fitted.name}, {fitted.lineage['samples']} samples; it can be asked for {can}"])
        return
    history = getattr(fitted.scorer, "history_", None)
    if history is not None:
        say(screen, [*history.resumed, *history.messages, history.says(), f"{output / 'training.svg'}: every epoch"])
    for name, own in fitted.lineage["numbers"].items():
        error, bias = f"{own['mean_absolute_error']:.3g}", f"{own['bias']:+.2g} ± {own['bias_error']:.2g}"
        covered = f"{own['coverage']:.0%} of {own['samples']} held-out samples within one spread (68 % is right)"
        say(screen, [f"{name} from {own['low']:.3g} to {own['high']:.3g}: mean error {error}, bias {bias}; {covered}"])
    say(screen, ["outside of these ranges estimates are extrapolated, and spreads are not checked there"])
    say(screen, [f"{output}: {fitted.name}, {fitted.lineage['samples']} samples"])


def _say_hits(fitted: Fitted, output: Path) -> None:
    """Say of a filter of hits what it was learned from and what it removes."""
    say(screen, fitted.messages)
    samples, noise = fitted.lineage["samples"], fitted.lineage["known_anomalies"]
    say(screen, [f"{output}: {fitted.name}, {samples - noise} hits on tracks and {noise} others, "
                 f"{fitted.lineage['channels']} columns"])  # fmt: skip
