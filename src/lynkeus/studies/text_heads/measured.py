"""What is measured for one seed: right answers and whether probabilities hold, beside the usual way."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from lynkeus.core import Array, Batch, Figures, Schema
from lynkeus.metrics.reliability import calibration_error
from lynkeus.scorers.texts.features import Embedding
from lynkeus.scorers.texts.scorer import Text
from lynkeus.sources import InMemory
from lynkeus.sources.wrappers.answered import Answered
from lynkeus.studies.text_heads.texts import Texts, advertisements, entries, folder, news

HEAD = "answer"
SHORT = 300
FOLDS = 5  # of the study: each seed has another one as test


@dataclass(frozen=True)
class Answers:
    """Real texts where they are (`real`), and a simulated logbook of `n` entries; folds of the scorer."""

    n: int
    real: bool = True
    folds: int = 5

    def __call__(self, seed: int) -> dict[str, Figures]:
        """Return the figures of all parts, for one fold as test."""
        where, found = folder() if self.real else None, {}
        if where is not None:
            articles = news(where)
            found["German news"] = self.compared(articles, seed)
            found["German news, the first 300 letters"] = self.compared(articles.cut(SHORT), seed)
            found["Polish job advertisements"] = self.compared(advertisements(where), seed)
        found["entries of a logbook"] = self.compared(entries(self.n, seed), seed)
        return found

    def compared(self, texts: Texts, seed: int) -> Figures:
        """Return right answers of each method on the same texts, which none has learned from."""
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(texts.texts, texts.answer)
        train, test = list(folds)[(seed - 1) % FOLDS]
        found, usual = {}, _usual(texts, train, test)
        for name, embedding in (("text", "yes"), ("text, without embeddings", "no")):
            if embedding == "no" or Embedding.is_there():
                found[name] = self._text(texts, train, test, embedding)
                found[name]["above the usual way"] = found[name]["accuracy"] - usual["accuracy"]
        found["words by tf-idf, linear support vectors"] = usual
        words, counts = np.unique(texts.answer[train], return_counts=True)
        found["most frequent answer"] = {"accuracy": float((texts.answer[test] == words[counts.argmax()]).mean())}
        return found

    def _text(self, texts: Texts, train: Array, test: Array, embedding: str) -> dict[str, float]:
        scorer = Text(embedding=embedding, folds=self.folds)
        scorer.fit(Answered(InMemory(_batch(texts, train)), (HEAD,), Text.fewest))
        begun = time.process_time()
        p = scorer.score(_batch(texts, test))
        seconds = time.process_time() - begun
        classes = np.array(scorer.heads[HEAD])
        place = np.minimum(np.searchsorted(classes, texts.answer[test]), len(classes) - 1)
        return {
            "accuracy": float((classes[p.argmax(axis=1)] == texts.answer[test]).mean()),
            "calibration error": float(calibration_error(p, place, None)),
            "texts a second": len(test) / max(seconds, 1e-9),
        }


def _batch(texts: Texts, rows: Array) -> Batch:
    return Batch(Schema("text", ("text",), shape=()), texts.texts[rows], meta={HEAD: texts.answer[rows]})


def _usual(texts: Texts, train: Array, test: Array) -> dict[str, float]:
    """Return how often the usual way is right: words and pairs of words, a linear support vector machine."""
    tfidf = TfidfVectorizer(sublinear_tf=True, min_df=2, ngram_range=(1, 2))
    rows = tfidf.fit_transform(texts.texts[train])
    said = LinearSVC().fit(rows, texts.answer[train]).predict(tfidf.transform(texts.texts[test]))
    return {"accuracy": float((said == texts.answer[test]).mean())}
