"""AsRead and Images: samples that a scorer sees as they are read: clouds, histograms, text; and images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from lynkeus.core import KINDS, Array, Batch, Evidence, Finding, Schema, Source
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.images.pixel_rule import BEFORE, PixelRule
from lynkeus.sources.wrappers.distinct import Distinct
from lynkeus.sources.wrappers.pictures import Pictures
from lynkeus.sources.wrappers.wrapper import innermost

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted


@dataclass(frozen=True)
class AsRead:
    """Samples as they are; see View."""

    schema: Schema
    layout: dict[str, Any] | None = None
    kind: ClassVar[str] = "as_read"
    worth: ClassVar[float] = 0.01
    alone: ClassVar[bool] = False
    window: ClassVar[int] = 0
    stride: ClassVar[int] = 0

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of channels, plots or features, as the schema has them."""
        return self.schema.names

    def of(self, source: Source, who: str = "the model") -> Source:
        """Return the source itself. Raises SchemaError where the data are others."""
        self.schema.require(source.schema, who)
        return source

    def training(self, source: Source) -> Source:
        """Return the same as `of`."""
        return self.of(source)

    def places(self, batch: Batch, evidence: Evidence, reference: dict[str, Array]) -> list[Finding]:
        """Count the axis that comes first after the samples: "particle 3", "bin 40"; nothing where there is none."""
        axis = next(iter(KINDS[self.schema.kind]), "")
        if not axis or evidence.ndim < 2:
            return [Finding() for _ in evidence]
        strongest = np.nan_to_num(np.abs(evidence)).reshape(*evidence.shape[:2], -1).max(axis=2, initial=0.0)
        return [Finding(where=f"{axis} {index}") for index in strongest.argmax(axis=1)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return {"kind": self.kind, "schema": self.schema.to_dict(), "layout": self.layout}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        return cls(Schema.from_dict(fields["schema"]), fields["layout"])


@dataclass(frozen=True)
class Images(AsRead):
    """Images, grey or colour, whose pixels became 8 bits by a `rule`; tables whose columns are the pixels of such
    images are read as them."""

    rule: PixelRule = BEFORE
    kind: ClassVar[str] = "images"

    def of(self, source: Source, who: str = "the model") -> Source:
        """Return images. Raises SchemaError where the data are others."""
        if source.schema.kind == "table":
            source = Pictures(source, int(self.schema.shape[1] or 0))
        return super().of(source, who)

    def training(self, source: Source) -> Source:
        """Return images of which each counts once; crops and simulated ones as they are."""
        seen = self.of(source)
        return Distinct(seen) if isinstance(innermost(source), ImageSource) else seen

    def places(self, batch: Batch, evidence: Evidence, reference: dict[str, Array]) -> list[Finding]:
        """Name the pixel where the evidence is strongest."""
        strength = np.abs(evidence).max(axis=1)
        peaks = strength.reshape(len(strength), -1).argmax(axis=1)
        rows, columns = np.unravel_index(peaks, strength.shape[1:])
        return [Finding(where=f"x {x}, y {y}") for x, y in zip(columns, rows, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return super().to_dict() | {"pixels": self.rule.to_dict()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on; models of before there was a rule read as they did."""
        rule = PixelRule.from_dict(fields.get("pixels"))
        return cls(Schema.from_dict(fields["schema"]), fields["layout"], rule)


def rule_of(fitted: Fitted) -> PixelRule:
    """Return how the pixels of the images of a model become 8 bits."""
    return fitted.view.rule if isinstance(fitted.view, Images) else BEFORE
