"""The table of entries of a logbook that were found for alarms."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text

from lynkeus.monitor.tables import metadata

_Id = BigInteger().with_variant(Integer, "sqlite")

# What was written around an alarm and of the like before it (`entries`: JSON), in which `logbook`. The latest row of an
# alarm holds: entries that are written later make another row.
alarm_written = Table(
    "alarm_written",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alarm_id", _Id, ForeignKey("alarm_opened.id"), nullable=False),
    Column("logbook", Text, nullable=False),
    Column("entries", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("written_by_alarm", "alarm_id", "id"),
)
