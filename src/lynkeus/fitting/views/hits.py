"""Hits: hits of a time projection chamber as a model sees them: with what their neighbours say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from lynkeus.core import Evidence, Finding, Schema, Source
from lynkeus.core.batch import Array, Batch
from lynkeus.fitting.views.as_read import AsRead
from lynkeus.sources.hits.prepared import PreparedHits, medians
from lynkeus.transforms.hits.neighbours import Scales


@dataclass(frozen=True)
class HitsView(AsRead):
    """Hits with columns of their neighbourhood where there are any (`near`), in units of `scales`; `labels`: the column
    that says which are of a track; `usual`: medians of columns, by which other units are noticed."""

    labels: str = ""
    near: bool = False
    scales: tuple[float, ...] = tuple(Scales())
    usual: Mapping[str, float] = field(default_factory=dict)
    kind: ClassVar[str] = "hits"
    worth: ClassVar[float] = 0.0  # hits are many, and a scorer that finds says where by itself

    @classmethod
    def fit(cls, source: Source, labels: str, layout: dict[str, Any] | None) -> Self:
        """Return the view of the hits of a source, as it finds them."""
        seen = PreparedHits(source, labels)
        first = next(iter(source), None)
        usual = medians(first) if first is not None else {}
        return cls(source.schema, layout, labels, seen.near, tuple(seen.scales), usual)

    def of(self, source: Source, who: str = "the model") -> Source:
        """Return hits with their neighbourhood. Raises SchemaError where the data are others, SettingsError where they
        have no neighbours, by which the model judges."""
        super().of(source, who)
        return PreparedHits(source, self.labels, Scales(*self.scales), self.near, self.usual)

    def places(self, batch: Batch, evidence: Evidence, reference: dict[str, Array]) -> list[Finding]:
        """Name the column with the strongest evidence."""
        return [Finding(where=batch.schema.names[k]) for k in abs(evidence).argmax(axis=1)]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return super().to_dict() | {
            "labels": self.labels,
            "near": self.near,
            "scales": list(self.scales),
            "usual": dict(self.usual),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Return what `to_dict` was called on."""
        scales = tuple(map(float, fields["scales"]))
        own = Schema.from_dict(fields["schema"])
        return cls(own, fields["layout"], fields["labels"], fields["near"], scales, fields["usual"])
