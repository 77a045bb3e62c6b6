"""The public names of core are a promise; whoever changes this list changes other people's code."""

import subprocess
import sys

import pytest

import lynkeus.core
from lynkeus.core import errors

NAMES = [
    "About", "about_of", "advance", "Against", "Alarm", "AlarmRule", "Array", "Baseline", "Batch", "Book",
    "Calibration", "CalibrationError", "Case", "Check", "Compares", "Comparison", "concatenate", "Describes",
    "Evidence", "Exports", "Figures", "Finding", "Findings", "Finds", "Floats", "Generates", "GoodPatch", "Group",
    "Heads", "Inquiry", "JudgesPlots", "KINDS", "LastBatch", "LynkeusError", "Measures", "ModelError", "NOTHING",
    "OpenAlarm", "Outcome", "Packed", "Part", "Plot", "PlotRecord", "Point", "Refers", "Refines", "Repeated",
    "RunRecord", "Schema", "SchemaError", "Scorer", "Scores", "SettingsError", "Source", "SourceError", "Spot",
    "Standing", "Stands", "StoreError", "Study", "Tagged", "Tagging", "Tags", "Tail", "TimesNs", "Tracking",
    "Unseen", "Verdict", "Watches",
]  # fmt: skip


def test_the_public_names_of_core() -> None:
    assert sorted(lynkeus.core.__all__) == sorted(NAMES)
    assert all(hasattr(lynkeus.core, name) for name in NAMES)


def test_every_error_that_a_user_can_mend_is_one_family() -> None:
    family = [error for error in vars(errors).values() if isinstance(error, type)]
    assert len(family) == 7
    assert all(issubclass(error, lynkeus.core.LynkeusError) for error in family)


@pytest.mark.parametrize("module", ["lynkeus.core", "lynkeus.core.plugins"])
def test_core_is_numpy_only(module: str) -> None:
    code = f"""
import sys, sysconfig
before = set(sys.modules)
import {module}
new = {{name.partition(".")[0] for name in set(sys.modules) - before}}
print(*sorted(name for name in new if name not in sys.stdlib_module_names and not name.startswith("_")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"lynkeus", "numpy"}
