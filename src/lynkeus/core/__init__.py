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
from lynkeus.core.protocols import (
    About,
    Classifying,
    CrossFitted,
    Evidence,
    GoodPatch,
    Inspected,
    Inspecting,
    Locating,
    Scorer,
    Scores,
    Source,
    Spot,
    Suspecting,
    Telling,
    Tracking,
)  # fmt: skip
from lynkeus.core.runs import Book, Change, Judged, Judging, Plot, PlotRecord, RunRecord
from lynkeus.core.study import Baseline, Case, Check, Comparison, Findings, Outcome, Part, Study

__all__ = [
    "KINDS", "About", "Alarm", "AlarmRule", "Array", "Baseline", "Batch", "Book", "Calibration", "CalibrationError",
    "Case", "Change", "Check", "Classifying", "Comparison", "CrossFitted", "Evidence", "Findings", "Floats",
    "GoodPatch", "Inspected", "Inspecting", "Judged", "Judging", "Locating", "LynkeusError", "ModelError",
    "OpenAlarm", "Outcome", "Part", "Plot", "PlotRecord", "Point", "RunRecord", "Schema", "SchemaError", "Scorer",
    "Scores", "SettingsError", "Source", "SourceError", "Spot", "StoreError", "Study", "Suspecting", "Tail",
    "Telling", "TimesNs", "Tracking", "Verdict", "advance", "concatenate",
]  # fmt: skip
