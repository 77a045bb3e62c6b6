"""Plan: what a site file says of its monitors, checked before any of them is started."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from lynkeus.core import SettingsError
from lynkeus.files.damaged import in_short
from lynkeus.files.model_folder import MODEL, SUMS
from lynkeus.files.settings_text import read_toml
from lynkeus.monitor.site import SiteSettings, found_beside, unknown_key

ALIASES = {"data": "source", "sinks": "publish", "sink": "publish"}
FILES = ("doocs+file",)  # schemes of what is a file
SERVICE = ("give_up_after", "backoff_s", "longest_backoff_s", "hang_s", "reload_s")


@dataclass(frozen=True)
class ServiceSettings:
    """How monitors are supervised: after how many failures in a row one is given up (`give_up_after`), the wait before
    a restart (`backoff_s`, doubled to `longest_backoff_s`), after how long without a sign of life a process is killed
    (`hang_s`), and how often file and models are looked at (`reload_s`, 0: on SIGHUP only)."""

    give_up_after: int = 8
    backoff_s: float = 1.0
    longest_backoff_s: float = 60.0
    hang_s: float = 120.0
    reload_s: float = 2.0

    def __post_init__(self) -> None:
        for name in SERVICE:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
                raise SettingsError(f"service.{name}: must be a number of at least 0, got {value!r}")
        if self.give_up_after < 1 or self.hang_s < 5:
            raise SettingsError("service: give_up_after must be at least 1, hang_s at least 5")


@dataclass(frozen=True)
class MonitorPlan:
    """One monitor: its `source` and `model`, what is said of it in the store (`facts`), where it publishes, how much
    memory it may use (bytes, 0: any), and when it is started again once its source has ended (`again_s`, 0: never).

    `shadow_windows`: how many windows a new model is compared with the old one before it takes over; 0: at once.
    """

    source: str
    model: Path
    facts: SiteSettings
    publish: tuple[str, ...] = ()
    memory: int = 0
    again_s: float = 0.0
    shadow_windows: int = 100
    false_alarms: float = 0.01
    meta: str | None = None
    maps: Path | None = None

    @property
    def name(self) -> str:
        """Return the name of the monitor in its store."""
        return self.facts.name

    def text(self) -> str:
        """Return it as JSON for its process."""
        kept = asdict(self) | {"model": str(self.model), "maps": str(self.maps) if self.maps else None}
        return json.dumps(kept, sort_keys=True)

    @classmethod
    def of_text(cls, text: str) -> MonitorPlan:
        """Inverse of `text`."""
        given = json.loads(text)
        given |= {"facts": SiteSettings(**given["facts"]), "model": Path(given["model"])}
        given |= {"publish": tuple(given["publish"]), "maps": Path(given["maps"]) if given["maps"] else None}
        return cls(**given)


@dataclass(frozen=True)
class SitePlan:
    """All monitors of a site file."""

    file: Path
    monitors: tuple[MonitorPlan, ...]
    service: ServiceSettings = field(default_factory=ServiceSettings)

    @property
    def stores(self) -> tuple[str, ...]:
        """Return the addresses of all stores, each once."""
        return tuple(dict.fromkeys(one.facts.store for one in self.monitors))

    @classmethod
    def read(cls, path: Path, store: str | None = None) -> SitePlan:
        """Read a site file; `store` takes the place of the one in it. Raises SettingsError that names the file and the
        key, and the nearest one that there is."""
        content = read_toml(path, "the site file")
        try:
            return _plan(path, content, store)
        except (ValueError, RecursionError, OSError, SettingsError) as error:
            said = error if isinstance(error, SettingsError) else in_short(error)
            raise SettingsError(f"{path}: {said}") from error


def _plan(path: Path, content: dict[str, Any], store: str | None) -> SitePlan:
    content = dict(content)
    listed = content.pop("monitors", content.pop("monitor", None))
    if isinstance(listed, Mapping):  # [monitors.NAME]
        listed = [{"name": name, **_table(one, f"monitors.{name}")} for name, one in listed.items()]
    if not isinstance(listed, list) or not listed:
        raise SettingsError("no monitor is there; write a table [[monitors]] with name, source and model for each")
    about = _table(content.pop("service", {}), "service")
    unknown_key(about, SERVICE, "service.")
    common = {item.name for item in fields(SiteSettings)}
    unknown_key(content, (*common, "monitors", "service"))
    base = SiteSettings(**found_beside(path.parent, content))
    base = replace(base, store=store) if store else base
    monitors = [_monitor(one, k, base, path.parent, store) for k, one in enumerate(listed, 1)]
    seen: set[str] = set()
    for one in monitors:
        if one.name in seen:
            raise SettingsError(f"monitors: two are called {one.name!r}; each needs a name of its own")
        seen.add(one.name)
    return SitePlan(path, tuple(monitors), ServiceSettings(**about))


def _table(given: Any, where: str) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise SettingsError(f"{where}: must be a table, got {given!r}")
    return dict(given)


def _monitor(given: Any, number: int, base: SiteSettings, folder: Path, store: str | None) -> MonitorPlan:
    one = _table(given, f"monitors, number {number}")
    where = f"monitor {one['name']}: " if isinstance(one.get("name"), str) else f"monitor number {number}: "
    own = {item.name for item in fields(MonitorPlan)} - {"facts"} | {"window"}
    of_site = {item.name for item in fields(SiteSettings)} - {"host", "port", "token_file", "reports"}
    try:
        unknown_key(one, (*own, *of_site, *ALIASES))
        one = {ALIASES.get(key, key): value for key, value in one.items()}
        for key in ("name", "source", "model"):
            if not isinstance(one.get(key), str) or not one[key].strip():
                raise SettingsError(f"{key} is missing; each monitor has a name, a source and a model")
        facts = replace(base, **found_beside(folder, {key: value for key, value in one.items() if key in of_site}))
        # Several monitors may have models of one kind: pages call each by its name where it has no title.
        facts = replace(facts, store=store or facts.store, title=facts.title or facts.name)
        rest = {key: value for key, value in one.items() if key in own}
        rest["model"] = _model(folder, rest["model"], rest.pop("window", None))
        rest["source"] = _beside(folder, rest["source"])
        rest["publish"] = _texts(rest.get("publish", []), "publish")
        rest["memory"] = _bytes(rest.get("memory", 0))
        for key in ("meta", "maps"):
            if key in rest:
                (rest[key],) = _texts(rest[key], key) if isinstance(rest[key], str) else _texts(None, key)
        if "meta" in rest:
            rest["meta"] = str(folder / Path(rest["meta"]).expanduser())
        if "maps" in rest:
            rest["maps"] = folder / Path(rest["maps"]).expanduser()
        for key, least in (("again_s", 0.0), ("shadow_windows", 0), ("false_alarms", 0.0)):
            value = rest.get(key, least)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
                raise SettingsError(f"{key}: must be a number of at least {least:g}, got {value!r}")
        return MonitorPlan(facts=facts, **rest)
    except SettingsError as error:
        raise SettingsError(f"{where}{error}") from error


def _model(folder: Path, name: str, window: Any) -> Path:
    """Return the folder of a model. Raises SettingsError where there is none, or where its window is another one."""
    path = folder / Path(name).expanduser()
    if path.suffix.lower() == ".onnx" and path.is_file():
        return path
    if not (path / MODEL).is_file() or not (path / SUMS).is_file():
        raise SettingsError(f"model: {path} is not a model folder; make one with lynkeus fit ... -o {name}")
    if window is not None:
        try:
            fitted = json.loads((path / MODEL).read_text(encoding="utf-8"))["view"].get("window", 0)
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise SettingsError(f"model: {path} cannot be read ({in_short(error)}); fit it again") from error
        if isinstance(window, bool) or window != fitted:
            raise SettingsError(
                f"window: the model was fitted with windows of {fitted} rows, not {window!r}; leave window out, or "
                f"fit with --window {window}"
            )
    return path


def _beside(folder: Path, source: str) -> str:
    """Return a source whose file is looked for beside the site file, where it is not an address or an absolute name."""
    scheme, found, rest = source.partition("://")
    if not found:
        return str(folder / Path(source).expanduser())
    name = rest.partition("?")[0]
    file = Path(name).expanduser()
    if name.endswith(".toml") or scheme in FILES:
        return f"{scheme}://{folder / file}{rest[len(name) :]}"
    return source


def _texts(given: Any, key: str) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given
    if not isinstance(listed, list) or not all(isinstance(one, str) and one.strip() for one in listed):
        raise SettingsError(f"{key}: must be an address in quotes, or a list of such, got {given!r}")
    return tuple(listed)


def _bytes(given: Any) -> int:
    """Return bytes of 2_000_000_000, "2 GB", "500MB". Raises SettingsError."""
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    found = (
        re.fullmatch(r"(\d+(?:\.\d*)?)\s*([KMGT]?)i?B?", given.strip(), re.IGNORECASE)
        if isinstance(given, str)
        else None
    )
    if found is None:
        raise SettingsError(f"memory: must be such as '2 GB' or '500 MB', got {given!r}")
    return round(float(found[1]) * 10 ** (3 * " KMGT".index(found[2].upper() or " ")))
