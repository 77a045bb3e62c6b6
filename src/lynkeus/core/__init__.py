"""The five nouns: Batch, Source, Scorer, Calibration and Alarm, Study. NumPy only."""

from lynkeus.core.alarm import Alarm, AlarmRule, OpenAlarm, Point, Verdict, advance
from lynkeus.core.batch import KINDS, Array, Batch, Floats, Schema, TimesNs, concatenate
from lynkeus.core.calibration import Calibration, Tail
from lynkeus.core.errors import (
    CalibrationError,
    LynkeusError,
    ModelError,
    SchemaError,
    SettingsError,
    SourceError,
    StoreError,
)
from lynkeus.core.finding import NOTHING, Finding, GoodPatch, Spot
from lynkeus.core.last_batch import LastBatch
from lynkeus.core.protocols import (
    About,
    Evidence,
    Exports,
    Finds,
    JudgesPlots,
    Refers,
    Scorer,
    Scores,
    Source,
    Tracking,
    Unseen,
    about_of,
)  # fmt: skip
from lynkeus.core.runs import Book, Plot, PlotRecord, RunRecord
from lynkeus.core.standing import Standing, Stands
from lynkeus.core.study import Baseline, Case, Check, Comparison, Findings, Outcome, Part, Study

__all__ = [
    "KINDS",
    "NOTHING",
    "About",
    "Alarm",
    "AlarmRule",
    "Array",
    "Baseline",
    "Batch",
    "Book",
    "Calibration",
    "CalibrationError",
    "Case",
    "Check",
    "Comparison",
    "Evidence",
    "Exports",
    "Finding",
    "Findings",
    "Finds",
    "Floats",
    "GoodPatch",
    "JudgesPlots",
    "LastBatch",
    "LynkeusError",
    "ModelError",
    "OpenAlarm",
    "Outcome",
    "Part",
    "Plot",
    "PlotRecord",
    "Point",
    "Refers",
    "RunRecord",
    "Schema",
    "SchemaError",
    "Scorer",
    "Scores",
    "SettingsError",
    "Source",
    "SourceError",
    "Spot",
    "Standing",
    "Stands",
    "StoreError",
    "Study",
    "Tail",
    "TimesNs",
    "Tracking",
    "Unseen",
    "Verdict",
    "about_of",
    "advance",
    "concatenate",
]
