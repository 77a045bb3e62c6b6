"""What all sinks share: what they publish of, and what they must be able to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lynkeus.core import AlarmRule, SettingsError
from lynkeus.fitting.fitted import Fitted

if TYPE_CHECKING:
    from lynkeus.monitor.store import Store
    from lynkeus.monitor.watch import Watched


@dataclass(frozen=True)
class Publishing:
    """What is published: a model by a rule, as the monitor `name` of a `store`; `title` of the monitor; `tell` is given
    a line where something goes wrong or is well again."""

    fitted: Fitted
    rule: AlarmRule
    store: Store
    name: str
    title: str = ""
    tell: Callable[[str], None] = lambda line: None

    def hours_of(self, output: str) -> float | None:
        """Return the hours of good data that the rates of an output are known from, None where that is not known."""
        calibration = self.fitted.calibrations.get(output)
        return None if calibration is None else calibration.hours


class Sink(Protocol):
    """Where scores or alarms go. It is made from an address alone, which raises SettingsError for one that is none;
    `begin` starts it and returns a line to say; it is called after each commit, and never waits for anybody."""

    def begin(self, about: Publishing) -> str: ...

    def __call__(self, run: Watched) -> None: ...

    def close(self) -> None: ...


class Sinks:
    """Several sinks as one; none is begun before `begin`."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.sinks = [_sink(url) for url in urls]
        self.begun: list[Sink] = []

    def begin(self, about: Publishing) -> list[str]:
        """Start all; return what there is to say of each."""
        said = []
        for one in self.sinks:
            said.append(one.begin(about))
            self.begun.append(one)
        return said

    def __call__(self, run: Watched) -> None:
        """Publish what a commit brought about."""
        for one in self.begun:
            one(run)

    def close(self) -> None:
        """Stop all that were begun."""
        for one in self.begun:
            one.close()
        self.begun = []


def _sink(url: str) -> Sink:
    from lynkeus.monitor.publish.deliver import Delivered
    from lynkeus.monitor.publish.forms import FORMS
    from lynkeus.monitor.publish.kafka import KafkaPublisher
    from lynkeus.monitor.publish.nats import NatsPublisher
    from lynkeus.monitor.publish.pva import PvaPublisher

    scheme, found, _ = url.partition("://")
    if scheme == "epics+pva":
        return PvaPublisher(url)
    if scheme in ("nats", "tls", "nats+tls"):
        return NatsPublisher(url)
    if scheme in ("kafka", "kafka+tls"):
        return KafkaPublisher(url)
    if found and scheme in FORMS:
        return Delivered(url)
    known = ", ".join(f"{name}://" for name in ("epics+pva", "nats", "kafka", *FORMS))
    raise SettingsError(
        f"--publish {url}: must be epics+pva://PREFIX, such as epics+pva://LYN:ORBIT, or an address of {known}"
    )
