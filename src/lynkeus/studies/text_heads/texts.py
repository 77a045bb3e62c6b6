"""Texts with one answer each: news, advertisements, entries of a logbook."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, concatenate
from lynkeus.simulate.logbook.source import Logbook
from lynkeus.sources.texts.records import read_records

NEWS, ADS = "text/gnad10k_test.csv", "text/jobads_pl_hand1k.csv"
FEWEST = 10  # texts of an answer


class Texts(NamedTuple):
    """`texts` (n,) with an `answer` each."""

    texts: Array
    answer: Array

    def cut(self, letters: int) -> Texts:
        """Return the first letters of each."""
        return Texts(_objects([text[:letters] for text in self.texts]), self.answer)


def folder() -> Path | None:
    """Return where real texts lie, None where there are none: they are not shipped."""
    found = Path(os.environ.get("LYNKEUS_DATA", ""))
    return found if os.environ.get("LYNKEUS_DATA") and all((found / one).is_file() for one in (NEWS, ADS)) else None


def news(where: Path) -> Texts:
    """Return 1,028 articles of 9 sections (10kGNAD, German); the file has no line of names."""
    lines = (where / NEWS).read_text("utf-8").splitlines()
    pairs = [line.split(";", 1) for line in lines if ";" in line]
    return Texts(_objects([text.strip("'") for _, text in pairs]), np.array([label for label, _ in pairs]))


def advertisements(where: Path) -> Texts:
    """Return Polish job advertisements by the first two digits of the occupation, of those that are there often."""
    columns = read_records(where / ADS).columns
    answer = np.array([code[:2] for code in columns["class"]])
    words, counts = np.unique(answer, return_counts=True)
    often = np.isin(answer, words[counts >= FEWEST])
    return Texts(_objects(columns["desc"])[often], answer[often])


def entries(n: int, seed: int) -> Texts:
    """Return what a simulated logbook says of faults, by topic; a fifth of the later entries names no device."""
    batch = concatenate(list(Logbook(n, seed=seed, unnamed=0.2)))
    about = batch.meta["event"] >= 0
    return Texts(batch.values[about], batch.meta["topic"][about])


def _objects(texts: list[str]) -> Array:
    found = np.empty(len(texts), object)
    found[:] = texts
    return found
