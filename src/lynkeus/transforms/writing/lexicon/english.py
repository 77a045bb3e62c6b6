"""English: coded words after Gaucher, Friesen & Kay 2011 (J. Pers. Soc. Psychol. 101, 109), by their stems."""

from __future__ import annotations

from lynkeus.transforms.writing.lexicon.language import Language


def flesch(words: float, syllables: float, _long_words: float) -> float:
    """Return the reading ease of Flesch (1948): the higher, the easier."""
    return 206.835 - 1.015 * words - 84.6 * syllables


ENGLISH = Language(
    name="en",
    stops=frozenset((
        "the", "and", "of", "to", "in", "for", "with", "is", "are", "you", "we", "our", "your", "on",
        "as", "at", "be", "will", "or", "this", "that", "from", "have",
    )),
    vowels=r"[aeiouy]+",
    silent=r"(?<=[^aeiouyl])e$|(?<=[^aeiouytd])ed$",
    measure="Flesch reading ease",
    formula=flesch,
    best=60.0,
    worst=0.0,
    masculine=(
        r"\b(?:aggress|ambitio|analy[sz]|assert|autonom|boast|challeng|compet|confiden|courag|decisi|determin|domina"
        r"|forceful|headstrong|hierarch|hostil|impulsiv|independen|individual|lead|logic|ninja|objectiv|outspoken"
        r"|persist|rockstar|self-?(?:confiden|relian|sufficien)|stubborn|superior|unreasonab)\w*"
    ),
    feminine=(
        r"\b(?:affectionat|cheer|collab|commit|communal|compassion|connect|considerate|cooperat|co-operat"
        r"|depend(?!ent\b)"
        r"|emotiona|empath|feminin|gentle|honest|inclusiv|interpersonal|interdependen|kind|kinship|loyal|nurtur"
        r"|pleasant"
        r"|polite|quiet|respon|sensitiv|share|sharin|support|sympath|tender|together|trust|understand|warm)\w*"
    ),
    exclusive={
        r"\bchairm[ae]n\b": "chair", r"\bsalesm[ae]n\b": "sales representative", r"\bforem[ae]n\b": "supervisor",
        r"\bworkm[ae]n\b": "worker", r"\bmanpower\b": "staff", r"\bmanned\b": "staffed", r"\bguys\b": "team",
        r"\bhe/she\b|\bhis/her\b|\bhe or she\b|\bhis or her\b": "they, their", r"\bhe\b": "they", r"\bhis\b": "their",
        r"\b(?:young|digital native)s?\b": "leave age out", r"\bnative speakers?\b": "fluent",
        r"\bcraftsm[ae]n\b": "craftsperson", r"\bstewardess(?:es)?\b": "flight attendant",
    },
    open_forms=r"\((?:m/f/d|f/m/d|m/f/x|f/m/x|all genders)\)",
    passive=(
        r"\b(?:am|is|are|was|were|be|been|being|get|gets|got)\s+(?:\w+ly\s+|not\s+|also\s+)?"
        r"(?:\w{2,}ed|done|made|given|taken|seen|known|held|kept|sent|built|found|shown|written|chosen|paid|led"
        r"|run|set)\b"
    ),
    sections={
        "who we are": r"\b(?:about us|who we are|our (?:company|team|institute|mission)|we are an?)\b",
        "tasks": r"\b(?:your (?:tasks|role|mission|responsibilities)|responsibilities|duties|what you(?:'ll"
        r"| will) do|you will)\b",
        "profile": r"\b(?:requirements|qualifications|your profile|what you bring|you (?:have|bring)|we expect"
        r"|skills)\b",
        "what we offer": r"\b(?:we offer|benefits|our offer|what you get|salary|perks)\b",
        "how to apply": r"\b(?:apply|application|contact|send (?:us )?your|deadline)\b"
        r"|\b[\w.+-]{1,64}@[\w-]{1,64}\.\w+",
    },
)  # fmt: skip
