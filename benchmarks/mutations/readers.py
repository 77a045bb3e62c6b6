"""Every reader: how a damaged input of it is made, and how it is read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from benchmarks.mutations import arrays, hdf, kept, pictures, settings, texts, trees
from benchmarks.mutations.strange import changed, patched

from lynkeus.core import SourceError
from lynkeus.monitor.service.plan import SitePlan
from lynkeus.monitor.site import SiteSettings
from lynkeus.sources import open_source, read_layout
from lynkeus.sources.images.bundle_writer import write_images
from lynkeus.sources.images.folder import ImageSource
from lynkeus.sources.look.look import look
from lynkeus.sources.runs.events import not_read, read_events
from lynkeus.sources.runs.filled import read_histograms
from lynkeus.sources.streams.karabo import _readings
from lynkeus.sources.streams.named import Named
from lynkeus.sources.streams.settings import StreamSettings
from lynkeus.sources.texts.entries import read_entries

Random = np.random.Generator


class Reader(NamedTuple):
    """`prepare` writes what is needed once; `make` writes one damaged input and returns where; `read` reads it."""

    prepare: Callable[[Path], Any]
    make: Callable[[Any, Path, Random], Any]
    read: Callable[[Any], object]


def _samples(path: Path) -> None:
    for _ in open_source(path):
        pass


def _pictures(path: Path) -> None:
    for _ in open_source(path, pictures=True):
        pass


def _events(path: Path) -> None:
    for _ in read_events(path):
        pass
    not_read(path)


def _look(path: Path) -> None:
    look(str(path))


def _file(
    name: str,
    content: Callable[[Random], bytes],
    read: Callable[[Path], object] = _samples,
    prepare: Callable[[Path], Any] = lambda folder: None,
) -> Reader:
    def make(_: Any, folder: Path, random: Random) -> Path:
        (folder / name).write_bytes(content(random))
        return folder / name

    return Reader(prepare, make, read)


def _written(name: str, write: Callable[[Path, Random], None], read: Callable[[Path], object] = _samples) -> Reader:
    def make(_: Any, folder: Path, random: Random) -> Path:
        write(folder / name, random)
        return folder / name

    return Reader(lambda folder: None, make, read)


def _of_seeds(
    prepare: Callable[[Path], list[tuple[str, bytes]]], change: Callable[[bytes, Random], bytes], read: Any
) -> Reader:
    def make(held: list[tuple[str, bytes]], folder: Path, random: Random) -> Path:
        ending, data = held[int(random.integers(len(held)))]
        path = folder / f"a.{ending}"
        path.write_bytes(change(data, random))
        return path

    return Reader(prepare, make, read)


def _roots(folder: Path) -> list[tuple[str, bytes]]:
    (folder / "seeds").mkdir(exist_ok=True)
    return [("root", path.read_bytes()) for path in trees.seeds(folder / "seeds", np.random.default_rng(0))]


def _bundle(folder: Path) -> Path:
    pictures.write_folder(folder / "pictures", np.random.default_rng(0))
    shutil.rmtree(folder / "bundle", ignore_errors=True)
    write_images(ImageSource(folder / "pictures", use="all"), folder / "bundle", processes=1)
    return folder / "bundle"


def _damaged_folder(whole: Path, folder: Path, random: Random) -> Path:
    target = folder / "damaged"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(whole, target)
    files = list(kept.files_of(target))
    own = files[int(random.integers(len(files)))]
    if own.suffix == ".json" and random.random() < 0.7:
        own.write_text(json.dumps(changed(json.loads(own.read_text("utf-8")), random)), "utf-8")
    elif own.suffix == ".npy" and random.random() < 0.4:
        own.write_bytes(arrays.npy(random))
    elif own.suffix == ".parquet" and random.random() < 0.4:
        arrays.parquet(own, random)
    else:
        own.write_bytes(patched(own.read_bytes(), random))
    return target


def _table_bundle(folder: Path) -> Path:
    from lynkeus.sources import write_bundle

    shutil.rmtree(folder / "bundle", ignore_errors=True)
    write_bundle(kept.rows(50), folder / "bundle")
    return folder / "bundle"


def _with_meta(folder: Path, random: Random) -> Path:
    (folder / "meta.csv").write_bytes(
        texts.csv(random) if random.random() < 0.3 else patched(b"file,truth,x\n0.png,0,1\n1.png,1,2\n", random)
    )
    return folder


def _pictures_and_meta(path: Path) -> None:
    for _ in open_source(path / "pictures", meta=path / "meta.csv"):
        pass


def _models(folder: Path) -> list[Path]:
    return kept.write_models(folder / "models")


def _damaged_model(held: list[Path], folder: Path, random: Random) -> Path:
    kept.damage_model(held[int(random.integers(len(held)))], folder / "damaged", random)
    return folder / "damaged"


def _store(folder: Path) -> bytes:
    (folder / "watch.db").unlink(missing_ok=True)
    kept.write_store(folder / "watch.db")
    return (folder / "watch.db").read_bytes()


def _damaged_store(data: bytes, folder: Path, random: Random) -> Path:
    kept.damage_store(data, folder / "watch.db", random)
    return folder / "watch.db"


def _layout(_: Any, folder: Path, random: Random) -> Path:
    content = settings.LAYOUTS[int(random.integers(len(settings.LAYOUTS)))]
    (folder / "a.toml").write_bytes(settings.toml(content, random))
    return folder / "a.toml"


def _read_by_layout(path: Path) -> None:
    layout = read_layout(path)
    for _ in open_source(path.with_name("data.h5"), layout):
        pass


def _settings(content: dict[str, Any]) -> Callable[[Random], bytes]:
    return lambda random: settings.toml(content, random)


def _site(path: Path) -> None:
    try:
        SitePlan.read(path)
    finally:
        SiteSettings.read(path)


def _records(_: Any, folder: Path, random: Random) -> Path:
    ending, content = texts.records(random)
    (folder / f"a{ending}").write_bytes(content)
    return folder / f"a{ending}"


def _take(content: bytes) -> None:
    named, got = Named(), list[Any]()
    named.tell = lambda line: line.encode()  # type: ignore[assignment,return-value]
    named.take("subject", content)
    named.give_to(tuple(named.names), got.append)
    for one in got:
        np.array([one.stamp_ns, one.tag, one.severity], np.int64)
    for name in named.names:
        name.encode()


def _trains(parts: list[bytes]) -> None:
    try:
        readings = list(_readings(parts))
    except Exception as error:  # as the client of the bridge does: "sends what is no train"
        raise SourceError(f"no train ({type(error).__name__})") from error
    for one in readings:
        np.array([one.stamp_ns, one.pulse], np.int64)
        one.address.encode()


def _packed(random: Random) -> bytes:
    return texts.packed(texts.csv(random), random)


def _tiffs(folder: Path) -> list[tuple[str, bytes]]:
    return [one for one in pictures.seeds(np.random.default_rng(0)) if one[0] == "tif"]


def _others(folder: Path) -> list[tuple[str, bytes]]:
    return [one for one in pictures.seeds(np.random.default_rng(0)) if one[0] != "tif"]


READERS: dict[str, Reader] = {
    "npy": _file("a.npy", arrays.npy),
    "npz": _file("a.npz", arrays.npz),
    "npy pictures": _file("a.npy", arrays.npy, _pictures),
    "hdf5": _written("a.h5", hdf.hdf5),
    "hdf5 look": _written("a.h5", hdf.hdf5, _look),
    "hdf5 events": _written("a.h5", hdf.hdf5, _events),
    "hdf5 histograms": _written("a.h5", hdf.plots, read_histograms),
    "parquet": _written("a.parquet", arrays.parquet),
    "parquet look": _written("a.parquet", arrays.parquet, _look),
    "parquet events": _written("a.parquet", arrays.parquet, _events),
    "csv": _file("a.csv", texts.csv),
    "csv look": _file("a.csv", texts.csv, _look),
    "csv events": _file("a.csv", texts.csv, _events),
    "csv gz": _file("a.csv.gz", _packed),
    "root events": _of_seeds(_roots, patched, _events),
    "root histograms": _of_seeds(_roots, patched, read_histograms),
    "root look": _of_seeds(_roots, patched, _look),
    "png": _file("a.png", pictures.png),
    "tiff": _of_seeds(_tiffs, pictures.tiff, _samples),
    "other pictures": _of_seeds(_others, patched, _samples),
    "pictures and meta": Reader(_bundle, lambda held, folder, random: _with_meta(folder, random), _pictures_and_meta),
    "image bundle": Reader(_bundle, _damaged_folder, _samples),
    "table bundle": Reader(_table_bundle, _damaged_folder, _samples),
    "json histograms": _file("a.json", texts.histograms, read_histograms),
    "models": Reader(_models, _damaged_model, kept.read_model),
    "store": Reader(_store, _damaged_store, kept.read_store),
    "layout": Reader(lambda folder: settings.write_layout_data(folder / "data.h5"), _layout, _read_by_layout),
    "site": _file("site.toml", _settings(settings.SITE), _site, settings.write_site_model),
    "list of channels": _file(
        "list.toml", _settings(settings.LIST), lambda path: StreamSettings.of_url(f"nats://{path}")
    ),
    "tasks": _file("a.json", texts.tasks),
    "texts": Reader(lambda folder: None, _records, read_entries),
    "messages": Reader(lambda folder: None, lambda held, folder, random: texts.message(random), _take),
    "trains": Reader(lambda folder: None, lambda held, folder, random: texts.train(random), _trains),
}
