"""The tables of the store. Rows are only ever appended, except `progress`, which has one row per
monitor, and times of judgements that were given again."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = 1
metadata = MetaData()
_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows itself only where the type is INTEGER
_Real = Float(53)

about = Table("about", metadata, Column("version", Integer, primary_key=True))

# One row each time a monitor starts: what it was, and by what it scored (Monitor as JSON).
start = Table(
    "start",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("monitor", Text, nullable=False, index=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("description", Text, nullable=False),
)

progress = Table(
    "progress",
    metadata,
    Column("monitor", Text, primary_key=True),
    Column("start_id", _Id, ForeignKey("start.id"), nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("token", Text, nullable=False),  # empty: nobody holds the monitor
    Column("heartbeat_ns", BigInteger, nullable=False),
    Column("position", BigInteger),  # NULL until the first commit
    Column("last_end_ns", BigInteger),
    Column("state", LargeBinary, nullable=False),
    Column("open_alarms", Text, nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("missed", BigInteger, nullable=False),
    Column("samples_per_s", _Real, nullable=False),
    Column("finished", Boolean, nullable=False),
)

# A number for each (monitor, output), so that a million points do not repeat two names each.
series = Table(
    "series",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("monitor", Text, nullable=False),
    Column("output", Text, nullable=False),
    UniqueConstraint("monitor", "output"),
)

point = Table(
    "point",
    metadata,
    Column("series_id", _Id, ForeignKey("series.id"), primary_key=True),
    Column("start_ns", BigInteger, primary_key=True),
    Column("end_ns", BigInteger, nullable=False),
    Column("score", _Real),
    Column("alarms_per_hour", _Real),
    Column("where", Text, nullable=False),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (start_ns)",  # see points/months
)

alarm_opened = Table(
    "alarm_opened",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("series_id", _Id, ForeignKey("series.id"), nullable=False),
    Column("start_id", _Id, ForeignKey("start.id"), nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("peak_ns", BigInteger, nullable=False),
    Column("peak_score", _Real),
    Column("alarms_per_hour", _Real),
    Column("where", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    UniqueConstraint("series_id", "start_ns"),
    Index("alarm_by_time", "start_ns"),
)

# What became of an alarm: a higher peak, or its end (end_ns not NULL). The latest row holds.
alarm_event = Table(
    "alarm_event",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alarm_id", _Id, ForeignKey("alarm_opened.id"), nullable=False),
    Column("peak_ns", BigInteger, nullable=False),
    Column("peak_score", _Real),
    Column("alarms_per_hour", _Real),
    Column("where", Text, nullable=False),
    Column("end_ns", BigInteger),
    Index("event_by_alarm", "alarm_id", "id"),
)

# The channels of an alarm over time, some windows a row (JSON), from before it opened to after it closed.
alarm_trace = Table(
    "alarm_trace",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alarm_id", _Id, ForeignKey("alarm_opened.id"), nullable=False),
    Column("trace", Text, nullable=False),
    Index("trace_by_alarm", "alarm_id", "id"),
)

# Who has seen an alarm and sees to it. The latest row holds.
alarm_seen = Table(
    "alarm_seen",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alarm_id", _Id, ForeignKey("alarm_opened.id"), nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("seen_by_alarm", "alarm_id", "id"),
)

# What has become the reference of a monitor and is not as it was. The latest row of an (output, where, since) holds;
# its state "over" ends it.
standing = Table(
    "standing",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("monitor", Text, nullable=False),
    Column("output", Text, nullable=False),
    Column("where", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("says", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("standing_by_monitor", "monitor", "id"),
)

# Who has seen what stands; `standing_id`: the first row of it.
acknowledged = Table(
    "acknowledged",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("standing_id", _Id, ForeignKey("standing.id"), nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
)

# Channels that people took out of a monitor until a time (0: until further notice). The latest row of each holds.
maintenance = Table(
    "maintenance",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("monitor", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("until_ns", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("maintenance_by_monitor", "monitor", "id"),
)

# What a person says of an alarm of a monitor, of an image of a folder, or of a run of a model. The latest row holds.
opinion = Table(
    "opinion",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("what", Text, nullable=False),
    Column("within", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("opinion_by_thing", "what", "within", "name", "id"),
)

# Opinions on alarms before `opinion` was: read, not written.
verdict = Table(
    "verdict",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("alarm_id", _Id, ForeignKey("alarm_opened.id"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("verdict_by_alarm", "alarm_id", "id"),
)

# Opinions on images (a file of a folder) before `opinion` was: read, not written.
image_label = Table(
    "image_label",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("images", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("class_name", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("label_by_image", "images", "file", "id"),
)

# The plots of runs with their edges (JSON, packed): once for all runs that have the same.
run_book = Table(
    "run_book",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("digest", Text, nullable=False, unique=True),
    Column("book", LargeBinary, nullable=False),
)

# A run as a model judged it. The latest row of a (model, run) holds. `record`: RunRecord without plots, as JSON;
# `sigmas`: how conspicuous each plot is, float32.
run_judged = Table(
    "run_judged",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("model", Text, nullable=False),
    Column("run", Text, nullable=False),
    Column("book_id", _Id, ForeignKey("run_book.id"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("change", Text, nullable=False),
    Column("time_ns", BigInteger, nullable=False),  # start of the run, or when it was judged
    Column("at_ns", BigInteger, nullable=False),
    Column("record", Text, nullable=False),
    Column("sigmas", LargeBinary, nullable=False),
    Index("run_by_name", "model", "run", "id"),
)

# Apart from `run_judged`, so that lists of runs do not wade through the bins of their plots.
run_plots = Table(
    "run_plots",
    metadata,
    Column("run_id", _Id, ForeignKey("run_judged.id"), primary_key=True),
    Column("plots", LargeBinary, nullable=False),
)

# What judgements of runs say, by a digest, so that the same one is kept once; `run_id` is its latest row (0: none yet).
run_content = Table(
    "run_content",
    metadata,
    Column("model", Text, primary_key=True),
    Column("run", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("run_id", BigInteger, nullable=False),
)

# The groups of plots (S1, S2, ...) in which a run has flagged plots.
run_flagged = Table(
    "run_flagged",
    metadata,
    Column("run_id", _Id, ForeignKey("run_judged.id"), primary_key=True),
    Column("group_name", Text, primary_key=True),
    Column("plots", BigInteger, nullable=False),
)

# An image of a folder as a model judged it, once for each state of its file (`path`). The latest row of a (model,
# images, file) holds. `file`: as rows of `lynkeus score` call it; `row`: such a row, `about`: what readers must know.
image_judged = Table(
    "image_judged",
    metadata,
    Column("id", _Id, primary_key=True),
    *(Column(name, Text, nullable=False) for name in ("model", "images", "file", "path", "verdict", "reason")),
    *(Column(name, BigInteger, nullable=False) for name in ("size", "mtime_ns", "at_ns")),
    *(Column(name, Text, nullable=False) for name in ("row", "about")),
    UniqueConstraint("model", "images", "file", "size", "mtime_ns"),
)

# Opinions on runs before `opinion` was: read, not written.
run_override = Table(
    "run_override",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("run_id", _Id, ForeignKey("run_judged.id"), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Index("override_by_run", "run_id", "id"),
)
