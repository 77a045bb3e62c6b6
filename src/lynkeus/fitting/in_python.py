"""Fit and score in a few lines of Python: `import lynkeus; model = lynkeus.fit("a.csv"); model.score("b.csv")`."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np

from lynkeus.core import Array, Batch, Schema, SettingsError, Source, plugins
from lynkeus.fitting.fit import FitSettings
from lynkeus.fitting.fit import fit as fit_model
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.recommended import recommended
from lynkeus.fitting.tables import columns
from lynkeus.fitting.unscored import Unscored
from lynkeus.fitting.views.live import Silences
from lynkeus.sources import InMemory, Layout, open_source, read_layout

Data = str | Path | Array | Source


@dataclasses.dataclass(frozen=True)
class Model:
    """A fitted scorer; `messages`: what there was to say of the data, `fitted`: everything else that is known of it."""

    fitted: Fitted
    messages: tuple[str, ...] = ()

    @property
    def scorer(self) -> str:
        """The name of the scorer."""
        return self.fitted.name

    def score(self, data: Data) -> dict[str, Array]:
        """Score rows, windows or images: a dictionary of columns (n,), the same as in a table of `lynkeus score`.

        For each output its score and `<output>_p_value`, the chance that one good sample scores this high;
        `<output>_alarms_per_hour` where the model knows times; `where`: the channel that speaks most for it; `silent`:
        channels that are dead or stuck then, where any ever is. What was left out, or is odd, is a warning.
        Raises SchemaError where the data are others than it was fitted on, SourceError where they cannot be read.
        """
        if self.fitted.view.alone:
            raise SettingsError("score: this model judges whole runs; use lynkeus score MODEL FOLDER --run-per-file")
        parts: list[dict[str, Any]] = []
        rows = 0
        prepared = self.fitted.prepare(_open(data, self.fitted.view.layout, self.fitted.view.schema))
        silences, unscored = Silences(prepared), Unscored(self.fitted)
        for scored in self.fitted.score_prepared(prepared):
            silences.add(scored.batch)
            unscored.add(scored)
            parts.append(columns(self.fitted, scored, rows))
            rows += len(scored.batch)
        for line in (*getattr(prepared, "messages", ()), *unscored.messages):
            warnings.warn(line, stacklevel=2)
        names = list(parts[0]) if parts else []
        found = {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in names}
        return found | {name: np.array(column) for name, column in silences.column().items()}

    def save(self, folder: str | Path) -> None:
        """Write the model folder that the commands read. Raises ModelError where it cannot be written."""
        self.fitted.save(Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read a model folder that `save` or `lynkeus fit` wrote. Raises ModelError naming what is damaged."""
        return cls(Fitted.load(Path(folder)))

    def __repr__(self) -> str:
        samples = self.fitted.lineage.get("samples", "?")
        return f"Model({self.scorer}: {len(self.fitted.view.names)} channels, fitted on {samples} samples)"


def fit(
    data: Data,
    scorer: str = "",
    *,
    window: int = 0,
    layout: str | Path | None = None,
    labels: str = "",
    options: Mapping[str, Any] | None = None,
) -> Model:
    """Learn what is normal from a file, a folder, an array (rows, columns) or a Source.

    `scorer`: by name, without one the recommended one for these data; `window`: rows that are scored together (0:
    single rows); `layout`: how a file is read; `labels`: the column of labels (0 good, others are kept out of the
    reference); `options` of the scorer. Raises SettingsError, SourceError or CalibrationError: what, where, what to do.
    """
    kept = read_layout(layout) if layout else (Layout(truth=labels) if labels else None)
    if kept is not None and labels:
        kept = dataclasses.replace(kept, truth=labels)
    hits = bool(scorer) and plugins.about(scorer).kinds == ("hit",)
    source = _open(data, kept.to_dict() if kept else None, hits=hits)
    name, messages = scorer, list[str]()
    if not name:
        name, what = recommended(source, window)
        messages.append(f"{name}: the scorer that is recommended for {what}")
    said = kept.to_dict() if kept else None
    fitted = fit_model(source, FitSettings(name, options or {}, window, layout=said, labels=labels))
    messages += [*getattr(source, "messages", ()), *fitted.messages]
    return Model(fitted, tuple(messages))


def _open(data: Data, layout: Mapping[str, Any] | None, fitted: Schema | None = None, hits: bool = False) -> Source:
    if isinstance(data, str | Path):
        kept = Layout.from_dict(dict(layout)) if layout and "://" not in str(data) else None
        own = fitted if fitted is not None and fitted.kind in ("cloud", "hit") else None  # in their order, as fitted
        return open_source(data, kept, expected=own, hits=hits)
    if isinstance(data, np.ndarray):
        if data.ndim != 2:
            raise SettingsError(f"an array of rows and columns is needed, not one of shape {data.shape}")
        names = tuple(f"column {number}" for number in range(data.shape[1]))
        return InMemory(Batch(Schema("table", names, (), (data.shape[1],)), data.astype(float)))
    return data
