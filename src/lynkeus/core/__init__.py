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
from lynkeus.core.study import Baseline, Case, Check, Comparison, Findings, Outcome, Part, Study

__all__ = [
    "KINDS", "About", "Alarm", "AlarmRule", "Array", "Baseline", "Batch", "Calibration", "CalibrationError", "Case",
    "Check", "Classifying", "Comparison", "CrossFitted", "Evidence", "Findings", "Floats", "GoodPatch", "Inspected",
    "Inspecting", "Locating", "LynkeusError", "ModelError", "OpenAlarm", "Outcome", "Part", "Point", "Schema",
    "SchemaError", "Scorer", "Scores", "SettingsError", "Source", "SourceError", "Spot", "StoreError", "Study",
    "Suspecting", "Tail", "Telling", "TimesNs", "Tracking", "Verdict", "advance", "concatenate",
]  # fmt: skip
