"""check_writing: a score from sub-scores, each with what it found where, and what would change the score most."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from lynkeus.core.errors import SettingsError, SourceError
from lynkeus.transforms.writing.lexicon import LANGUAGES
from lynkeus.transforms.writing.lexicon.language import Language

WEIGHTS = {"readability": 0.3, "wording": 0.2, "sections": 0.2, "length": 0.15, "voice": 0.15}
LONGEST = 1_000_000  # characters of a text for people
FEWEST = 5  # words
LONG_SENTENCE, LONG_WORD, HARD_WORD = 25, 20, 6  # words; letters; letters above which a word is hard
SHORT, FULL, TOO_LONG = 200, 700, 1500  # words
CODED = 25.0  # points that a coded word in a hundred costs
PASSIVE, ALL_PASSIVE = 0.1, 0.5  # shares of sentences up to which passive voice costs nothing, and all
WORD = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")
# Ends of sentences, of paragraphs, and of lines; all repeats are bounded, so that no text takes long.
END = re.compile(r"(?<=[.!?…])[\"”»)]{0,3}\s{1,9}(?=[\W\d_]{0,9}[^\W\d_a-zà-ÿąćęłńóśźż])|\n")


class Mark(NamedTuple):
    """From `start` to `end` of the text (characters) is what a sub-score (`kind`) speaks of; `says` what to do."""

    start: int
    end: int
    kind: str
    says: str


@dataclass(frozen=True)
class Part:
    """A sub-score: its `name`, `score` from 0 to 100, the `weight` in the whole, and what was found (`says`)."""

    name: str
    score: float
    weight: float
    says: str


@dataclass(frozen=True)
class Counted:
    """What was counted in a text: of it all scores are made."""

    words: int
    sentences: int
    syllables: int
    long_words: int
    masculine: int
    feminine: int
    exclusive: int
    passive: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Writing:
    """A text as it is written: `language`, `score` from 0 to 100, `parts`, `marks` in the text, and what would change
    the score most (`advice`: what, by how many points; the most first)."""

    text: str
    language: str
    score: float
    parts: tuple[Part, ...]
    marks: tuple[Mark, ...]
    advice: tuple[tuple[str, float], ...]


def check_writing(text: str, language: str = "") -> Writing:
    """Return how a text is written. Raises SourceError for one that is empty or too long, SettingsError for a language
    that is not known, or cannot be told."""
    if len(text) > LONGEST:
        raise SourceError(f"the text has {len(text)} characters, at most {LONGEST} are read by people: give one text")
    words = list(WORD.finditer(text))
    if len(words) < FEWEST:
        raise SourceError(f"the text has {len(words)} words; at least {FEWEST} are needed")
    known = language_of([word.group().lower() for word in words], language)
    marks = [*_long_ones(text, words), *_coded(text, known), *_passive(text, known)]
    counted = _count(text, words, known, marks)
    parts = tuple(_parts(counted, known))
    score = _total(parts)
    long = [mark for mark in marks if mark.kind == "sentence"]
    advice = tuple(sorted(_advice(counted, known, score, len(long)), key=lambda one: -one[1]))
    return Writing(text, known.name, score, parts, tuple(sorted(marks)), advice)


def language_of(words: Sequence[str], asked: str = "") -> Language:
    """Return the language that is asked for, or the one whose frequent words are there most often."""
    names = ", ".join(LANGUAGES)
    if asked:
        if asked.lower() not in LANGUAGES:
            raise SettingsError(f"--language {asked}: is not one of {names}")
        return LANGUAGES[asked.lower()]
    counts = {name: sum(word in one.stops for word in words) for name, one in LANGUAGES.items()}
    best = max(counts, key=lambda name: counts[name])
    if not counts[best]:
        raise SettingsError(f"the language of the text cannot be told: say --language, one of {names}")
    return LANGUAGES[best]


def sentences_of(text: str) -> Iterator[tuple[int, int]]:
    """Yield from where to where each sentence goes; a line of a list is one."""
    start = 0
    for end in [*END.finditer(text), None]:
        last = end.start() if end else len(text)
        if WORD.search(text, start, last):
            first = start + len(text[start:last]) - len(text[start:last].lstrip())
            yield first, start + len(text[start:last].rstrip())
        start = end.end() if end else last


def _long_ones(text: str, words: Sequence[re.Match[str]]) -> Iterator[Mark]:
    for start, end in sentences_of(text):
        count = sum(1 for _ in WORD.finditer(text, start, end))
        if count > LONG_SENTENCE:
            yield Mark(start, end, "sentence", f"{count} words: make two sentences of it")
    for word in words:
        if len(word.group()) > LONG_WORD:
            yield Mark(word.start(), word.end(), "word", f"{len(word.group())} letters: take it apart")


def _coded(text: str, known: Language) -> Iterator[Mark]:
    for found in re.finditer(known.masculine, text, re.IGNORECASE):
        yield Mark(*found.span(), "masculine", "a word that speaks to men more: balance it, or say it in another way")
    for found in re.finditer(known.feminine, text, re.IGNORECASE):
        yield Mark(*found.span(), "feminine", "a word that speaks to women more: balances the others")
    if not re.search(known.open_forms, text):
        for pattern, instead in known.exclusive.items():
            for found in re.finditer(pattern, text):
                yield Mark(*found.span(), "exclusive", f"does not speak to everybody: {instead}")


def _passive(text: str, known: Language) -> Iterator[Mark]:
    for start, end in sentences_of(text):
        found = re.compile(known.passive, re.IGNORECASE).search(text, start, end)
        if found:
            yield Mark(*found.span(), "passive", "passive voice: say who does it")


def _count(text: str, words: Sequence[re.Match[str]], known: Language, marks: Sequence[Mark]) -> Counted:
    of = {kind: sum(mark.kind == kind for mark in marks) for kind in ("masculine", "feminine", "exclusive", "passive")}
    return Counted(
        words=len(words), sentences=sum(1 for _ in sentences_of(text)),
        syllables=sum(syllables(word.group(), known) for word in words),
        long_words=sum(_is_hard(word.group(), known) for word in words), **of,
        missing=tuple(name for name, sign in known.sections.items() if not re.search(sign, text, re.IGNORECASE)),
    )  # fmt: skip


def syllables(word: str, known: Language) -> int:
    """Return how many syllables a word has, by its groups of vowels; at least one."""
    return max(len(re.findall(known.vowels, re.sub(known.silent, "", word.lower()))), 1)


def _is_hard(word: str, known: Language) -> bool:
    return syllables(word, known) >= known.hard if known.hard else len(word) > HARD_WORD


def _parts(own: Counted, known: Language) -> Iterator[Part]:
    a_sentence, a_word = own.words / own.sentences, own.syllables / own.words
    value = known.formula(a_sentence, a_word, 100.0 * own.long_words / own.words)
    readable = 100.0 * (value - known.worst) / (known.best - known.worst)
    yield _part("readability", readable, f"{known.measure} {value:.0f}, {a_sentence:.0f} words a sentence")
    excess = max(own.masculine - own.feminine, 0) + own.exclusive
    says = f"{own.masculine} words speak to men more, {own.feminine} to women more, {own.exclusive} not to everybody"
    yield _part("wording", 100.0 - CODED * 100.0 * excess / max(own.words, 100), says)
    there = len(known.sections) - len(own.missing)
    says = f"missing: {', '.join(own.missing)}" if own.missing else "nothing is missing"
    yield _part("sections", 100.0 * there / len(known.sections), says)
    length = min(own.words / SHORT, (TOO_LONG - own.words) / (TOO_LONG - FULL), 1.0)
    yield _part("length", 100.0 * length, f"{own.words} words; {SHORT} to {FULL} are read to the end")
    share = own.passive / own.sentences
    says = f"{own.passive} of {own.sentences} sentences are in the passive voice"
    yield _part("voice", 100.0 * (ALL_PASSIVE - share) / (ALL_PASSIVE - PASSIVE), says)


def _part(name: str, score: float, says: str) -> Part:
    return Part(name, min(max(score, 0.0), 100.0), WEIGHTS[name], says)


def _total(parts: Sequence[Part]) -> float:
    return sum(part.weight * part.score for part in parts) / sum(WEIGHTS.values())


def _advice(own: Counted, known: Language, score: float, long: int) -> Iterator[tuple[str, float]]:
    """Yield each single thing to do with what it would gain, by counting anew."""
    tries = [(f"add what is missing: {name}", replace(own, missing=tuple(one for one in own.missing if one != name)))
             for name in own.missing]  # fmt: skip
    if long:
        what = "make two sentences of each long one" if long > 1 else "make two sentences of the long one"
        tries.append((f"{what} ({long})", replace(own, sentences=own.sentences + long)))
    if own.long_words:
        fewer = max(own.long_words // 4, 1)
        hard = f"{known.hard} or more syllables" if known.hard else f"more than {HARD_WORD} letters"
        tries.append((
            f"say {fewer} of the {own.long_words} words of {hard} in shorter ones",
            replace(own, long_words=own.long_words - fewer, syllables=max(own.syllables - 2 * fewer, own.words)),
        ))  # fmt: skip
    if own.exclusive:
        tries.append((f"write to everybody ({own.exclusive} words)", replace(own, exclusive=0)))
    if own.masculine > own.feminine:
        tries.append(("replace or balance words that speak to men more", replace(own, feminine=own.masculine)))
    if own.passive:
        tries.append((f"say who does it in the passive sentences ({own.passive})", replace(own, passive=0)))
    if own.words < SHORT or own.words > FULL:
        goal = SHORT if own.words < SHORT else FULL
        share = goal / own.words
        counts = ("sentences", "syllables", "long_words")
        scaled = {name: max(round(share * getattr(own, name)), 1) for name in counts}
        tries.append((f"write about {goal} words instead of {own.words}", replace(own, words=goal, **scaled)))
    for what, then in tries:
        gain = _total(tuple(_parts(then, known))) - score
        if gain > 0.05:
            yield what, gain
