"""Latent space: images as points of a plane, and in numbers how far they lie by vendor, scan, treatment or class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from lynkeus.commission.figures import COLOURS, MARKERS, SERIES, finished, save
from lynkeus.core import Array, Floats, SettingsError
from lynkeus.files.whole import write_parquet

FILE = "file"  # the column of what each sample is called
FEATURES = "features"  # the space itself, before it is laid flat
METHODS = ("pca", "tsne", "umap")
MOST_IMAGES = 3000  # t-SNE and UMAP of so many take about a minute
COMPONENTS = 50  # that t-SNE and UMAP start from
NEIGHBOURS = 15
PERMUTATIONS = 199
MOST_VALUES = 12  # of a column: with more it is no class
COLOURED_BY = ("vendor", "treatment", "scan", "label", "topic", "system", "severity", "language")


@dataclass(frozen=True)
class Purity:
    """How far images of one value of a `column` lie together in the space of a `method`.

    `purity`: share of the 15 nearest neighbours of an image that have its value, mean over images; `chance` where
    values are dealt at random, `p_value` of at least as much. `silhouette`: -1 to 1, 0 without clusters.
    """

    column: str
    method: str
    values: int
    images: int
    purity: float
    chance: float
    p_value: float
    silhouette: float

    def line(self) -> str:
        """Return the purity in one line."""
        near = f"{self.purity:.0%} of neighbours alike (by chance {self.chance:.0%}, p = {self.p_value:.2g})"
        return f"{self.method} by {self.column}: {near}, silhouette {self.silhouette:.2f}"


def write_latent(
    features: Floats, meta: Mapping[str, Array], folder: Path, methods: Sequence[str] = METHODS, seed: int = 0
) -> tuple[Purity, ...]:
    """Write latent.parquet (file, x, y, method, and the columns of `meta`), latent_purity.parquet and latent.png.

    `features` (n, d) of images, `meta` (n,) columns with `file`; where there are more than MOST_IMAGES, as many of them
    are drawn at random. Raises SettingsError for fewer than 20 images, features that are not finite, a method that is
    not known or not installed.
    """
    _check(features, meta, methods)
    chosen = np.arange(len(features))
    if len(features) > MOST_IMAGES:
        chosen = np.sort(np.random.default_rng(seed).choice(len(features), MOST_IMAGES, replace=False))
    features, meta = features[chosen], {name: column[chosen] for name, column in meta.items()}
    maps = latent_maps(features, methods, seed)
    classes = {name: np.asarray(column, str) for name, column in meta.items() if _is_class(column)}
    found = purities(features, maps, classes, seed)
    rest = {name: column for name, column in meta.items() if name not in ("x", "y", "method")}
    tables = [
        pa.table({"x": at[:, 0], "y": at[:, 1], "method": [method] * len(at), **rest}) for method, at in maps.items()
    ]
    columns = ["file", "x", "y", "method", *(name for name in rest if name != "file")]
    write_parquet(pa.concat_tables(tables).select(columns), folder / "latent.parquet")
    write_parquet(pa.Table.from_pylist([asdict(one) for one in found]), folder / "latent_purity.parquet")
    save(draw_latent(maps, classes, found), folder / "latent.png")
    return tuple(found)


def latent_maps(features: Floats, methods: Sequence[str] = METHODS, seed: int = 0) -> dict[str, Floats]:
    """Return (n, 2) of each method; t-SNE and UMAP start from the 50 strongest principal components."""
    most = min(COMPONENTS, *features.shape)
    components = PCA(most, random_state=seed).fit_transform(np.asarray(features, float))
    maps = {}
    for method in methods:
        if method == "pca":
            maps[method] = components[:, :2]
        elif method == "tsne":
            perplexity = min(30.0, (len(features) - 1) / 3)
            maps[method] = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)
        else:
            maps[method] = _umap(components, seed)
    return {method: np.asarray(points, np.float64) for method, points in maps.items()}


def purities(
    features: Floats, maps: Mapping[str, Floats], classes: Mapping[str, Array], seed: int = 0
) -> tuple[Purity, ...]:
    """Return the purity by each column of `classes`, of names, in the space of the features itself and in its maps."""
    spaces = {FEATURES: features, **maps}
    return tuple(purity(space, classes[c], c, method, seed) for c in classes for method, space in spaces.items())


def purity_table(found: Sequence[Purity]) -> tuple[dict[str, float], list[list[str]]]:
    """Return metrics (`latent.COLUMN.METHOD`) and lines of a table of a study, the head first."""
    head = ["space", "by", "of 15 neighbours of the same kind", "by chance", "p", "silhouette"]
    lines = [
        [
            one.method,
            one.column,
            f"{one.purity:.1%}",
            f"{one.chance:.1%}",
            f"{one.p_value:.2g}",
            f"{one.silhouette:.2f}",
        ]
        for one in found
    ]
    return {f"latent.{one.column}.{one.method}": one.purity for one in found}, [head, *lines]


def purity(points: Floats, labels: Array, column: str, method: str, seed: int = 0) -> Purity:
    """Measure the purity of images with a label ("" is none) in a space (n, d)."""
    there = labels != ""
    points, (names, value) = points[there], np.unique(labels[there], return_inverse=True)
    wanted = min(NEIGHBOURS, len(points) - 1)
    near = NearestNeighbors(n_neighbors=wanted).fit(points).kneighbors(return_distance=False)
    rng = np.random.default_rng(seed)

    def share(dealt: Array) -> float:
        return float((dealt[near] == dealt[:, None]).mean())

    measured = share(value)
    by_chance = np.array([share(rng.permutation(value)) for _ in range(PERMUTATIONS)])
    p_value = float((1 + (by_chance >= measured).sum()) / (1 + PERMUTATIONS))
    silhouette = float(silhouette_score(points, value)) if 1 < len(names) < len(points) else float("nan")
    return Purity(
        column, method, len(names), len(points), measured, float(by_chance.mean()), p_value, silhouette
    )  # fmt: skip


def draw_latent(maps: Mapping[str, Floats], classes: Mapping[str, Array], found: Sequence[Purity]) -> Figure:
    """A row per method, a column per vendor, treatment, scan and label (else what there is), with the purity."""
    shown = [name for name in COLOURED_BY if name in classes] or list(classes)[:4] or [""]
    numbers = {(one.method, one.column): one for one in found}
    figure = Figure(figsize=(3.2 * len(shown), 3.1 * len(maps) + 0.8), layout="constrained")
    grid = figure.subplots(len(maps), len(shown), squeeze=False)
    for row, (method, at) in enumerate(maps.items()):
        for column, name in enumerate(shown):
            axes = grid[row, column]
            _draw_points(axes, at, classes.get(name, np.full(len(at), "image")))
            one = numbers.get((method, name))
            axes.set_title(f"{name}: {one.purity:.2f} (chance {one.chance:.2f})" if one else name)
            axes.set_xticks([])
            axes.set_yticks([])
        grid[row, 0].set_ylabel(method)
    for axes in grid[-1]:
        style: dict[str, Any] = {"fontsize": 7, "markerscale": 2, "labelcolor": COLOURS["text"], "frameon": False}
        axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=3, columnspacing=0.8, handletextpad=0.1, **style
        )
    return finished(figure)


def _draw_points(axes: Axes, at: Floats, labels: Array) -> None:
    """The rarer a value, the further in front."""
    values, counts = np.unique(labels, return_counts=True)
    for number, (value, count) in enumerate(zip(values, counts, strict=True)):
        own = at[labels == value]
        style: dict[str, Any] = {"color": SERIES[number % len(SERIES)], "marker": MARKERS[number % len(MARKERS)]}
        front = 2 + 1 / float(count)
        axes.scatter(own[:, 0], own[:, 1], s=7, linewidths=0, alpha=0.7, label=value or "none", zorder=front, **style)


def _is_class(column: Array) -> bool:
    values = np.unique(np.asarray(column, str))
    return column.dtype.kind != "f" and 1 < len(values[values != ""]) <= MOST_VALUES


def _umap(components: Floats, seed: int) -> Floats:
    try:
        from umap import UMAP
    except ImportError as error:
        raise SettingsError(
            "the method umap needs the package umap-learn: pip install 'lynkeus[vision]', or leave umap out"
        ) from error
    neighbours = min(NEIGHBOURS, len(components) - 1)
    return np.asarray(UMAP(n_neighbors=neighbours, random_state=seed, n_jobs=1).fit_transform(components))


def _check(features: Floats, meta: Mapping[str, Array], methods: Sequence[str]) -> None:
    if features.ndim != 2 or len(features) < 20:
        raise SettingsError(f"a latent map needs features (n, d) of 20 images or texts or more, got {features.shape}")
    if not np.isfinite(features).all():
        raise SettingsError(f"the features of image {np.argmin(np.isfinite(features).all(axis=1))} are not finite")
    if "file" not in meta or any(len(column) != len(features) for column in meta.values()):
        raise SettingsError("a latent map needs a column 'file', and one entry of each column per image")
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise SettingsError(
            f"no method {unknown[0] if unknown else ''!r} of latent maps; there are {', '.join(METHODS)}"
        )
