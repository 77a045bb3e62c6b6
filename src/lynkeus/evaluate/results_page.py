"""The page of a study: Markdown, written by the run and never by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lynkeus.commission.found import Commissioning
from lynkeus.commission.turn_on import CHANCE, TurnOn
from lynkeus.core import Study
from lynkeus.fitting.fitted import Fitted

ALARM_HEAD = (
    "scorer", "output", "alarms", "incidents", "in alarm", "hours", "per hour", "90 % interval", "budget",
)  # fmt: skip


def results_page(
    study: Study, found: Commissioning, fitted: Mapping[str, Fitted], record: Mapping[str, Any], checks: Sequence[str]
) -> str:
    """Return the page of results of a study in Markdown."""
    first = next(iter(fitted))
    parts = [
        f"# Results: {study.name}",
        f"{study.question}",
        f"Written by `lynkeus study run {study.name}` on {record['at']} (version {record['version']}, "
        f"run `{record['key'][:12]}`). Data: {study.data}.",
        "## Checks",
        "\n".join(f"- {line}" for line in checks) or "None.",
        "## How small a fault is found",
        f"Budget: {study.budget_per_hour:g} false alarms an hour. Each case was planted {study.per_case} times. "
        "Intervals: 90 %. AUROC per window, against all windows of the test data as they are, real events included. "
        "`chance` raises alarms at random within the budget.",
        *(_fault_table(kind, found.rows, first) for kind in study.faults),
        f"![Turn-on curves]({study.name}/turn_on.svg)",
        "## False alarms against the budget",
        table(
            ("scorer", "output", "alarms", "incidents", "in alarm", "hours", "per hour", "90 % interval", "budget"),
            _alarm_rows(found),
        ),
        "Alarms of one channel within ten minutes, and those of a beam that moves on within two, are one incident. "
        "Counted on the test data as they are. Nobody has labelled them: an alarm here is a false one or a real event, "
        "and the list below says which to look at.",
        *_events(study, found, fitted[first]),
        "## What was left out of the reference",
        table(("scorer", "output", "reference (h)", "incidents left out", "seconds left out"), _excluded_rows(fitted)),
        *_incidents(study, fitted[first]),
    ]
    return "\n\n".join(parts) + "\n"


def _fault_table(kind: str, rows: Iterable[TurnOn], first: str) -> str:
    own = [row for row in rows if row.fault == kind and row.meant]
    order = {name: number for number, name in enumerate([first, *{row.scorer: 0 for row in own}])}
    own.sort(key=lambda row: (row.size, row.scorer == CHANCE, order[row.scorer]))
    head = (
        "size",
        "scorer",
        "output",
        "efficiency",
        "90 % interval",
        "AUROC",
        "90 % interval",
        "right channel",
        "median s",
    )
    lines = [
        (
            f"{row.size:g}",
            row.scorer,
            row.output,
            f"{row.efficiency:.3f}",
            f"{row.low:.3f} to {row.high:.3f}",
            f"{row.auroc:.4f}",
            f"{row.auroc_low:.4f} to {row.auroc_high:.4f}",
            _number(row.right_window, 3),
            _number(row.detect_median_s, 1),
        )
        for row in own
    ]
    return f"### {kind}\n\n{table(head, lines)}"


def _alarm_rows(found: Commissioning) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for counted in found.false_alarms:
        rate, low, high = counted.rate
        budget = f"{found.settings.budget_per_hour:g}" + (" (extrapolated)" if counted.extrapolated else "")
        numbers = (
            str(len(counted.alarms)),
            str(counted.incidents),
            f"{counted.in_alarm:.1%}",
            f"{counted.exposure:.2f}",
            f"{rate:.2f}",
            f"{low:.2f} to {high:.2f}",
            budget,
        )
        rows.append((counted.scorer, counted.output, *numbers))
    return rows


def _events(study: Study, found: Commissioning, fitted: Fitted) -> list[str]:
    alarms = [alarm for counted in found.false_alarms if counted.scorer == fitted.name for alarm in counted.alarms]
    if not alarms:
        return []
    rows = [
        (
            _utc(a.start_ns),
            a.output,
            a.where,
            f"{((a.end_ns or a.start_ns) - a.start_ns) / 1e9:.0f}",
            f"{a.peak_score:.1f}",
        )
        for a in sorted(alarms, key=lambda alarm: alarm.start_ns)
    ]
    figures = [f"![Alarms in the test data]({study.name}/test_alarms.svg)"]
    figures += [
        f"![The rarest {output} alarm]({study.name}/alarm_{output}.svg)" for output in {a.output: 0 for a in alarms}
    ]
    return [
        f"### Alarms of `{fitted.name}` in the test data",
        table(("UTC", "output", "where", "s", "score"), rows),
        *figures,
    ]


def _excluded_rows(fitted: Mapping[str, Fitted]) -> list[tuple[str, ...]]:
    return [
        (name, output, _number(c.hours, 2), str(c.excluded), f"{c.excluded_s:.0f}")
        for name, one in fitted.items()
        for output, c in one.calibrations.items()
    ]


def _incidents(study: Study, fitted: Fitted) -> list[str]:
    incidents = fitted.lineage["incidents"]
    if not incidents:
        return [f"`{fitted.name}` found no incident in the training data."]
    rows = [
        (
            _utc(i["start_ns"]),
            i["output"],
            i["where"],
            f"{(i['end_ns'] - i['start_ns']) / 1e9:.0f}",
            f"{i['score']:.1f}",
        )
        for i in incidents
    ]
    figure = f"![Incidents of the training data]({study.name}/train_incidents.svg)"
    return [
        f"### Incidents that `{fitted.name}` found in its own training data",
        table(("UTC", "output", "where", "s", "score"), rows),
        figure,
    ]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or value != value else f"{value:.{digits}f}"


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).strftime("%H:%M:%S")
