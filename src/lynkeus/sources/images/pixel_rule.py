"""PixelRule: how the pixels of files and arrays become numbers of 8 bits, for all images of a model alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from lynkeus.core.batch import Array
from lynkeus.core.errors import SourceError

BACKGROUND = 128  # neither a dark nor a bright edge of what is cut out is lost before it
RARE = 5e-4  # share of the pixels of an image that may lie beyond its range: hot and dead ones
MARGIN = 0.25  # of the range of good images, on both sides: what is darker or brighter than they are is seen
WIDE = 0.5  # share of 16 bits from which on the upper 8 of them are enough
SIXTEEN = 0xFFFF


@dataclass(frozen=True)
class PixelRule:
    """`black`, `white`: values of grey images of more than 8 bits that become 0 and 255, others are clipped (None: the
    upper 8 of 16 bits are kept, floats are times 255). `background`: the grey behind what is transparent (None: alpha
    is dropped, as it was before there was a rule). `deep`: whether good images have more than 8 bits (None: not known,
    in models of before)."""

    black: float | None = None
    white: float | None = None
    background: int | None = BACKGROUND
    deep: bool | None = field(default=None, compare=False)

    @property
    def scales(self) -> bool:
        """Whether there is a scale."""
        return self.black is not None and self.white is not None

    def eight_bits(self, values: Array) -> npt.NDArray[np.uint8]:
        """Return values of more than 8 bits in 8 bits, NaN as 0. Raises SourceError, the reason only, for values that
        have none."""
        if self.black is not None and self.white is not None:
            scaled = (np.asarray(values, np.float32) - self.black) * (255.0 / (self.white - self.black))
            return np.asarray(np.clip(np.rint(np.nan_to_num(scaled)), 0, 255), np.uint8)
        if values.dtype.kind == "f":
            values = np.nan_to_num(values)
            if values.min() < 0 or values.max() > 1:
                raise SourceError(f"has float pixels from {values.min():g} to {values.max():g}; scale them to 0 to 1")
            return np.rint(values * 255).astype(np.uint8)
        if values.min() < 0 or values.max() > SIXTEEN:
            raise SourceError(f"has pixels from {values.min()} to {values.max()}; save it with 8 or 16 bits")
        return (values >> 8).astype(np.uint8)

    def without_alpha(self, picture: Image.Image) -> Image.Image:
        """Return a picture before the background, what is transparent in it hidden. Raises SourceError, the reason
        only, where that is all of it."""
        if self.background is None or not picture.has_transparency_data:
            return picture
        shown = picture.convert("RGBA")
        if shown.getextrema()[3][1] == 0:
            raise SourceError("is transparent everywhere; save it without its alpha channel")
        behind = Image.new("RGBA", picture.size, (self.background,) * 3 + (255,))
        return Image.alpha_composite(behind, shown).convert("RGB")

    def words(self) -> list[str]:
        """Say the scale where there is one."""
        if self.black is None or self.white is None:
            return []
        return [
            f"pixels of more than 8 bits: {self.black:g} to {self.white:g} become 0 to 255, one scale for all images"
        ]

    def of_depth(self, deep: bool) -> Self:
        """Return the rule for good images of more than 8 bits, or not."""
        return replace(self, deep=deep)

    def unlike(self, deep: int, images: int) -> list[str]:
        """Say where of so many images that were looked at so many have more than 8 bits, but most good ones are
        otherwise: their numbers mean something else."""
        learned = self.deep or self.scales if self.deep is not None or self.scales else None
        odd = images - deep if learned else deep
        if learned is None or 2 * odd < images or not images:
            return []
        have, other = ("8 bits", "more than 8") if learned else ("more than 8 bits", "8")
        return [
            f"{odd} of {images} images that were looked at have {have}, the model learned from images of {other}: "
            "their grey values do not mean the same; convert them, or fit a model on images like these"
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any] | None) -> Self:
        """Return what `to_dict` was called on; of what was written before there was a rule (None) that of then."""
        return cls(background=None) if fields is None else cls(**fields)

    @classmethod
    def of(cls, ranges: Sequence[Range]) -> Self:
        """Return the rule for good images of these ranges: a scale where theirs use a small part of 16 bits, or are
        floats beyond 0 to 1."""
        if len({whole for _, _, whole, _ in ranges}) != 1:
            return cls()
        low, high = min(low for low, *_ in ranges), max(high for _, high, *_ in ranges)
        whole = ranges[0].whole
        if whole:
            fine = low >= 0 and high <= SIXTEEN and (high - low) * (1 + 2 * MARGIN) >= WIDE * SIXTEEN
        else:
            fine = low >= 0 and WIDE <= high <= 1
        if fine:
            return cls()
        span = max(high - low, 8.0 if whole else 1e-6 * max(abs(high), 1e-30))
        black = low - MARGIN * span
        return cls(float(max(black, 0.0) if low >= 0 else black), float(high + MARGIN * span))


BEFORE = PixelRule(background=None)  # there was a rule to choose


class Range(NamedTuple):
    """The range of the pixels of an image without the rarest, whether they are whole numbers, and whether some have no
    value."""

    low: float
    high: float
    whole: bool
    gaps: bool = False

    @classmethod
    def of(cls, values: Array) -> Self:
        """Return that of an image, NaN left out."""
        whole = values.dtype.kind != "f"
        known = values.ravel() if whole else values[np.isfinite(values)]
        if not known.size:
            return cls(0.0, 0.0, whole, bool(values.size))
        low, high = np.quantile(known, [RARE, 1 - RARE])
        return cls(float(low), float(high), whole, known.size < values.size)


def gaps_in_words(ranges: Sequence[Range]) -> list[str]:
    """Say in how many of the images that were looked at pixels have no value."""
    gaps = sum(found.gaps for found in ranges)
    told = f"{gaps} of {len(ranges)} images that were looked at have pixels without a value (NaN): taken as black"
    return [told] if gaps else []
