"""German: readability after Amstad (1978), coded words by their stems."""

from __future__ import annotations

from lynkeus.transforms.writing.lexicon.language import Language


def amstad(words: float, syllables: float, _long_words: float) -> float:
    """Return the reading ease of Flesch with Amstad's (1978) numbers for German: the higher, the easier."""
    return 180.0 - words - 58.5 * syllables


GERMAN = Language(
    name="de",
    stops=frozenset((
        "der", "die", "das", "und", "in", "zu", "mit", "für", "von", "ist", "sind", "wir", "sie", "ein",
        "eine", "den", "dem", "auf", "im", "bei", "oder", "als", "auch", "sich", "des",
    )),
    vowels=r"(?:aa|ee|ie|oo|ai|ei|au|äu|eu|ey|[aeiouyäöü])",
    silent=r"(?!)",
    measure="Flesch reading ease, Amstad's for German",
    formula=amstad,
    best=60.0,
    worst=0.0,
    masculine=(
        r"\b(?:aggressiv|ambiti|analytisch|anspruchsvoll|behaupt|belastbar|dominan|durchsetz|ehrgeiz"
        r"|eigenständig|entscheid"
        r"|entschlossen|erfolgsorient|führung|herausforder|hartnäckig|individual|kompetitiv|leistungs|logisch"
        r"|objektiv"
        r"|offensiv|selbst(?:bewusst|ständig|sicher)|stark|überlegen|unabhängig|wettbewerb|wettkampf|zielstrebig)\w*"
    ),
    feminine=(
        r"\b(?:beziehung|ehrlich|einfühl|emotional|empath|engagier|familien|freundlich|fürsorg|gemeinsam"
        r"|gemeinschaft|herzlich"
        r"|höflich|kommunikat|kooperat|loyal|mitfühl|rücksicht|sensib|sozial|team|treu|unterstütz|verantwortung"
        r"|verbind"
        r"|verständnis|vertrau|warm|zusammen|zuverlässig)\w*"
    ),
    exclusive={
        r"\b(?:[A-ZÄÖÜ]\w+)?(?:Mitarbeiter|mitarbeiter)n?\b(?![:*_/])": "Mitarbeitende, oder Mitarbeiter:in",
        r"\b\w*(?:ingenieur|Ingenieur|techniker|Techniker|entwickler|Entwickler|physiker|Physiker|informatiker"
        r"|Informatiker"
        r"|leiter|Leiter|berater|Berater|experte|Experte|experten|Experten|bewerber|Bewerber|kollege|Kollege"
        r"|kollegen|Kollegen"
        r"|Operateur|Administrator|Absolvent|Absolventen)s?n?\b(?![:*_/])": "beide Formen, :in, oder (m/w/d)",
        r"\b\w*[Kk]aufmann\b": "Kaufleute, oder (m/w/d)", r"\b\w*[Ff]achmann\b": "Fachkraft",
        r"\bMannschaft\w*": "Team",
        r"\bMuttersprachler\w*|\bMuttersprache\b": "fließend, verhandlungssicher",
        r"\bjung(?:e|es|er|en)?\b": "Alter weglassen",
        r"\bbemannt\w*": "besetzt",
    },
    open_forms=r"\((?:m\s*/\s*w\s*/\s*[dx]|w\s*/\s*m\s*/\s*[dx]|d\s*/\s*m\s*/\s*w|gn|all(?:e)? (?:genders"
        r"|Geschlechter))\)|\w[:*_]in(?:nen)?\b",
    passive=(
        r"\b(?:werden|wird|wurden?|worden|werde)\b(?:(?!\b(?:ich|wir|Sie"
        r"|du)\b)[^.!?;:\n]){0,80}?\b(?:ge\w{2,}(?:t|en)"
        r"|\w+ge\w{2,}(?:t|en)|(?:be|er|ver|zer|ent|emp|miss)\w{2,}(?:t|en)|\w{3,}iert)\b"
    ),
    sections={
        "wer wir sind": r"\b(?:über uns|wer wir sind|wir sind|unser (?:unternehmen|team|institut)"
        r"|das (?:unternehmen|institut))\b",
        "Aufgaben": r"\b(?:(?:ihre|deine|die) (?:aufgaben?|tätigkeit(?:en)?|mission)|aufgaben(?:gebiet"
        r"|bereich)?|das erwartet (?:sie|dich))\b",
        "Profil": r"\b(?:(?:ihr|dein) profil|anforderungen|voraussetzungen|das bringen sie mit"
        r"|das bringst du mit|qualifikation(?:en)?|sie (?:haben|bringen))\b",
        "was wir bieten": r"\b(?:wir bieten|unser angebot|das bieten wir|leistungen|vorteile|benefits|vergütung"
        r"|gehalt)\b",
        "Bewerbung": r"\b(?:bewerb\w*|kontakt|ansprechpartner\w*|ansprechperson\w*|bewerbungsfrist)\b"
        r"|\b[\w.+-]{1,64}@[\w-]{1,64}\.\w+",
    },
)  # fmt: skip
