"""The classifier of a search: learned from its own events, or given; probabilities of events at a mass point."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core import Batch, Floats, Schema, SettingsError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.searches.events import Events, as_batch
from lynkeus.searches.negative import to_learn_from
from lynkeus.searches.plan.plan import Plan, Point
from lynkeus.sources import InMemory

SCORER = "search_classifier"
CHUNK = 200_000


@dataclass(frozen=True)
class Classifier:
    """A fitted scorer of classes: its `inputs` in order, `classes`, and the `parameters` among the inputs."""

    fitted: Fitted
    parameters: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the columns that it reads."""
        return tuple(self.fitted.view.schema.names)

    @property
    def quantities(self) -> tuple[str, ...]:
        """Return the inputs that are measured: those without parameters."""
        return tuple(name for name in self.inputs if name not in self.parameters)

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of its outputs."""
        return tuple(self.fitted.scorer.outputs)

    def probabilities(self, events: Events, point: Point, changed: Mapping[str, str] | None = None) -> Floats:
        """Return (n, classes) of events, all taken at this mass point; `changed`: shifted columns that stand for
        others."""
        schema = Schema.from_dict(self.fitted.view.schema.to_dict())
        x = np.empty((len(events), len(self.inputs)))
        for k, name in enumerate(self.inputs):
            if name in self.parameters:
                x[:, k] = point.values[self.parameters.index(name)]
            else:
                x[:, k] = events.values([name], changed)[:, 0]
        parts = [self.fitted.scorer.score(Batch(schema, x[at : at + CHUNK])) for at in range(0, len(x), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, len(self.classes)))


def inputs_of(plan: Plan, training: Events, others: Sequence[Events] = ()) -> tuple[str, ...]:
    """Return the inputs that the plan names, else all columns of numbers, also of the `others`, that are no weight,
    variation or truth: what data do not have cannot be looked at in them."""
    if plan.inputs:
        return (*plan.inputs, *(name for name in plan.parameters if name not in plan.inputs))
    found = tuple(
        name for name in _quantities(plan, training)
        if name in plan.parameters or all(name in other.columns for other in others)
    )  # fmt: skip
    if not found:
        raise SettingsError(f"{training.name}: has no column of numbers to learn from; name them by inputs")
    return found


def not_looked_at(plan: Plan, training: Events, others: Sequence[Events]) -> list[str]:
    """Return a line for each of the `others` that lacks columns which the classifier could have learned from."""
    if plan.inputs:
        return []
    wanted = [name for name in _quantities(plan, training) if name not in plan.parameters]
    lacking = [(other.name, [name for name in wanted if name not in other.columns]) for other in others]
    return [f"{where}: has no {', '.join(own[:8])}: not looked at by the classifier" for where, own in lacking if own]


def _quantities(plan: Plan, events: Events) -> list[str]:
    """Return the columns of numbers that are no weight, variation or truth."""
    beside = (
        "weight", "truth", "position", "event", "file", "run", "time_ns", plan.samples.labels, plan.samples.weights,
    )  # fmt: skip
    shifted = [f"_{one.name}_{way}" for one in plan.systematics for way in ("up", "down")]
    return [
        name for name, column in events.columns.items()
        if column.dtype.kind in "iuf" and name not in beside and not name.startswith(("weight_", "truth_"))
        and not name.endswith(("_up", "_down", *shifted))
    ]  # fmt: skip


def learn(plan: Plan, training: Events, inputs: tuple[str, ...]) -> Classifier:
    """Fit the classifier to its own events, which nothing else looks at. Raises SettingsError for a class without
    events, or a parameter that is no column."""
    labels = plan.samples.labels
    if labels not in training.columns:
        raise SettingsError(f"{training.name}: has no column {labels} of processes; name it by samples.labels")
    classes = tuple(one for one in plan.processes)
    truth = np.full(len(training), -1)
    for k, name in enumerate(classes):
        own = training.of(name, labels)
        if not own.any():
            there = ", ".join(sorted({str(one) for one in training.columns[labels].tolist()})[:8])
            raise SettingsError(f"{training.name}: the class {name} has no events; there are {there}")
        truth[own] = k
    known = training.cut(truth >= 0)
    known = to_learn_from(known, inputs, truth[truth >= 0], classes)
    batch = as_batch(known, inputs, truth[truth >= 0], classes)
    options = {"parameters": plan.parameters, "signal": plan.signal, "seed": plan.seed, **plan.classifier}
    return Classifier(fit(InMemory(batch, 10_000), FitSettings(SCORER, options)), plan.parameters)


def given(plan: Plan) -> Classifier:
    """Return the model that the plan names. Raises SettingsError where it is no classifier of the plan's processes."""
    fitted = Fitted.load(Path(plan.samples.model))
    outputs = tuple(fitted.scorer.outputs)
    lacking = [name for name in plan.processes if name not in outputs]
    if lacking:
        raise SettingsError(
            f"{plan.samples.model}: knows no class {lacking[0]}; it has {', '.join(outputs)}: give another model, or "
            "fit one by samples.training"
        )
    own = tuple(getattr(fitted.scorer, "parameters", ()) or ())
    if set(own) != set(plan.parameters):
        raise SettingsError(
            f"{plan.samples.model}: its parameters are {', '.join(own) or 'none'}, those of the plan "
            f"{', '.join(plan.parameters) or 'none'}; write parameters = {list(own)}"
        )
    return Classifier(fitted, plan.parameters)


def copies(events: Events, inputs: Sequence[str]) -> list[str]:
    """Return a line for each pair of inputs that are copies of each other."""
    x = events.values(inputs)
    said: list[str] = []
    for i, one in enumerate(inputs):
        for j in range(i + 1, len(inputs)):
            a, b = x[:, i] - x[:, i].mean(), x[:, j] - x[:, j].mean()
            size: Any = np.sqrt((a @ a) * (b @ b))
            if size > 0 and abs(float(a @ b)) > (1 - 1e-9) * float(size):
                said.append(f"inputs {one} and {inputs[j]} are copies of each other: neither can be judged by itself")
    return said
