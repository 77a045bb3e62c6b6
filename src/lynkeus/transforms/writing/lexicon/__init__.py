"""What words say in German, English and Polish: coded words, passive voice, sections of an advertisement."""

from __future__ import annotations

from lynkeus.transforms.writing.lexicon.english import ENGLISH
from lynkeus.transforms.writing.lexicon.german import GERMAN
from lynkeus.transforms.writing.lexicon.language import Language
from lynkeus.transforms.writing.lexicon.polish import POLISH

LANGUAGES: dict[str, Language] = {one.name: one for one in (GERMAN, ENGLISH, POLISH)}
