"""Unusual texts: how unlike an entry is to all that were written before; needs no labels."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds

from lynkeus.core import About, Array, Batch, Floats, LastBatch, SchemaError, Scores, SettingsError, Source, Unseen
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.texts.terms import Terms

KINDS = ("words", "letters")
MOST = 20_000  # texts that are kept to be compared with
OF_MAPS = 2_000  # of them, from which the directions of a map come
WIDTH = 50
SHOWN = 160  # letters of a text of the past that are shown
TEXTS = "texts.json"


@dataclass
class UnusualText:
    """How unlike a text is to the `neighbours` that are most like it among those that were learned from, by words and
    groups of letters: 0, as often written, to 1, nothing in common with any. Words that were not met before count as
    unlike. What was learned from is judged as if it had not been.
    """

    name: ClassVar[str] = "unusual_text"
    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(("text",), False, "how unlike", "seconds")
    neighbours: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.neighbours < 1:
            raise SettingsError(f"neighbours must be at least 1, got {self.neighbours}")
        self._last: LastBatch[tuple[Scores, Array]] = LastBatch()

    def fit(self, source: Source) -> Self:
        """Remember texts. Raises SchemaError for other samples."""
        if source.schema.kind != "text":
            raise SchemaError(f"the scorer {self.name} reads texts, got a {source.schema.kind}")
        self.schema_ = source.schema
        texts = [str(text) for batch in source for text in batch.values]
        kept = np.unique(np.linspace(0, max(len(texts) - 1, 0), min(MOST, len(texts))).astype(int))
        self.texts_ = [texts[k] for k in kept if texts[k].strip()]
        self.terms_ = {kind: Terms.of(kind, self.texts_)[0] for kind in KINDS}
        self._remember()
        few = self.rows_[np.unique(np.linspace(0, len(self.texts_) - 1, min(OF_MAPS, len(self.texts_))).astype(int))]
        width = min(WIDTH, *(side - 1 for side in few.shape))
        start = np.random.default_rng(self.seed).normal(size=min(few.shape))
        _, _, found = svds(few.astype(float), k=max(width, 1), v0=start)
        self.directions_ = np.ascontiguousarray(found[::-1].T, np.float32)
        return self

    def _remember(self) -> None:
        self.rows_ = self._rows(self.texts_)
        self.places_: defaultdict[str, list[int]] = defaultdict(list)
        for k, text in enumerate(self.texts_):
            self.places_[text].append(k)

    def _rows(self, texts: list[str]) -> Any:
        parts = [self.terms_[kind].rows(texts, whole=True) * np.float32(np.sqrt(0.5)) for kind in KINDS]
        return sparse.csr_array(sparse.hstack(parts, format="csr"))

    def score(self, batch: Batch) -> Scores:
        """Return (n, 1) how unlike each text is, NaN for one without a word. Raises SchemaError for other samples."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self._last.of(batch, lambda one: self._judged(one, seen=False))[0].copy()

    def unseen(self, batch: Batch) -> Unseen:
        """Return the scores of texts that were learned from, each beside all others only."""
        scores, _ = self._judged(batch, seen=True)
        return Unseen(scores, np.full(scores.shape, ""))

    def _judged(self, batch: Batch, seen: bool) -> tuple[Scores, Array]:
        """Return how unlike (n, 1), and (n, neighbours) the numbers of the nearest ones, the nearest first."""
        texts = [str(text) for text in batch.values]
        many = min(self.neighbours, max(len(self.texts_) - int(seen), 1))
        if not texts:
            return np.empty((0, 1)), np.empty((0, many), np.int64)
        alike = np.asarray((self._rows(texts) @ self.rows_.T).toarray(), float)
        for k, text in enumerate(texts if seen else ()):
            if text in self.places_:
                alike[k, self.places_[text][0]] = -1.0
        near = np.argpartition(-alike, many - 1, axis=1)[:, :many]
        order = np.argsort(-np.take_along_axis(alike, near, axis=1), axis=1, kind="stable")
        near = np.take_along_axis(near, order, axis=1)
        scores = 1.0 - np.take_along_axis(alike, near, axis=1).mean(axis=1, keepdims=True)
        scores[[not text.strip() for text in texts]] = np.nan
        return np.clip(scores, 0.0, 1.0), near

    def further(self, batch: Batch) -> dict[str, Array]:
        """Return the text of the past that is `nearest` to each."""
        scores, near = self._last.of(batch, lambda one: self._judged(one, seen=False))
        found = [
            self.texts_[row[0]][:SHOWN] if np.isfinite(s) else "" for row, s in zip(near, scores[:, 0], strict=True)
        ]
        return {"nearest": np.array(found, dtype=str)}

    def explain(self, batch: Batch, output: str) -> Any:
        """Return (n,) how unlike each text is."""
        return self.score(batch)[:, 0]

    def features(self, batch: Batch) -> Floats:
        """Return (n, d) texts along the directions in which those that were learned from differ most, for maps."""
        return np.asarray(self._rows([str(text) for text in batch.values]) @ self.directions_, float)

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays: dict[str, Array] = {"directions": self.directions_}
        for kind, terms in self.terms_.items():
            arrays |= arrays_of(terms, f"{kind}_", leave=("made_of",))
        write_folder(folder, self.schema_, asdict(self), arrays)
        (folder / TEXTS).write_text(json.dumps(self.texts_), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.terms_ = {kind: part_of(Terms, arrays, f"{kind}_", made_of=kind) for kind in KINDS}
        scorer.directions_ = arrays["directions"]
        scorer.texts_ = json.loads((folder / TEXTS).read_text(encoding="utf-8"))
        scorer._remember()
        return scorer
