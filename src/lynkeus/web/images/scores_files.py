"""The files that `lynkeus score` writes of images: what they say of themselves, and their rows as a table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from lynkeus.core.errors import SourceError
from lynkeus.sources.images.pixel_rule import BEFORE, PixelRule

SPOTS = 3
SPOT_FIELDS = ("x", "y", "sigma", "area", "good")
TEXTS = {"file", "map"} | {f"spot{k}_good" for k in range(1, SPOTS + 1)}
SCORES = TEXTS | {"anomaly", "p_value"} | {f"spot{k}_{field}" for k in range(1, SPOTS + 1) for field in SPOT_FIELDS}


@dataclass(frozen=True)
class ScoresFile:
    """What a scores file says of itself: where images, maps, and the good images learned from lie, which columns are
    position and time ("": none); `title` of its images where metadata gives none ("": the name of the file); the `rule`
    by which their pixels became 8 bits; `array`, `normals_array`: of pictures in an HDF5 or NumPy file, which one holds
    them ("": each is a file, or a page of one); `rarest`: the smallest p-value that its good images support (0: not
    known)."""

    path: Path
    images: Path
    maps: Path | None
    normals: Path | None
    position: str = ""
    time: str = ""
    title: str = ""
    rule: PixelRule = BEFORE
    array: str = ""
    normals_array: str = ""
    rarest: float = 0.0


def files_of(given: Path) -> list[Path]:
    """A file itself; of a folder every Parquet file in it that holds scores."""
    if not given.is_dir():
        return [given]
    return [
        path for path in sorted(given.glob("*.parquet")) if b"lynkeus" in (parquet.read_schema(path).metadata or {})
    ]


def read_scores(path: Path) -> tuple[ScoresFile, pa.Table]:
    """Return what a file says of itself, and its rows. Raises SourceError where it cannot be shown."""
    try:
        table = _plain(parquet.read_table(path, partitioning=None))
    except (OSError, pa.ArrowException) as error:
        raise SourceError(f"{path} cannot be read as a Parquet table of scores: {error}") from error
    missing = [name for name in ("file", "anomaly", "p_value") if name not in table.column_names]
    kept = (table.schema.metadata or {}).get(b"lynkeus")
    if missing or kept is None:
        lacks = f"column {missing[0]!r}" if missing else "where its images are (metadata 'lynkeus')"
        raise SourceError(f"{path} lacks {lacks}: give the file that lynkeus score wrote for a folder of images")
    try:
        said = json.loads(kept)
        maps, normals = (Path(said[name]) if said.get(name) else None for name in ("maps", "normals"))
        position, time = (said.get(name) or "" for name in ("position", "time"))
        rule = PixelRule.from_dict(said.get("pixels"))
        array, good = (str(said.get(name) or "") for name in ("array", "normals_array"))
        source = ScoresFile(path, Path(said["images"]), maps, normals, position, time, "", rule, array, good)
        source = replace(source, rarest=float(said.get("rarest") or 0.0))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError(f"{path}: its metadata 'lynkeus' cannot be read ({error}); score the images again") from error
    if not table.num_rows:
        raise SourceError(f"{path} holds no image: score a folder of images first")
    return source, table.replace_schema_metadata()


def _plain(table: pa.Table) -> pa.Table:
    """Numbers and texts as such, never as dictionaries, so that they can be compared and joined."""
    fields = []
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if field.name in TEXTS:
            kind = pa.string()
        elif field.name in SCORES or field.name == "angle_deg":
            kind = pa.float64()
        fields.append((field.name, kind))
    return table.cast(pa.schema(fields, table.schema.metadata))
