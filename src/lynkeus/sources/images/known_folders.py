"""Folders whose names say what is in them: train/good, test, NG, ground_truth, masks ... as public data sets have them.

Whoever learns from good images must not take a folder of defects or masks for good; who judges takes no masks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Literal

Use = Literal["all", "good", "judged"]
GOOD = {"good", "ok", "normal", "normals", "defect_free", "healthy"}
BAD = {
    "abnormal", "anomalies", "anomalous", "anomaly", "bad", "broken", "damaged", "defect", "defective", "defects",
    "fail", "failed", "fault", "faults", "faulty", "ko", "n_ok", "ng", "nio", "no_good", "nok", "not_good", "not_ok",
    "reject", "rejected", "rejects", "scrap",
}  # fmt: skip
UNSAID = ({"0", "1"}, {"class_0", "class_1"}, {"neg", "pos"}, {"negative", "positive"})  # one is good, but which?
MASKS = {"annotation_masks", "ground_truth", "groundtruth", "gt", "mask", "masks", "segmentation", "segmentations"}
LEARN, TEST = {"train", "training"}, {"test", "testing", "val", "valid", "validation"}
MASK_ENDS = ("_mask", "-mask", "_gt", "_label", "_groundtruth")
NAMED = 6


def chosen(files: Sequence[str], use: Use) -> tuple[list[str], str]:
    """Return the files (paths with "/") that are meant, and a line on what was left out, "" for nothing.

    "good": without masks, tests, folders of defects, and whatever stands beside a folder of good ones; "judged":
    without masks, and without what was learned from where there is a test; "all": everything. None is meant, and the
    line asks, where two folders side by side are called such that one must hold what is good, but either may.
    """
    kept = list(files)
    if use == "all":
        return kept, ""
    if use == "good" and (line := _which(files)):
        return [], line
    left: dict[str, str] = {}
    for why, find in (("masks", _masks), ("of the other part", _other_part), ("not good", _not_good)):
        if why == "not good" and use == "judged":
            continue
        is_out = find(kept, use)
        out = [file for file in kept if is_out(file)]
        if len(out) < len(kept) or (use == "good" and why == "not good"):
            left |= dict.fromkeys(out, why)
            kept = [file for file in kept if file not in left]
    return kept, _line(kept, left, use) if left else ""


def _which(files: Sequence[str]) -> str:
    """Ask which of two folders is good; "" where their names do not make one ask."""
    beside: dict[tuple[str, ...], Counter[str]] = {}
    for file in files:
        for above, name in _steps(file):
            beside.setdefault(above, Counter())[name] += 1
    for counts in beside.values():
        for pair in UNSAID:
            if pair == counts.keys():
                found = " and ".join(f"{name} ({counts[name]} images)" for name in sorted(pair))
                return f"of the folders {found} it is not known which holds good images: give that one, or label them"
    return ""


def _masks(files: Sequence[str], use: Use) -> Callable[[str], bool]:
    stems = {str(PurePosixPath(file).with_suffix("")).casefold() for file in files}

    def is_mask(file: str) -> bool:
        path = PurePosixPath(file)
        if any(_tidy(part) in MASKS for part in path.parent.parts):
            return True
        stem = str(path.with_suffix("")).casefold()
        return any(stem.endswith(end) and stem.removesuffix(end) in stems for end in MASK_ENDS)

    return is_mask


def _other_part(files: Sequence[str], use: Use) -> Callable[[str], bool]:
    """Of data that are divided for learning and for testing, side by side: what is for the other use."""
    beside: dict[tuple[str, ...], set[str]] = {}
    for file in files:
        for above, name in _steps(file):
            beside.setdefault(above, set()).add(name)
    divided = {above for above, names in beside.items() if names & LEARN and names & TEST}
    others = TEST if use == "good" else LEARN
    return lambda file: any(above in divided and name in others for above, name in _steps(file))


def _not_good(files: Sequence[str], use: Use) -> Callable[[str], bool]:
    good = {above for file in files for above, name in _steps(file) if name in GOOD}

    def is_out(file: str) -> bool:
        steps = _steps(file)
        if any(name in BAD for _, name in steps):
            return True
        within = {above for above, name in steps if name in GOOD}
        parts = PurePosixPath(file).parent.parts
        return any(parts[: len(above)] == above and above not in within for above in good)

    return is_out


def _steps(file: str) -> list[tuple[tuple[str, ...], str]]:
    """Each folder above a file: those above it, and its own name, tidied."""
    parts = PurePosixPath(file).parent.parts
    return [(parts[:depth], _tidy(name)) for depth, name in enumerate(parts)]


def _tidy(name: str) -> str:
    return name.casefold().replace("-", "_").replace(" ", "_")


def _line(kept: Sequence[str], left: dict[str, str], use: Use) -> str:
    what = "learned from as good" if use == "good" else "judged"
    groups = Counter((_folder(file), why) for file, why in left.items())
    said = [f"{folder} ({count}, {why})" for (folder, why), count in sorted(groups.items())]
    more = [f"{len(said) - NAMED} more folders"] if len(said) > NAMED else []
    folders = list(dict.fromkeys(map(_folder, kept)))
    taken = f"{', '.join(folders[:NAMED])}{', ...' if len(folders) > NAMED else ''}"
    return (
        f"by the names of the folders {len(kept)} images are {what} ({taken}), {len(left)} are left out: "
        f"{', '.join([*said[:NAMED], *more])}; give another folder, or a pattern, to take others"
    )


def _folder(file: str) -> str:
    parent = str(PurePosixPath(file).parent)
    return "the folder itself" if parent == "." else parent
