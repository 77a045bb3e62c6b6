"""Language: what is looked for in texts of one language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Language:
    """`name`: de, en or pl; `stops`: frequent words by which it is told; `vowels` that make a syllable, as a pattern;
    `silent`: pattern of an ending that makes none; `formula`: readability from words a sentence, syllables a word and
    percent of hard words, called `measure`, which is `best` from and `worst` from; `hard`: from how many syllables a
    word is hard, 0: where it has more than six letters.

    Patterns of words: `masculine` and `feminine` codes, `exclusive` ones with what to write instead, `open_forms` by
    which a text addresses everybody (then exclusive words count no more), `passive` voice, `sections` by name.
    """

    name: str
    stops: frozenset[str]
    vowels: str
    silent: str
    measure: str
    formula: Callable[[float, float, float], float]
    best: float
    worst: float
    masculine: str
    feminine: str
    exclusive: Mapping[str, str]
    open_forms: str
    passive: str
    sections: Mapping[str, str]
    hard: int = 0
