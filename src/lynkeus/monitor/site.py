"""Site: the facts of one place (store, budget, names, ports), in one TOML file."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from lynkeus.core import AlarmRule, SettingsError
from lynkeus.files.damaged import in_short
from lynkeus.files.settings_text import read_toml

NAME, EARLIER_NAME = "monitor", "orbits"  # of a monitor that nobody named, now and in stores of earlier versions
# Names of channels as at the European XFEL: BPME.2241.SA1/x is at 2241 m of the beam line SA1, in the plane x.
PLACE = r"\.(?P<position>\d+(?:\.\d+)?)\.(?P<line>\w+)(?:/(?P<plane>\w+))?$"
KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,), "float": (int, float), "int": (int,), "bool": (bool,),
    "dict[str, str]": (dict,),
}  # fmt: skip


OF_SERVICE = ("monitors", "monitor", "service")
FILES = ("token_file", "reports", "logbook")


@dataclass(frozen=True)
class SiteSettings:
    """`store`: URL; `name`, `title` of the monitor; `budget` as on the command line; `quiet_s`, `release_factor`: when
    an alarm closes; `place`: regular expression that reads the groups `position` (m), `line` and `plane` from the name
    of a channel ("": names say no place); `acknowledge`: what stood is listed until somebody has seen it; `replay`:
    speed, 0 without pacing; `host`, `port`, `token_file`, `reports` of the pages; `logbook`: what is
    shown beside alarms; `call`: whom to call; `keep`: how much `prune` keeps, as 400d; `outputs`: what
    the outputs of the scorer are called here, as pages show them."""

    store: str = "sqlite:///lynkeus.db"
    name: str = NAME
    title: str = ""
    budget: str = "1/h"
    quiet_s: float = 10.0
    release_factor: float = 3.0
    place: str = PLACE
    acknowledge: bool = False
    replay: float = 0.0
    host: str = "127.0.0.1"
    port: int = 8000
    token_file: str = ""
    reports: str = ""
    logbook: str = ""
    call: str = ""
    keep: str = ""
    outputs: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not isinstance(value, KINDS[str(item.type)]) or isinstance(value, bool) != (item.type == "bool"):
                raise SettingsError(f"{item.name}: expected {item.type}, got {value!r}")
        for name, title in self.outputs.items():
            if not isinstance(title, str):
                raise SettingsError(f"outputs.{name}: expected a title in quotes, got {title!r}")
        parse_budget(self.budget)
        _check_place(self.place)
        if not 0 <= self.port < 65536:
            raise SettingsError(f"port: must be from 1 to 65535, or 0 for any free one, got {self.port}")
        if not self.replay >= 0:
            raise SettingsError(f"replay: the speed must be positive, or 0 for as fast as possible, got {self.replay}")

    @property
    def rule(self) -> AlarmRule:
        """Return the rule by which an alarm opens and closes."""
        return AlarmRule(parse_budget(self.budget), self.release_factor, self.quiet_s)

    @property
    def token(self) -> str | None:
        """Return the token in the token file; None without a file."""
        if not self.token_file:
            return None
        try:
            token = Path(self.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"token_file: {self.token_file} cannot be read ({error})") from error
        if len(token) < 8:
            raise SettingsError(f"token_file: the token in {self.token_file} is shorter than 8 characters")
        return token

    def replaced(self, **given: Any) -> Self:
        """Return the same settings with what the command line says; None leaves a setting as it is."""
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read a TOML file; every key is optional. Raises SettingsError naming the file and the key."""
        if path is None:
            return cls()
        content = read_toml(path, "the site file")
        try:
            for key in OF_SERVICE:  # of `lynkeus run`, which shares the file
                content.pop(key, None)
            unknown_key(content, [item.name for item in fields(cls)])
            return cls(**found_beside(path.parent, content))
        except (ValueError, SettingsError) as error:
            raise SettingsError(f"{path}: {in_short(error) if isinstance(error, ValueError) else error}") from error


def found_beside(folder: Path, content: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a site file says with the names of its files (FILES) taken from the `folder` of the site file, as all
    relative ones are; a logbook may be the URL of a database, which stays as it is."""
    found = dict(content)
    for key in FILES:
        name = found.get(key)
        if isinstance(name, str) and name and "://" not in name:
            found[key] = str(folder / Path(name).expanduser())
    return found


def unknown_key(given: Iterable[str], known: Iterable[str], within: str = "") -> None:
    """Raise SettingsError for the first key that is not known, with the one that was probably meant."""
    there = list(known)
    for key in sorted(set(given) - set(there)):
        near = get_close_matches(key, there, 1)
        meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(there)}"
        raise SettingsError(f"{within}{key}: no such setting; {meant}")


def name_in(known: Collection[str], name: str) -> str:
    """Return the name to watch by in a store that knows some: the one that earlier versions gave a monitor without a
    name, where the store has that one only, so that its watch goes on instead of beginning anew."""
    return EARLIER_NAME if name == NAME and NAME not in known and EARLIER_NAME in known else name


def _check_place(pattern: str) -> None:
    """Raise SettingsError for what is no regular expression, or has none of the groups."""
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise SettingsError(f"place: {pattern!r} is no regular expression ({error})") from error
    if pattern and not {"position", "line", "plane"} & groups:
        raise SettingsError(
            f"place: {pattern!r} has none of the groups (?P<position>...), (?P<line>...), (?P<plane>...)"
        )


def parse_budget(text: str) -> float:
    """Alarms per hour from "1/h", "3/day", "0.5/week", "2/month" or "1/year". Raises SettingsError otherwise."""
    hours = {"h": 1.0, "hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.5, "year": 8766.0}
    number, _, unit = text.replace(" ", "").partition("/")
    try:
        budget = float(number) / hours[unit]
    except (ValueError, KeyError) as error:
        raise SettingsError(f"budget: {text!r} is not like 1/h, 3/day or 1/week") from error
    if not 0 < budget < float("inf"):
        raise SettingsError(f"budget: must be positive, got {text!r}")
    return budget
