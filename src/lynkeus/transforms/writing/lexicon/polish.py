"""Polish: readability by FOG-PL (Broda et al. 2014, LREC), coded words by their stems."""

from __future__ import annotations

from lynkeus.transforms.writing.lexicon.language import Language


def fog(words: float, _syllables: float, hard_words: float) -> float:
    """Return the index of Gunning (1952) with hard words of four syllables, which Polish needs: about the years of
    school that a reader has had; the higher, the harder."""
    return 0.4 * (words + hard_words)


POLISH = Language(
    name="pl",
    stops=frozenset((
        "i", "w", "z", "na", "do", "się", "jest", "o", "za", "że", "nie", "oraz", "dla", "od", "po",
        "przez", "lub", "jak", "to", "są", "pracy", "ze", "także",
    )),
    vowels=r"(?:i(?=[aąeęoóu])|[aąeęioóuy])",
    silent=r"(?!)",
    measure="FOG-PL",
    formula=fog,
    best=10.0,
    worst=22.0,
    hard=4,
    masculine=(
        r"\b(?:agresywn|ambitn|analityczn|asertywn|dominuj|dominac|konkurenc|konkurencyj|lider|logiczn"
        r"|niezależn|obiektywn"
        r"|pewn(?:y|ość) siebie|przebojow|przywód|rywaliz|samodzieln|silny|wyzwan|zdecydowan|zdetermin)\w*"
    ),
    feminine=(
        r"\b(?:empat|komunikatywn|lojaln|opiek|otwart|pomoc|przyjaz|relacj|rodzin|serdeczn|troskliw|uczciw"
        r"|uprzejm|wrażliw"
        r"|współprac|wspier|wspóln|wspar|zaufan|zespoł|zrozum)\w*"
    ),
    exclusive={
        r"\bkandydat(?:a|em|owi)?\b(?!/|ka)": "osoba kandydująca, kandydat/ka",
        r"\bpracownik(?:a|iem|owi)?\b(?!/)": "osoba, pracownik/czka",
        r"\b(?:inżynier|kierownik|specjalista|programista|technik|operator|fizyk|informatyk)(?:a|em|iem|owi)?\b(?!/)":
            "obie formy, albo (k/m)",
        r"\bmłod(?:y|ego|ych|ym|a|ej)\b": "bez wieku", r"\bPanów\b|\bpanów\b": "Państwa",
    },
    open_forms=r"\((?:k\s*/\s*m|m\s*/\s*k|m/k/d|k/m/d|kobieta/mężczyzna)\)|\w/(?:ka|czka|a)\b",
    passive=(
        r"\b(?:jest|są|był[aoiy]?|byli|będzie|będą|został[aoiy]?|zostali|zostanie|zostaną|zostaje"
        r"|bywa)\s+(?:\w+(?:nie|cie)\s+)?"
        r"\w{3,}(?:any|ana|ane|ani|ony|ona|one|eni|ęty|ęta|ęte|ęci|ty|ta|te)\b"
    ),
    sections={
        "o nas": r"\b(?:o nas|kim jesteśmy|jesteśmy|nasz(?:a|e)? (?:firma|zespół|instytut))\b",
        "zadania": r"\b(?:zakres obowiązków|obowiązki|twoje zadania|zadania|zakres zadań|opis stanowiska)\b",
        "wymagania": r"\b(?:wymagania|oczekujemy|oczekiwania|kwalifikacje|twój profil|profil kandydata|wymagamy)\b",
        "co oferujemy": r"\b(?:oferujemy|oferta|zapewniamy|benefity|wynagrodzenie)\b",
        "jak aplikować": r"\b(?:aplik\w*|kontakt|cv|zgłoszeni\w*|prosimy o (?:przesłanie|przesyłanie))\b"
        r"|\b[\w.+-]{1,64}@[\w-]{1,64}\.\w+",
    },
)  # fmt: skip
