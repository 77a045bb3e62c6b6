"""The table [clouds] of a layout: of what in an event a sample is made, and which entries of lists belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from lynkeus.core.errors import SettingsError
from lynkeus.sources.clouds.fields import require_known, table_in, text_in
from lynkeus.transforms.expressions import Expression, parse

Choice = tuple[Expression, ...]  # of these the first whose columns all files have


@dataclass(frozen=True)
class LinkedGroup:
    """A group of particles of each sample.

    Which they are: entries of the collection `links` whose branch `sample` is the number of the sample in its event;
    or entries of the collection `near` within `radius` in eta and phi; or those entries of a collection that branches
    of the sample number (`index`: collection to branches); without any of these a single row for the sample itself.
    `of`: collections that an entry of `links` points into, each by a branch. `select` keeps entries, `order` sorts them
    (smallest first, the next where that is alike), `length` keeps the first ones. `optional`: left out where files do
    not have it.
    """

    name: str
    features: Mapping[str, Choice]
    links: str = ""
    sample: str = ""
    of: Mapping[str, str] = field(default_factory=dict)
    near: str = ""
    radius: float = 0.4
    index: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    select: Choice = ()
    order: tuple[Choice, ...] = ()
    length: int | None = None
    optional: bool = False

    @property
    def collections(self) -> tuple[str, ...]:
        """Return the collections that an entry is, or points into."""
        return tuple(name for name in (self.links, self.near, *self.of, *self.index) if name)

    def branches(self, of_sample: str) -> tuple[str, ...]:
        """Return the branches that say which entries belong to a sample of this collection."""
        found = [self.sample, *self.of.values(), *(name for names in self.index.values() for name in names)]
        near = [f"{own}_{name}" for own in (self.near, of_sample) for name in ("eta", "phi")] if self.near else []
        return tuple(name for name in (*found, *near) if name)


@dataclass(frozen=True)
class Linked:
    """A layout of clouds. `sample`: the collection of which each entry is a sample, "" for files with a row for each;
    `select` keeps samples; `classes` by name, the first whose condition holds; `observers`: what is known of a sample;
    `variables`: new lists of an event, called COLLECTION_NAME; `groups` of particles. `tree`: of ROOT files; `files`
    (pattern to class) and `label` (a regular expression) say the class of a file by its name."""

    sample: str = ""
    tree: str = ""
    select: Choice = ()
    classes: Mapping[str, Choice] = field(default_factory=dict)
    observers: Mapping[str, Choice] = field(default_factory=dict)
    variables: Mapping[str, Expression] = field(default_factory=dict)
    groups: tuple[LinkedGroup, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    label: str = ""


def linked(given: Mapping[str, Any], name: str) -> Linked:
    """Return the table [clouds] of a layout. Raises SettingsError naming the field."""
    where = f"{name}: clouds"
    require_known(given, [own.name for own in fields(Linked)], where)
    groups = given.get("groups", [])
    if not isinstance(groups, list | tuple):
        raise SettingsError(f"{where}.groups: must be tables, written [[clouds.groups]]")
    found = Linked(
        text_in(given, "sample", where), text_in(given, "tree", where), _choice(given.get("select"), f"{where}.select"),
        {str(k): _choice(own, f"{where}.classes.{k}") for k, own in table_in(given, "classes", where).items()},
        {str(k): _choice(own, f"{where}.observers.{k}") for k, own in table_in(given, "observers", where).items()},
        {str(k): parse(own, f"{where}.variables.{k}") for k, own in table_in(given, "variables", where).items()},
        tuple(_group(own, f"{where}.groups") for own in groups),
        {str(k): str(own) for k, own in table_in(given, "files", where).items()}, text_in(given, "label", where),
    )  # fmt: skip
    if bool(found.sample) != bool(found.groups):
        raise SettingsError(f"{where}: a sample needs groups of particles, and groups need a sample, such as Jet")
    if (found.classes and (found.files or found.label)) or (found.files and found.label):
        raise SettingsError(f"{where}: classes come from conditions, from files or from label; give one of them")
    names = [group.name for group in found.groups]
    if len(set(names)) != len(names):
        raise SettingsError(f"{where}.groups: two have the same name; rename one")
    return found


def _group(given: Any, where: str) -> LinkedGroup:
    if not isinstance(given, Mapping) or not isinstance(given.get("name"), str) or not given["name"]:
        raise SettingsError(f"{where}: each must be a table with a name")
    where = f"{where}.{given['name']}"
    require_known(given, [own.name for own in fields(LinkedGroup)], where)
    features = {str(k): _choice(own, f"{where}.features.{k}") for k, own in table_in(given, "features", where).items()}
    if not features:
        raise SettingsError(f"{where}.features: is missing; give NAME = EXPRESSION")
    length, radius = given.get("length"), given.get("radius", 0.4)
    if not (length is None or (isinstance(length, int) and not isinstance(length, bool) and length > 0)):
        raise SettingsError(f"{where}.length: must be a whole number above 0, got {length!r}")
    if isinstance(radius, bool) or not isinstance(radius, int | float) or radius <= 0:
        raise SettingsError(f"{where}.radius: must be above 0, got {radius!r}")
    order = given.get("order", [])
    index = {str(k): _texts(own, f"{where}.index.{k}") for k, own in table_in(given, "index", where).items()}
    of = {str(k): str(own) for k, own in table_in(given, "of", where).items()}
    found = LinkedGroup(
        given["name"], features, text_in(given, "links", where), text_in(given, "sample", where), of,
        text_in(given, "near", where), float(radius), index, _choice(given.get("select"), f"{where}.select"),
        tuple(_choice(own, f"{where}.order") for own in (order if isinstance(order, list | tuple) else [order])),
        length, bool(given.get("optional", False)),
    )  # fmt: skip
    ways = [way for way in (found.links, found.near, found.index) if way]
    if len(ways) > 1 or bool(found.links) != bool(found.sample) or (found.of and not found.links):
        raise SettingsError(f"{where}: give links with sample (and of), or near, or index, or none of them")
    return found


def _choice(given: Any, where: str) -> Choice:
    if given is None or given == "":
        return ()
    found = given if isinstance(given, list | tuple) else [given]
    return tuple(parse(own if isinstance(own, str) else str(own), where) for own in found)


def _texts(given: Any, where: str) -> tuple[str, ...]:
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list | tuple) or not all(isinstance(own, str) for own in found):
        raise SettingsError(f"{where}: must be the name of a branch, or a list of such, got {given!r}")
    return tuple(found)
