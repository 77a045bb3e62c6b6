"""The numbers of the store in the text format that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lynkeus.monitor.conditions import conditions
from lynkeus.monitor.service.records import supervised
from lynkeus.monitor.store import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Samples = Iterable[tuple[Mapping[str, str], float]]
_Family = tuple[str, str, str, _Samples]


def prometheus_text(store: Store, now_ns: int) -> str:
    """One gauge or counter per fact, labelled by monitor and output."""
    pulses, counts = store.monitors(), store.alarm_counts()
    by_monitor = [({"monitor": pulse.monitor.name}, pulse) for pulse in pulses]
    seen = {(count.monitor, count.output): count for count in counts}
    names = seen.keys() | {(pulse.monitor.name, output) for pulse in pulses for output in pulse.monitor.outputs}
    labels = {key: {"monitor": key[0], "output": key[1]} for key in sorted(names)}
    age = [(label, (now_ns - pulse.heartbeat_ns) / 1e9) for label, pulse in by_monitor]
    families: list[_Family] = [
        ("heartbeat_age_seconds", "gauge", "Time since the monitor last wrote.", age),
        ("samples_total", "counter", "Samples read.", [(label, pulse.samples) for label, pulse in by_monitor]),
        ("missed_samples_total", "counter", "Samples lost.", [(label, pulse.missed) for label, pulse in by_monitor]),
        ("samples_per_second", "gauge", "Samples read a second.", [(one, p.samples_per_s) for one, p in by_monitor]),
        ("finished", "gauge", "1 once the source has ended.", [(label, pulse.finished) for label, pulse in by_monitor]),
        ("alarms_open", "gauge", "Alarms open now.", [(labels[k], seen[k].open if k in seen else 0) for k in labels]),
        ("alarms_total", "counter", "Alarms so far.", [(labels[k], seen[k].total if k in seen else 0) for k in labels]),
    ]
    families += _of_sources(conditions(store))
    services = supervised(store).values()
    up = [({"monitor": one.monitor}, one.state in ("running", "finished")) for one in services]
    again = [({"monitor": one.monitor}, one.restarts) for one in services]
    families += [
        ("supervised_up", "gauge", "1 while the service has the monitor running.", up),
        ("restarts_total", "counter", "How often the service started it again.", again),
    ]
    return "".join(_family(f"lynkeus_{name}", kind, text, samples) for name, kind, text, samples in families)


def _of_sources(found: Mapping[str, Mapping[str, Any]]) -> list[_Family]:
    """Return what is known of live sources."""
    lost = [({"monitor": name}, one["state"] == "lost") for name, one in found.items()]
    channels = [({"monitor": name}, one["channels"]) for name, one in found.items()]
    there = [({"monitor": name}, one["there"]) for name, one in found.items()]
    counts = [
        ({"monitor": name, "reason": reason}, many)
        for name, one in found.items()
        for reason, many in one["counts"].items()
    ]
    return [
        ("source_lost", "gauge", "1 while no channel of a live source sends anything.", lost),
        ("source_channels", "gauge", "Channels of a live source.", channels),
        ("source_channels_there", "gauge", "Channels of a live source that are not masked.", there),
        ("source_updates_total", "counter", "Updates that were dropped, late, repeated, ..., since its start.", counts),
    ]


def _family(name: str, kind: str, text: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        lines.append(f"{name}{{{inside}}} {float(value):.15g}")
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
