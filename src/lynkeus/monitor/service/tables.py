"""The tables of services and of live sources: who supervises, what state a monitor is in, and how its source is."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from lynkeus.monitor.tables import metadata

_Id = BigInteger().with_variant(Integer, "sqlite")

# The one service that supervises the monitors of this store; `token` is empty where there is none.
service = Table(
    "service",
    metadata,
    Column("one", Integer, primary_key=True),  # always 1
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("token", Text, nullable=False),
    Column("heartbeat_ns", BigInteger, nullable=False),
    Column("file", Text, nullable=False),
)

# What a service did with a monitor, and why. Rows are only ever appended; the latest one of a monitor holds.
service_event = Table(
    "service_event",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("monitor", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("says", Text, nullable=False),
    Column("restarts", BigInteger, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("service_event_by_monitor", "monitor", "id"),
)

# How the source of a monitor is now (JSON): connected or lost, its channels, and counts of what was lost on the way.
source_condition = Table(
    "source_condition",
    metadata,
    Column("monitor", Text, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("condition", Text, nullable=False),
)

# How far a sink has told of the alarms of a monitor: the last rows of `alarm_opened` and `alarm_event` that arrived.
sink_position = Table(
    "sink_position",
    metadata,
    Column("sink", Text, primary_key=True),
    Column("monitor", Text, primary_key=True),
    Column("opened_id", BigInteger, nullable=False),
    Column("event_id", BigInteger, nullable=False),
)
