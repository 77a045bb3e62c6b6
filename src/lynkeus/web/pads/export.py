"""The page of pads as one file: numbers and scripts in it, spectra of the pads that are least sure or in a cluster."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from lynkeus.files.whole import write_whole
from lynkeus.web.pads.shown import ShownPads
from lynkeus.web.site import HERE, templates

MOST_SPECTRA = 400
COLUMNS = ("x", "y", "width", "length", "class")


def write_page(table: Path, output: Path) -> str:
    """Write the page of a table of pads; return what is in it, in a line. Raises SourceError where it is none."""
    pads = ShownPads(table)
    names = pads.names()
    columns = {name: _packed(pads.column(name).tobytes()) for name in names}
    columns |= {"width": _packed(pads.sizes[0].tobytes()), "length": _packed(pads.sizes[1].tobytes())}
    columns |= {"class": _packed(pads.classes.tobytes())}
    spectra, shared = _spectra(pads)
    own = pads.table
    about = {
        "pads": len(own), "classes": list(own.classes), "numbers": list(names), "clusters": pads.clusters, "labels": {},
        "counts": [int((pads.classes == k).sum()) for k in range(len(own.classes))], "file": table.name,
    }  # fmt: skip
    content = json.dumps({"about": about, "columns": columns, "spectra": spectra, "shared": shared}).replace(
        "<", "\\u003c"
    )
    parts = {
        name: (HERE / "static" / name).read_text("utf-8") for name in ("style.css", "pads.css", "plane.js", "pads.js")
    }
    body = templates.env.get_template("pads_body.html").render(static=True, words=[], may_post=False)
    page = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pads of {_escaped(table.name)}</title>'
        f"<style>{parts['style.css']}{parts['pads.css']}</style></head><body><main>{body}</main>"
        f"<script>window.PADS = {content};</script><script>{parts['plane.js']}</script>"
        f"<script>{parts['pads.js']}</script></body></html>"
    )
    write_whole(output, page.encode())
    return f"{output}: {len(own)} pads, with the spectra of {len(spectra)}; it opens from a mail"


def _spectra(pads: ShownPads) -> tuple[dict[int, list[float]], dict[str, Any]]:
    chosen = [int(one) for one in pads.order[:MOST_SPECTRA]] + [int(one["first"]) for one in pads.clusters]
    found: dict[int, list[float]] = {}
    shared: dict[str, Any] = {}
    for number in chosen:
        own = pads.spectrum(number)
        if own is None:
            return {}, {}
        found[number] = own["counts"]
        shared = {
            "edges": own["edges"],
            "mean": [round(v, 3) for v in own["mean"]],
            "neighbours": [round(v, 3) for v in own["mean"]],
        }
    return found, shared


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
