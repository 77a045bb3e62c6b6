"""View: what a model does to data before its scorer sees them, and how a place in them is called."""

from __future__ import annotations

from typing import Any, Protocol

from lynkeus.core import Array, Batch, Evidence, Finding, Schema, Source

PLOT_SIGMA = "plot_sigma"  # in the meta of a batch of runs: (n, plots) how conspicuous the scorer finds each plot


class View(Protocol):
    """How a model sees data; chosen once, when it is fitted, and kept with it.

    `schema` of the data as they come; `names` of the channels or plots that a scorer sees; `kind`: its own name in a
    model folder; `window`, `stride` in rows (0: single rows, no windows); `layout` of the files, as a dictionary;
    `worth`: p-value up to which it is asked where; `alone`: whether a sample stands alone (a run), so that it gets a
    verdict instead of being part of an alarm.
    """

    @property
    def kind(self) -> str: ...

    @property
    def worth(self) -> float: ...

    @property
    def alone(self) -> bool: ...

    @property
    def schema(self) -> Schema: ...

    @property
    def names(self) -> tuple[str, ...]: ...

    @property
    def window(self) -> int: ...

    @property
    def stride(self) -> int: ...

    @property
    def layout(self) -> dict[str, Any] | None: ...

    def of(self, source: Source, who: str = "the model") -> Source:
        """Return what the scorer reads. Raises SchemaError where the data are others than it was fitted on."""
        ...

    def training(self, source: Source) -> Source:
        """Return what the scorer learns from, of the very data on which the view was chosen."""
        ...

    def places(self, batch: Batch, evidence: Evidence, reference: dict[str, Array]) -> list[Finding]:
        """Return where the evidence of each sample is strongest, for scorers that do not say so themselves."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, among them `kind`."""
        ...
