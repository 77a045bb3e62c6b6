"""Files that say themselves what they hold: the schema travels in the file as JSON, so that no layout is needed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from lynkeus.core.batch import Batch, Schema
from lynkeus.core.errors import SchemaError, SourceError
from lynkeus.sources.formats.layout import Layout

SCHEMA = "lynkeus_schema"  # name of the dataset, array or metadata entry that holds the JSON
META = "meta/"  # what stands before the names of Batch.meta
OWN = ("time_ns", "truth", "weight", "mask")  # columns that a Batch has beside its values


def schema_as_text(schema: Schema) -> str:
    """Give the schema as JSON."""
    return json.dumps(schema.to_dict())


def schema_from_text(text: str | bytes, path: Path) -> Schema:
    """Give the schema that a file holds as JSON. Raises SourceError where it is damaged."""
    try:
        return Schema.from_dict(json.loads(text))
    except (ValueError, TypeError, AttributeError, SchemaError) as error:
        raise SourceError(f"{path}: its {SCHEMA} is damaged ({error}); write the file again") from error


def describes(layout: Layout, names: Collection[str]) -> bool:
    """Return whether a layout names channels, all of which the file has: then it is followed, else the file's own."""
    return bool(layout.blocks) and all(block.dataset in names for block in layout.blocks)


def label_column(layout: Layout, names: Collection[str], usual: str = "truth") -> str:
    """Return the column of labels: that of the layout, else the usual one, '' where the file has neither."""
    found = [name for name in (layout.truth, META + layout.truth, usual) if name in names]
    return found[0] if found else ""


def columns_of(batch: Batch) -> dict[str, object]:
    """Return what a Batch holds beside its values, by the name that it has in a file."""
    own = {name: column for name in OWN if (column := getattr(batch, name)) is not None}
    return own | {META + name: column for name, column in batch.meta.items()}
