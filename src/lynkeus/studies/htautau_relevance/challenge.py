"""The real stand-in: the table of the FAIR-Universe challenge (1,000 events), too small to train on in earnest."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lynkeus.commission.explained.explain import explain_model
from lynkeus.commission.explained.figures import label, largest
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.sources import open_source
from lynkeus.sources.formats.layout import Layout

FILE = "hep/FAIR_Universe_HiggsML_data.parquet"
ABSENT = -25.0  # what stands in the table for a jet that is not there
LEFT_OUT = (
    "labels",
    "weights",
    "PRI_lep_phi",
    "PRI_had_phi",
    "PRI_met_phi",
    "PRI_jet_leading_phi",
    "PRI_jet_subleading_phi",
)
FEW = 100  # events that a class needs
SHOWN = 10


def challenge() -> list[tuple[str, ...]] | None:
    """Return lines of a table: the largest coefficients of Higgs bosons against Z bosons; None without the file."""
    path = Path(os.environ.get("LYNKEUS_DATA", "")) / FILE
    if not path.is_file():
        return None
    table = pq.read_table(path).drop_columns(list(LEFT_OUT))
    columns = {}
    for name in table.column_names:
        values = table[name].to_numpy(zero_copy_only=False)
        columns[name] = np.where(values == ABSENT, 0.0, values) if values.dtype.kind == "f" else values
    names, counts = np.unique(columns["detailed_labels"].astype(str), return_counts=True)
    kept = np.isin(columns["detailed_labels"].astype(str), names[counts >= FEW])
    layout = Layout(truth="detailed_labels")
    options = {"width": 16, "depth": 1, "training": {"epochs": 40, "batch_size": 64, "decay": 1e-3}}
    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "events.parquet"
        pq.write_table(pa.table({name: values[kept] for name, values in columns.items()}), own)
        source = open_source(own, layout)
        settings = FitSettings("search_classifier", options, labels="detailed_labels", layout=layout.to_dict())
        models = [fit(source, FitSettings("search_classifier", {**options, "seed": seed}, labels="detailed_labels",
                                          layout=settings.layout)) for seed in (1, 2, 3)]  # fmt: skip
        found = explain_model(models[0], source, 2, also=models[1:])
    lines: list[tuple[str, ...]] = [("input, or pair", "relevance", "by seeds", "shuffled", "carries the same as")]
    for row in largest(found, "htautau")[:SHOWN]:
        own_models = ", ".join(f"{one:.2g}" for one in row["relevance_models"])
        shuffled = "" if np.isnan(row["permutation"]) else f"{row['permutation']:.2g}"
        lines.append((label(row), f"{row['relevance']:.2g}", own_models, shuffled, row["correlated_with"]))
    return lines
