"""The tables of failed tasks, of advice and of decisions. Rows are only ever appended."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from lynkeus.monitor.tables import metadata

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only where the type is INTEGER
_Real = Float(53)

# A failed task as it was sent (`task`: its JSON), once for each content; the latest row of a name holds.
ops_task = Table(
    "ops_task",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),  # SHA-256 of what a model is shown
    Column("task", Text, nullable=False),
    Column("jobs", _Real, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("task_by_name", "name", "id"),
)

# What a model (checksum of its folder) advised about a task; `says`: the whole answer as JSON.
ops_advice = Table(
    "ops_advice",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("task_id", _Id, ForeignKey("ops_task.id"), nullable=False),
    Column("model", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("confidence", _Real, nullable=False),
    Column("urgency", _Real, nullable=False),
    Column("apply", Boolean, nullable=False),
    Column("says", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    UniqueConstraint("model", "task_id"),
)

# Which model (checksum) advises from then on, where somebody chose another than the first that the server was given.
ops_champion = Table(
    "ops_champion",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("model", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

# Who or what decided which action; the latest row of a task holds, except those that only say what would be applied.
# `model`, `advised`, `confidence`: what was shown when it was decided; `digest`: of the task then.
ops_decision = Table(
    "ops_decision",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("task_id", _Id, ForeignKey("ops_task.id"), nullable=False),
    Column("said", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("advised", Text, nullable=False),
    Column("confidence", _Real),
    Column("digest", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("decision_by_task", "task_id", "id"),
)
