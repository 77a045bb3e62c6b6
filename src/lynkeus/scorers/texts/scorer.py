"""Texts: probabilities of the answers to several questions about a text, such as level, function and branch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from lynkeus.core import About, Array, Batch, Floats, LastBatch, SchemaError, Scores, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.metrics.reliability import calibration_error
from lynkeus.scorers.texts.features import Embedding
from lynkeus.scorers.texts.loops import Unmade, compiled
from lynkeus.scorers.texts.models import MODELS, Folded, Linear, Mixture, learn
from lynkeus.transforms.texts.hashed import METHODS, READ, parts
from lynkeus.transforms.texts.terms import Terms, words_in

KINDS = ("words", "letters", "opening")
LONG = 2  # times the opening is a text longer, in the middle, where the opening is read apart
FEW = 3000  # texts up to which embeddings are worth their time
EMBEDDINGS = ("auto", "yes", "no")
SHOWN = 4  # words that are given as a reason


@dataclass
class Text:
    """Words and groups of letters by linear models and naive Bayes, of long texts the opening also by itself, where
    titles are; with `embedding` (yes, no; auto: where few texts are learned from and the package is installed) also
    sentence embeddings, which cost 5 ms a text. All questions share the features. Probabilities are made right on texts
    that were not learned from, in `folds`.
    """

    name: ClassVar[str] = "text"
    fewest: ClassVar[int] = 2  # texts of an answer that can be learned
    about: ClassVar[About] = About(("text",), False, "words", "seconds to minutes", labels="heads", recommended=True)
    embedding: str = "auto"
    folds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        self.embedding = {True: "yes", False: "no"}.get(self.embedding, self.embedding)  # type: ignore[call-overload]
        if self.embedding not in EMBEDDINGS:
            raise SettingsError(f"embedding {self.embedding!r} is not one of {', '.join(EMBEDDINGS)}")
        self._last: LastBatch[Scores] = LastBatch()
        if self.folds < 2:
            raise SettingsError(f"folds must be at least 2, got {self.folds}")

    @property
    def heads(self) -> Mapping[str, tuple[str, ...]]:
        """Return the answers of each question. Empty before the fit."""
        return self.heads_ if hasattr(self, "heads_") else {}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Return p_QUESTION_ANSWER of all questions."""
        return tuple(f"p_{head}_{word}" for head, words in self.heads.items() for word in words)

    def fit(self, source: Source) -> Self:
        """Learn from texts and the answers about each. Raises SchemaError for other samples."""
        if source.schema.kind != "text":
            raise SchemaError(
                f"the scorer {self.name} reads texts, got a {source.schema.kind}; --text names their column"
            )
        self.schema_, self.messages = source.schema, []
        batches = list(source)
        texts = [str(text) for batch in batches for text in batch.values]
        truth = np.concatenate([np.asarray(batch.truth) for batch in batches])
        self.heads_ = dict(getattr(source, "heads", {}))
        self.embeds_ = self.embedding == "yes" or (
            self.embedding == "auto" and len(texts) <= FEW and Embedding.is_there()
        )
        long = bool(texts) and float(np.median([len(text) for text in texts])) > LONG * READ["opening"]
        found = {kind: Terms.of(kind, texts) for kind in KINDS if long or kind != "opening"}
        self.terms_ = {kind: terms for kind, (terms, _) in found.items()}
        rows = {kind: own for kind, (_, own) in found.items()}
        if self.embeds_:
            rows["embedding"] = Embedding.rows(texts)
            self.messages.append("sentence embeddings are used, at 5 ms a text; --set embedding=no does without")
        self.mixtures_: dict[str, Mixture] = {}
        apart = []
        for number, (head, words) in enumerate(self.heads_.items()):
            known = np.flatnonzero(truth[:, number] >= 0)
            own = {kind: part[known] for kind, part in rows.items()}
            self.mixtures_[head], unseen = learn(own, truth[known, number], len(words), self.folds, self.seed)
            whole = np.full((len(texts), len(words)), np.nan)
            whole[known] = unseen
            apart.append(whole)
            self.messages.append(_figures(head, unseen, truth[known, number], words))
        self.__dict__.pop("_folded", None)  # of an earlier fit
        self._unseen = (np.hstack(apart), truth)
        self.facts = {"embedding": self.embeds_}
        return self

    def unseen_answers(self) -> tuple[Scores, Array]:
        """See `Heads`; of the last fit, not kept with a model."""
        return self._unseen

    def score(self, batch: Batch) -> Scores:
        """Return the probabilities (n, outputs), NaN for a text without a word. Raises SchemaError for others."""
        self.schema_.require(batch.schema, f"the scorer {self.name}")
        return self._last.of(batch, self._probabilities).copy()

    def _probabilities(self, batch: Batch) -> Scores:
        if not len(batch):
            return np.empty((0, len(self.outputs)))
        texts = [str(text) for text in batch.values]
        folded = self._folded
        rows = {"embedding": Embedding.rows(texts)} if self.embeds_ else {}
        if self.terms_["words"].method == METHODS[0]:
            speaks, loops = np.empty((len(texts), len(self.outputs))), compiled(sum(map(len, texts)))
            for part in parts(texts):
                those = slice(part.first, part.first + part.n)
                own: dict[str, Any] = {kind: row[those] for kind, row in rows.items()}
                for kind, terms in self.terms_.items():
                    own[kind] = Unmade(part, terms, loops) if loops else terms.rows_of(part)
                speaks[those] = folded.speaks(own)
            found: Floats = folded.told(speaks)
        else:
            found = folded.probabilities(rows | {kind: terms.rows(texts) for kind, terms in self.terms_.items()})
        found[[not text.strip() for text in texts]] = np.nan
        return np.asarray(found, float)

    @cached_property
    def _folded(self) -> Folded:
        return Folded.of(list(self.mixtures_.values()))

    def further(self, batch: Batch) -> dict[str, Array]:
        """Return the answer to each question, '' for a text without a word."""
        scores, start, found = self.score(batch), 0, {}
        for head, words in self.heads.items():
            own = scores[:, start : start + len(words)]
            start += len(words)
            named = np.array(words)[np.nan_to_num(own).argmax(axis=1)]
            found[head] = np.where(np.isnan(own[:, 0]), "", named)
        return found

    def words(self, batch: Batch, output: str, many: int = SHOWN) -> list[list[tuple[str, float]]]:
        """Return of each text the words that speak most for an output, with how much (negative: against it)."""
        head, place = self._place(output)
        mixture, terms = self.mixtures_[head], self.terms_["words"]
        weights = mixture.models[mixture.names.index("words")].weights[:, place]
        found = []
        for text in batch.values:
            own = []
            for word, column in words_in(str(text), terms.method):
                at = int(np.searchsorted(terms.columns, column))
                if at < len(terms.columns) and terms.columns[at] == column:
                    own.append((word, float(weights[at] * terms.rare[at])))
            found.append(sorted(own, key=lambda one: -abs(one[1]))[:many])
        return found

    def explain(self, batch: Batch, output: str) -> Any:
        """Return (n,) how much the words of each text speak for an output, all together; which: `words`."""
        return np.array([sum(weight for _, weight in own) for own in self.words(batch, output, 1_000_000)])

    def _place(self, output: str) -> tuple[str, int]:
        for head, words in self.heads.items():
            for place, word in enumerate(words):
                if output == f"p_{head}_{word}":
                    return head, place
        raise SettingsError(f"no output {output!r}; there are: {', '.join(self.outputs)}")

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        arrays: dict[str, Array] = {}
        for kind, terms in self.terms_.items():
            arrays |= arrays_of(terms, f"{kind}_", leave=("made_of", "method"))
        for number, mixture in enumerate(self.mixtures_.values()):
            arrays |= {f"{number}_share": mixture.share, f"{number}_bias": mixture.bias}
            for name, model in zip(mixture.names, mixture.models, strict=True):
                arrays |= arrays_of(model, f"{number}_{name}_")
        settings = asdict(self) | {
            "heads": {name: list(own) for name, own in self.heads.items()},
            "embeds": self.embeds_,
            "method": self.terms_["words"].method,
        }
        write_folder(folder, self.schema_, settings, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(_Kept, folder)
        own = cls(scorer.embedding, scorer.folds, scorer.seed)
        own.schema_ = scorer.schema_  # type: ignore[attr-defined]
        own.heads_ = {name: tuple(words) for name, words in scorer.heads.items()}
        own.embeds_, own.messages, own.facts = scorer.embeds, [], {}
        kinds = [kind for kind in KINDS if f"{kind}_columns" in arrays]  # of short texts no opening
        own.terms_ = {kind: part_of(Terms, arrays, f"{kind}_", made_of=kind, method=scorer.method) for kind in kinds}
        own.mixtures_ = {}
        names = tuple(name for name, kind in MODELS.items() if kind in kinds or (own.embeds_ and kind == "embedding"))
        for number, head in enumerate(own.heads_):
            models = tuple(part_of(Linear, arrays, f"{number}_{name}_") for name in names)
            own.mixtures_[head] = Mixture(names, models, arrays[f"{number}_share"], arrays[f"{number}_bias"])
        return own


@dataclass
class _Kept:
    """The settings of a text scorer in its folder, with the answers to its questions, whether it embeds, and how its
    words are hashed."""

    embedding: str
    folds: int
    seed: int
    heads: dict[str, list[str]]
    embeds: bool
    method: str = METHODS[-1]  # models of before it was kept


def _figures(head: str, unseen: Array, truth: Array, words: tuple[str, ...]) -> str:
    """Return how good the answers are on texts that were not learned from, beside the most frequent answer."""
    right, most = float((unseen.argmax(axis=1) == truth).mean()), float(np.bincount(truth).max() / len(truth))
    often = words[int(np.bincount(truth).argmax())]
    return (
        f"{head}: on texts not learned from right in {100 * right:.1f} % (always {often}: {100 * most:.1f} %), "
        f"calibration error {100 * calibration_error(unseen, truth, None):.1f} %"
    )
