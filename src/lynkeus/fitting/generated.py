"""Generation: a fitted generator as a Source, of as many samples as are wanted, at conditions that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lynkeus.core import Batch, Generates, Refines, Schema, Scorer, SettingsError, Source
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.lineage import lineage_of
from lynkeus.fitting.refined import Refined, refined
from lynkeus.fitting.views.as_read import AsRead
from lynkeus.fitting.views.view import View
from lynkeus.sources.wrappers.numbered import Numbered

BATCH = 500
OWN = ("seed", "extrapolate")  # settings that are no conditions


@dataclass(frozen=True)
class Generated:
    """`n` samples of a generator, the same for the same `seed`; `conditions` by name. Raises SettingsError where the
    model is no generator, or cannot be asked for that."""

    fitted: Fitted
    n: int = 100
    seed: int = 0
    conditions: Mapping[str, float] = field(default_factory=dict)
    extrapolate: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.fitted.scorer, Generates):
            raise SettingsError(f"the model ({self.fitted.name}) is no generator: fit one with -s generator")

    @property
    def schema(self) -> Schema:
        """Return that of the samples that the generator has seen."""
        return self.fitted.view.schema

    def __len__(self) -> int:
        return self.n

    def of_length(self, samples: int) -> Generated:
        """Return so many samples."""
        return replace(self, n=samples)

    def __iter__(self) -> Iterator[Batch]:
        scorer: Any = self.fitted.scorer
        for number, first in enumerate(range(0, self.n, BATCH)):
            count = min(BATCH, self.n - first)
            # Each batch has its own seed, and is made whole: the first samples are the same however many there are.
            whole = scorer.generate(BATCH if self.n > BATCH else count, self.seed * 1_000_003 + number, self.conditions,
                                    self.extrapolate)  # fmt: skip
            yield whole[:count]


def generated(fitted: Fitted, given: Mapping[str, Any]) -> Generated | Refined:
    """Return a generator as a Source, by settings as they are typed: seed, extrapolate, and conditions by name; of one
    that makes finer images see `refined`."""
    if isinstance(fitted.scorer, Refines):
        return refined(fitted, given)
    seed = given.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
        raise SettingsError(f"--set seed={seed}: must be a whole number, not negative")
    conditions = {name: value for name, value in given.items() if name not in OWN}
    return Generated(fitted, seed=seed, conditions=conditions, extrapolate=bool(given.get("extrapolate", False)))


def fit_generator(
    scorer: Scorer, name: str, view: View, source: Source, targets: tuple[str, ...], lineage: Mapping[str, Any]
) -> Fitted:
    """Fit a generator; `targets`: numbers of the samples that it can be asked for later."""
    if isinstance(scorer, Refines):
        if targets:
            raise SettingsError(f"--labels {','.join(targets)}: {name} learns from images alone; leave it out")
        view = AsRead(replace(view.schema, shape=(view.schema.shape[0], None, None)), view.layout)
    else:
        assert isinstance(scorer, Generates), f"{name} says that it generates, and has no generate"
        scorer.targets = targets
    known = view.training(source)
    scorer.fit(Numbered(known, targets) if targets else known)
    more = {"samples": sum(len(batch) for batch in known), **getattr(scorer, "facts", {})}
    messages = [*getattr(scorer, "messages", ())]
    return Fitted(name, scorer, view, {}, {}, {**lineage_of(source, name, lineage), **more}, messages)
