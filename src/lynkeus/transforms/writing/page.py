"""The page of a checked text: its sub-scores, what would help most, and the text with its marks; one file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from html import escape

from lynkeus.transforms.writing.check import Mark, Writing

NAMES = {
    "sentence": "long sentence", "word": "long word", "passive": "passive voice", "masculine": "speaks to men more",
    "feminine": "speaks to women more", "exclusive": "not to everybody",
}  # fmt: skip
STYLE = """
:root {
  color-scheme: light dark;
  --bg: #f6f6f3; --card: #fff; --text: #1b2024; --muted: #59636d; --line: #dcdfe2;
}
@media (prefers-color-scheme: dark) {
  :root { --bg: #101316; --card: #191d21; --text: #e4e7ea; --muted: #9ba5ae; --line: #2c3238; }
}
body {
  margin: 0 auto; max-width: 60rem; padding: 1.5rem; background: var(--bg); color: var(--text);
  font: 1.05rem/1.6 system-ui, sans-serif;
}
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.2rem; margin: 1.2rem 0;
}
table { border-collapse: collapse; width: 100%; }
td { padding: 0.35rem 0.8rem 0.35rem 0; vertical-align: top; }
.number { text-align: right; white-space: nowrap; }
.muted { color: var(--muted); }
meter { width: 8rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit; margin: 0; }
mark { background: none; color: inherit; }
.sentence { background: color-mix(in srgb, #e3b75c 22%, transparent); }
.word { border-bottom: 2px dotted #7a5200; }
.passive { border-bottom: 2px solid #7b4fa8; }
.masculine { background: color-mix(in srgb, #4b8fd6 35%, transparent); }
.feminine { background: color-mix(in srgb, #4caf70 30%, transparent); }
.exclusive { background: color-mix(in srgb, #d6524b 35%, transparent); }
"""


def page_of(found: Writing, title: str) -> str:
    """Return the page as HTML; every character of text and title is text."""
    parts = "".join(
        f"<tr><td>{escape(part.name)}</td><td class=number>{part.score:.0f}</td>"
        f"<td><meter max=100 value={part.score:.0f}></meter></td>"
        f"<td class=number>{100 * part.weight:.0f} %</td><td>{escape(part.says)}</td></tr>"
        for part in found.parts
    )
    advice = "".join(f"<li>{escape(what)} <span class=muted>+{gain:.1f}</span></li>" for what, gain in found.advice)
    legend = ", ".join(f'<mark class="{kind}">{name}</mark>' for kind, name in NAMES.items())
    return (
        f'<!doctype html><html lang="{found.language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{found.score:.0f} of 100</h1>"
        f"<p class=muted>{escape(title)}, {found.language}</p>"
        f"<section><table><tr class=muted><td>part</td><td>score</td><td></td><td>weight</td><td></td></tr>"
        f"{parts}</table></section>"
        f"<section><h2>What would help most</h2><ol>{advice or '<li>nothing</li>'}</ol></section>"
        f"<section><p class=muted>{legend}</p><pre>{''.join(_marked(found))}</pre></section></body></html>\n"
    )


def _marked(found: Writing) -> Iterator[str]:
    """Yield the text in pieces between the ends of marks, each with all that lie over it."""
    cuts = sorted({0, len(found.text), *(mark.start for mark in found.marks), *(mark.end for mark in found.marks)})
    waiting, over = list(reversed(found.marks)), list[Mark]()
    for start, end in itertools.pairwise(cuts):
        while waiting and waiting[-1].start <= start:
            over.append(waiting.pop())
        over = [mark for mark in over if mark.end > start]
        piece = escape(found.text[start:end])
        if over:
            kinds = " ".join(sorted({mark.kind for mark in over}))
            piece = f'<mark class="{kinds}" title="{escape("; ".join(mark.says for mark in over))}">{piece}</mark>'
        yield piece
