"""Plan: all that jets hang on, besides the number of their chunk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from lynkeus.simulate.jets.settings import Wanted
from lynkeus.simulate.jets.variation import Variation


@dataclass(frozen=True)
class Plan:
    """What is `wanted`, its `variation`, by which `generator`, the `seed`, whether the class is `hidden`, and how many
    jets a `chunk` has."""

    wanted: Wanted
    variation: Variation
    generator: str
    seed: int
    hidden: bool = False
    chunk: int = 500

    def said(self) -> dict[str, object]:
        """Return it as plain JSON types, with the version of the generator."""
        return asdict(self) | {"code": _code(), "pythia": _version() if self.generator == "pythia" else ""}

    @property
    def key(self) -> str:
        """Return a name for it that changes with any setting, and with the code that makes jets."""
        return hashlib.sha256(json.dumps(self.said(), sort_keys=True).encode()).hexdigest()[:16]


@cache
def _code() -> str:
    """Return a digest of the files of this folder."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pythia8mc")
    except PackageNotFoundError:
        return ""
