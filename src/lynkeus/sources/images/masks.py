"""Masks: where the defects of images are, read from a folder of mask images, for evaluation."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from lynkeus.core.errors import SourceError
from lynkeus.sources.images.files import find_images, read_pixels

NAMED = 5
FEW_VALUES = 4  # of a mask: good, and a class or two of defects
LOOKED_AT = 10  # pairs of an image and what may be its mask

Mask = npt.NDArray[np.bool_]  # (row, column), True in a defect


def read_masks(folder: str | Path, files: Sequence[str], sizes: Sequence[tuple[int, int]]) -> Iterator[Mask]:
    """The mask of each image in `files` (relative paths), whose (rows, columns) are in `sizes`; not 0 means defect.

    A mask is called as its image, with `_mask` added or not and any ending of an image, at the same relative path:
    `a/1.jpg` goes with `a/1.png` or `a/1_mask.png`. Where no mask is, names alone count, anywhere in `folder`. Where
    masks lie beside the images, an image is never its own mask. An image without a mask is good: all False. Raises
    SourceError where there is no mask at all, and naming those that cannot be read or are of another size than their
    image.
    """
    root, found = find_images(Path(folder))
    chosen = _choose(files, found)
    if not any(chosen):
        raise SourceError(f"{folder}: no mask for any of {len(files)} images; name each mask as its image is named")
    return _read(root, chosen, sizes)


def masks_beside(folder: Path, files: Sequence[str]) -> list[str]:
    """Return those images that are masks of others of the same name, but for the ending: they hold FEW_VALUES at most,
    by some of the pairs of these endings."""
    endings: dict[str, list[str]] = defaultdict(list)
    for file in files:
        endings[str(PurePosixPath(file).with_suffix(""))].append(file)
    pairs: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for names in endings.values():
        if len(names) == 2:
            for one, other in (names, names[::-1]):
                pairs[PurePosixPath(one).suffix, PurePosixPath(other).suffix].append((one, other))
    found = []
    for of_endings in pairs.values():
        some = of_endings[:: -(-len(of_endings) // LOOKED_AT)]
        if all(_has_few_values(folder / one) and not _has_few_values(folder / other) for one, other in some):
            found += [one for one, _ in of_endings]
    return found


def _has_few_values(path: Path) -> bool:
    try:
        return len(np.unique(read_pixels(path, colour=True).reshape(-1, 3), axis=0)) <= FEW_VALUES
    except SourceError:
        return False


def _choose(files: Sequence[str], found: Sequence[str]) -> list[str | None]:
    by_path, by_stem = defaultdict(list), defaultdict(list)
    for name in found:
        path = PurePosixPath(name)
        stem = path.stem.removesuffix("_mask")
        by_path[str(path.with_name(stem))].append(name)
        by_stem[stem].append(name)
    paths = [str(PurePosixPath(file).with_suffix("")) for file in files]
    stems = [PurePosixPath(file).stem for file in files]
    if any(path in by_path for path in paths):
        candidates = [by_path[path] for path in paths]
    else:
        candidates = [by_stem[stem] for stem in stems]
        shared = next((s for s, times in Counter(stems).items() if times > 1 and s in by_stem and by_stem[s]), None)
        if shared:
            raise SourceError(f"{by_stem[shared][0]}: is the mask of which {shared}? put masks into the same folders")
    own = [
        [name for name in names if _name(name) == _name(file)] for file, names in zip(files, candidates, strict=True)
    ]
    beside = any(len(mine) < len(names) for mine, names in zip(own, candidates, strict=True) if mine)
    chosen: list[str | None] = []
    for file, mine, names in zip(files, own, candidates, strict=True):
        masks = [name for name in names if not (beside and name in mine)]
        if len(masks) > 1:
            raise SourceError(f"{file}: several masks, {', '.join(masks[:NAMED])}; keep one")
        chosen.append(masks[0] if masks else None)
    return chosen


def _name(file: str) -> str:
    return PurePosixPath(file).name


def _read(root: Path, chosen: Sequence[str | None], sizes: Sequence[tuple[int, int]]) -> Iterator[Mask]:
    wrong = []
    for name, size in zip(chosen, sizes, strict=True):
        if name is None:
            yield np.zeros(size, bool)
            continue
        try:
            mask = read_pixels(root / name, colour=False)[:, :, 0] > 0
        except SourceError as reason:
            raise SourceError(f"{root / name}: {reason}") from reason
        if mask.shape != tuple(size):
            wrong.append(f"{name} {mask.shape[0]} x {mask.shape[1]} for {size[0]} x {size[1]} pixels")
        if not wrong:
            yield mask
    if wrong:
        more = f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
        raise SourceError(f"{root}: masks of another size than their image: {'; '.join(wrong[:NAMED])}{more}")
