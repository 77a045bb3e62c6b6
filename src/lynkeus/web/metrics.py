"""The numbers of the store in the text format that Prometheus scrapes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lynkeus.monitor.store import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_Samples = Iterable[tuple[Mapping[str, str], float]]


def prometheus_text(store: Store, now_ns: int) -> str:
    """One gauge or counter per fact, labelled by monitor and output."""
    pulses, counts = store.monitors(), store.alarm_counts()
    by_monitor = [({"monitor": pulse.monitor.name}, pulse) for pulse in pulses]
    seen = {(count.monitor, count.output): count for count in counts}
    names = seen.keys() | {(pulse.monitor.name, output) for pulse in pulses for output in pulse.monitor.outputs}
    labels = {key: {"monitor": key[0], "output": key[1]} for key in sorted(names)}
    age = [(label, (now_ns - pulse.heartbeat_ns) / 1e9) for label, pulse in by_monitor]
    families = (
        ("heartbeat_age_seconds", "gauge", "Time since the monitor last wrote.", age),
        ("samples_total", "counter", "Samples read.", [(label, pulse.samples) for label, pulse in by_monitor]),
        ("missed_samples_total", "counter", "Samples lost.", [(label, pulse.missed) for label, pulse in by_monitor]),
        ("finished", "gauge", "1 once the source has ended.", [(label, pulse.finished) for label, pulse in by_monitor]),
        ("alarms_open", "gauge", "Alarms open now.", [(labels[k], seen[k].open if k in seen else 0) for k in labels]),
        ("alarms_total", "counter", "Alarms so far.", [(labels[k], seen[k].total if k in seen else 0) for k in labels]),
    )
    return "".join(_family(f"lynkeus_{name}", kind, text, samples) for name, kind, text, samples in families)


def _family(name: str, kind: str, text: str, samples: _Samples) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        lines.append(f"{name}{{{inside}}} {float(value):.15g}")
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
