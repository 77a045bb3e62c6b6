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
from lynkeus.core.protocols import Evidence, Locating, Scorer, Scores, Source, Suspecting, Telling, Tracking
from lynkeus.core.study import Check, Study

__all__ = [
    "KINDS", "Alarm", "AlarmRule", "Array", "Batch", "Calibration", "CalibrationError", "Check", "Evidence", "Floats",
    "Locating", "LynkeusError", "ModelError", "OpenAlarm", "Point", "Schema", "SchemaError", "Scorer", "Scores",
    "SettingsError", "Source", "SourceError", "StoreError", "Study", "Suspecting", "Tail", "Telling", "TimesNs",
    "Tracking", "Verdict", "advance", "concatenate",
]  # fmt: skip
