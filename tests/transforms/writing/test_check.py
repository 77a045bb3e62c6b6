"""How texts are written, in three languages: what is marked is there, and what is mended scores more."""

from __future__ import annotations

import html
import re
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from lynkeus.cli import app
from lynkeus.core import SettingsError, SourceError
from lynkeus.transforms.writing.check import Writing, check_writing, language_of, sentences_of, syllables
from lynkeus.transforms.writing.lexicon import LANGUAGES
from lynkeus.transforms.writing.page import page_of
from lynkeus.web.app import create_app

GERMAN = """Wir sind ein Institut für Beschleunigerphysik und suchen einen durchsetzungsstarken Ingenieur.
Ihre Aufgaben: Die Hochfrequenzsysteme werden von Ihnen betrieben. Messdaten werden regelmäßig ausgewertet.
Ihr Profil: Sie haben ein Studium abgeschlossen und arbeiten selbstständig, sind belastbar, sind bereit zu Schichtdienst
an Wochenenden und Feiertagen, kennen sich mit der Programmierung von Steuerungen aus und kennen Vakuumtechnik.
"""
ENGLISH = """We are an accelerator laboratory. You will lead a competitive team and dominate the field.
The cavities are tested in our hall, and the results were written by the operators. A salesman should apply.
Requirements: a degree in physics, and the manpower of ten.
"""
POLISH = """Jesteśmy instytutem fizyki i szukamy osoby do pracy w laboratorium.
Wymagania: ambitny kandydat, który jest samodzielny.
Pomiary są wykonywane przez zespół. Raport został napisany po pracy. Oferujemy dobre wynagrodzenie,
prosimy o przesłanie CV.
"""
MENDED = {"wording": ("salesman", "person who sells"), "voice": ("are tested", "stand")}


def marked(found: Writing, kind: str) -> list[str]:
    return [found.text[mark.start : mark.end] for mark in found.marks if mark.kind == kind]


def score(found: Writing, name: str) -> float:
    return next(part.score for part in found.parts if part.name == name)


@pytest.mark.parametrize(("text", "language"), [(GERMAN, "de"), (ENGLISH, "en"), (POLISH, "pl")])
def test_the_language_is_told_and_the_score_is_the_sum_of_its_parts(text: str, language: str) -> None:
    found = check_writing(text)
    assert found.language == language
    assert found.score == pytest.approx(sum(part.score * part.weight for part in found.parts))
    assert all(0 <= part.score <= 100 for part in found.parts)
    assert found.advice
    gains = [gain for _, gain in found.advice]
    assert gains == sorted(gains, reverse=True)
    assert sum(gains[:1]) <= 100 - found.score + 1e-9


def test_german() -> None:
    found = check_writing(GERMAN)
    assert any("Ingenieur" in word for word in marked(found, "exclusive"))
    assert {"durchsetzungsstarken", "selbstständig", "belastbar"} <= set(marked(found, "masculine"))
    assert len(marked(found, "passive")) == 2
    assert len(marked(found, "sentence")) == 0  # its lines are short
    assert "missing: was wir bieten, Bewerbung" in {part.says for part in found.parts}
    assert not marked(check_writing(GERMAN.replace("Ingenieur", "Ingenieur (m/w/d)")), "exclusive")


def test_english() -> None:
    found = check_writing(ENGLISH)
    assert marked(found, "exclusive") == ["salesman", "manpower"]
    assert {"competitive", "dominate", "lead"} <= set(marked(found, "masculine"))
    assert marked(found, "passive") == ["are tested"]  # one of a sentence is enough
    for name, (before, after) in MENDED.items():
        assert score(check_writing(ENGLISH.replace(before, after)), name) >= score(found, name)
    assert any("what we offer" in what for what, _ in found.advice)


def test_polish() -> None:
    found = check_writing(POLISH)
    assert marked(found, "exclusive") == ["kandydat"]
    assert {"ambitny", "samodzielny"} <= set(marked(found, "masculine"))
    assert [mark.split()[0] for mark in marked(found, "passive")] == ["są", "został"]
    assert "missing: zadania" in {part.says for part in found.parts}


def test_advice_gains_what_it_says() -> None:
    text = ENGLISH + "Send us your letter. We offer a salary. Your tasks are many.\n"
    found = check_writing(text)
    gain = dict(found.advice)["write to everybody (2 words)"]
    after = check_writing(text.replace("salesman", "seller").replace("manpower", "work"))
    assert after.score - found.score == pytest.approx(gain, abs=1.5)  # readability moves a little too


SENTENCES = {  # plain, then what costs: a coded word, one that leaves out, passive voice; and a section that is missed
    "de": ("Wir messen den Strahl.", "Es ist dominant.", "Wir suchen einen Techniker.", "Der Strahl wird gemessen.",
           "Wir bieten Ruhe."),
    "en": ("We look at the beam.", "We are dominant.", "We need a salesman.", "The beam is measured.",
           "We offer calm."),
    "pl": ("Zespół mierzy wiązkę.", "Jesteś ambitny.", "Szukamy: kandydat.", "Wiązka jest mierzona.",
           "Oferujemy spokój."),
}  # fmt: skip


@pytest.mark.parametrize("language", SENTENCES)
def test_each_part_falls_by_what_it_speaks_of_and_by_nothing_else(language: str) -> None:
    plain, coded, exclusive, passive, offer = SENTENCES[language]
    body = " ".join([plain] * 20)
    found = check_writing(f"{body} {offer}", language)
    for part, mark, more in (
        ("wording", "masculine", f" {coded}"), ("wording", "exclusive", f" {exclusive}"),
        ("voice", "passive", f" {passive}" * 5),
    ):  # fmt: skip
        other = check_writing(f"{body} {offer}{more}", language)
        assert len(marked(other, mark)) == len(more.split(".")) - 1
        assert score(other, part) < score(found, part)
        assert all(
            score(other, name) == score(found, name) for name in ("wording", "voice", "sections") if name != part
        )
    without = check_writing(body, language)
    assert score(without, "sections") == pytest.approx(score(found, "sections") - 20)
    assert score(check_writing(f"{plain} " * 3, language), "length") < 10
    assert score(check_writing(f"{plain} " * 100, language), "length") == 100
    assert score(check_writing(f"{plain} " * 600, language), "length") == 0


def test_fog_of_polish_counts_words_of_four_syllables() -> None:
    text = "Odpowiedzialność za laboratorium. Ma on dom i psa. " * 5  # 8 words in two sentences, 2 of them hard
    says = next(part.says for part in check_writing(text, "pl").parts if part.name == "readability")
    assert says.startswith("FOG-PL 12")  # 0.4 * (4 + 25)
    assert score(check_writing(text, "pl"), "readability") == pytest.approx(100 * (22 - 11.6) / 12)


def test_shorter_sentences_and_words_read_more_easily() -> None:
    hard = (
        "The comprehensive administration of organisational responsibilities necessitates considerable deliberation "
        * 2
    )
    easy = "We run a big ring. It is fun. You will see how it works. We help you to start. "
    assert score(check_writing(hard + ".", "en"), "readability") < 20
    assert score(check_writing(easy, "en"), "readability") > 90
    assert [syllables(word, LANGUAGES["de"]) for word in ("Haus", "Beschleuniger", "Anlage")] == [1, 4, 3]
    assert [syllables(word, LANGUAGES["en"]) for word in ("made", "table", "energy")] == [1, 2, 3]
    assert len(list(sentences_of("Das ist z.B. so. Und das?\n- eins\n- zwei"))) == 4


@pytest.mark.parametrize(("text", "says"), [("", "0 words"), ("<b> 12 </b>", "2 words"), ("a " * 600_000, "at most")])
def test_what_is_no_text_is_refused(text: str, says: str) -> None:
    with pytest.raises(SourceError, match=says):
        check_writing(text)


def test_a_language_that_is_not_known_is_refused() -> None:
    with pytest.raises(SettingsError, match="not one of de, en, pl"):
        check_writing(ENGLISH, "fr")
    with pytest.raises(SettingsError, match="cannot be told"):
        language_of(["xyzzy"] * 9)


def test_no_text_takes_long() -> None:
    start = time.process_time()
    for text in (". " + " " * 40_000, "\n" * 40_000, "a." * 20_000, "x" * 40_000, "(" * 40_000):
        check_writing("the text is of this kind " + text, "en")
    assert time.process_time() - start < 10


def test_the_page_shows_the_text_and_nothing_of_it_is_html() -> None:
    hostile = ENGLISH + '<script>alert(1)</script> the chairman\'s <img src=x onerror=alert(2)> "quotes" & more.\n'
    page = page_of(check_writing(hostile), "<title>")
    assert "<script>" not in page
    assert "<img" not in page
    shown = re.sub(r"<[^>]+>", "", page[page.index("<pre>") : page.index("</pre>")])
    assert html.unescape(shown) == hostile
    assert 'class="exclusive"' in page


def test_on_the_command_line(tmp_path: Path) -> None:
    file, page = tmp_path / "ad.txt", tmp_path / "report.html"
    file.write_bytes(GERMAN.encode("cp1252"))
    out = CliRunner().invoke(app, ["write-check", str(file), "--language", "de", "-o", str(page)])
    assert out.exit_code == 0, out.output
    assert "of 100 (de)" in out.output
    assert "readability" in out.output
    assert "Windows-1252" in out.output
    assert "<mark" in page.read_text("utf-8")
    for name, content in (("empty.txt", b""), ("zeros.txt", b"\x00" * 100)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=name):
            CliRunner().invoke(app, ["write-check", str(tmp_path / name)], catch_exceptions=False)
    with pytest.raises(SourceError, match="no such file"):
        CliRunner().invoke(app, ["write-check", str(tmp_path / "gone.txt")], catch_exceptions=False)


def test_over_http(tmp_path: Path) -> None:
    site = create_app(f"sqlite:///{tmp_path / 'any.db'}")
    with TestClient(site, base_url="http://localhost") as client:
        found = client.post("/api/v1/write-check", json={"text": ENGLISH}).json()
        assert found["language"] == "en"
        assert ENGLISH[slice(*(found["marks"][0][name] for name in ("start", "end")))]
        for sent in ({"text": ""}, {"text": ENGLISH, "language": "fr"}):
            assert client.post("/api/v1/write-check", json=sent).status_code == 422
    site.state.site.store.close()
