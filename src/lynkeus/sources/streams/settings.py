"""Settings of a stream: from a URL, or the TOML list that it names, to channels, rates and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl

from lynkeus.core.errors import SettingsError
from lynkeus.files.settings_text import read_toml

MOST_CHANNELS = 20_000  # more are a pattern that meant something else
GLOB = set("*?[")
HOSTS = {  # their address names a server, and what it sends its channels
    "nats": "nats://127.0.0.1:4222/SUBJECT", "tls": "tls://127.0.0.1:4222/SUBJECT",
    "nats+tls": "nats+tls://127.0.0.1:4222/SUBJECT", "kafka": "kafka://127.0.0.1:9092/TOPIC",
    "kafka+tls": "kafka+tls://127.0.0.1:9093/TOPIC", "karabo-bridge": "karabo-bridge://127.0.0.1:45454",
}  # fmt: skip
LISTS = ("select", "subjects")
TEXTS = ("server", "stream", "start", "ca_file", "credentials_file", "pulse_id", "events", *LISTS)
USER_TAG = "userTag"  # field of an EPICS time stamp in which timing systems send the number of the pulse


@dataclass(frozen=True)
class Channel:
    """One process variable or subject: its `address`, what it is called in the data (`name`), its unit, and whether its
    last value holds until the next one (None: found out from how often it comes)."""

    address: str
    name: str
    unit: str = ""
    hold: bool | None = None


@dataclass(frozen=True)
class StreamSettings:
    """What to listen to, and how updates become samples.

    `channels`; `server` HOST:PORT where it is not found by the site's environment, which `environment` adds to;
    `rate_hz` of the samples (0: learned when listening begins); `tolerance_s`: span of the time stamps of one sample
    (0: 0.9 periods); `wait_s`: how long a sample waits for those that are late (0: two periods, at least 0.5 s);
    `connect_s`: how long a fit waits for all channels; `queue`: updates that may wait, the oldest is dropped and
    counted; `lost_s`: silence after which a source is called lost; `pulse_id`: "userTag" to join updates by it, "time",
    or "" to find out; `select`: patterns of the names in the list that are wanted. Of NATS and Kafka: `subjects`
    (topics), the `stream` of JetStream and where it or a topic begins (`start`: all or new), the certificate of who
    signed that of the server (`ca_file`), and the `credentials_file` by which we log in. Of Tango: the kind of `events`
    that are listened to ("": attributes are asked).
    """

    where: str = ""
    channels: tuple[Channel, ...] = ()
    server: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    rate_hz: float = 0.0
    tolerance_s: float = 0.0
    wait_s: float = 0.0
    connect_s: float = 5.0
    queue: int = 100_000
    lost_s: float = 2.0
    pulse_id: str = ""
    select: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    stream: str = ""
    start: str = ""
    ca_file: str = ""
    credentials_file: str = ""
    events: str = ""

    def __post_init__(self) -> None:
        for name in ("rate_hz", "tolerance_s", "wait_s", "connect_s", "queue", "lost_s"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e9:
                raise SettingsError(f"{self.where}: {name} must be a number of at least 0, got {value!r}")
        if self.queue < 1 or not self.lost_s:
            raise SettingsError(f"{self.where}: queue and lost_s must be positive")
        if self.pulse_id not in ("", "time", USER_TAG):
            raise SettingsError(f"{self.where}: pulse_id must be {USER_TAG} or time, got {self.pulse_id!r}")
        if self.start not in ("", "all", "new"):
            raise SettingsError(f"{self.where}: start must be all or new, got {self.start!r}")
        for name in ("stream", "ca_file", "credentials_file", "events"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError(f"{self.where}: {name} must be a text, got {getattr(self, name)!r}")
        for name in ("ca_file", "credentials_file"):
            file = getattr(self, name)
            if file and not Path(file).expanduser().is_file():
                raise SettingsError(f"{self.where}: {name} {file} cannot be read (there is no such file)")
        if not isinstance(self.server, str) or not isinstance(self.environment, Mapping):
            raise SettingsError(f"{self.where}: server must be 'HOST:PORT', environment a table of variables")

    @classmethod
    def of_url(cls, url: str) -> Self:
        """Read `SCHEME://LIST.toml` or `SCHEME://NAME,NAME`, either with ?option=value of the fields above. Raises
        SettingsError: what, where, what to do."""
        text = url.partition("://")[2]
        names, given = _options(text)
        options: dict[str, Any] = {name: value if name in TEXTS else _number(value) for name, value in given.items()}
        for key in LISTS:
            if key in options:
                options[key] = tuple(str(options[key]).split(","))
        if url.partition("://")[0] in HOSTS:
            return _of_host(cls, url, names, options)
        if names.endswith(".toml"):
            found = cls._of_file(Path(names).expanduser())
            settings = replace(found, **options) if options else found
        else:
            parts = [part.strip() for part in names.split(",") if part.strip()]
            globs = [part for part in parts if GLOB & set(part)]
            if globs:
                whose = "EPICS has" if url.startswith("epics") else "there is"
                raise SettingsError(
                    f"{url}: {whose} no directory to look {globs[0]} up in; list the names in a TOML "
                    f"file (pvs = [...]) and choose among them: LIST.toml?select={globs[0]}"
                )
            settings = cls(url, tuple(Channel(part, part) for part in parts), **options)
        return _checked(settings, url)

    @classmethod
    def _of_file(cls, path: Path) -> Self:
        content = read_toml(path, "the list of channels")
        if "topics" in content:  # of Kafka
            content["subjects"] = content.pop("topics")
        listed: list[Any] = []
        for key in ("pvs", "pv", "channels"):
            entries = content.pop(key, [])
            if not isinstance(entries, list):
                raise SettingsError(f"{path}: {key}: must be a list of names, or of tables with a name")
            listed.extend(entries)
        known = {item.name for item in fields(cls)} - {"where", "channels"}
        unknown = sorted(set(content) - known)
        if unknown:
            near = get_close_matches(unknown[0], ["pvs", *known], 1)
            meant = f"did you mean {near[0]}?" if near else f"there are pvs, {', '.join(sorted(known))}"
            raise SettingsError(f"{path}: {unknown[0]}: no such setting; {meant}")
        for key in LISTS:
            if key in content:
                one = [content[key]] if isinstance(content[key], str) else content[key]
                if not isinstance(one, list) or not all(isinstance(part, str) for part in one):
                    raise SettingsError(f"{path}: {key}: must be a list of texts, got {content[key]!r}")
                content[key] = tuple(one)
        for key in ("ca_file", "credentials_file"):  # beside the list, where they are not here
            named = content.get(key)
            if isinstance(named, str) and not Path(named).is_file() and (path.parent / named).is_file():
                content[key] = str(path.parent / named)
        return cls(str(path), tuple(_channel(entry, path) for entry in listed), **content)


def _of_host(cls: type[StreamSettings], url: str, names: str, options: dict[str, Any]) -> Any:
    """Settings of nats://LIST.toml or nats://HOST:PORT/SUBJECT,SUBJECT; messages may name the channels."""
    if names.endswith(".toml"):
        found = replace(cls._of_file(Path(names).expanduser()), **options)
        if not found.server:
            example = HOSTS[url.partition("://")[0]].removesuffix("/SUBJECT").removesuffix("/TOPIC")
            raise SettingsError(f"{names}: server is missing, such as server = {example!r}")
        return _checked(found, url) if found.channels else found
    host, _, subjects = names.partition("/")
    if not host or host == "*":
        raise SettingsError(f"{url}: names no server, such as {HOSTS[url.partition('://')[0]]}")
    listed = tuple(part.strip() for part in subjects.split(",") if part.strip())
    where = f"{url.partition('://')[0]}://{names.rpartition('@')[2]}"
    options.setdefault("subjects", listed)
    return cls(where, (), f"{url.partition('://')[0]}://{host}", **options)


def _channel(entry: Any, path: Path) -> Channel:
    if isinstance(entry, str) and entry.strip():
        return Channel(entry.strip(), entry.strip())
    if not isinstance(entry, dict) or not isinstance(entry.get("pv", entry.get("name")), str):
        raise SettingsError(f"{path}: {entry!r} is no channel; write a name, or {{pv = NAME, name = ..., unit = ...}}")
    unknown = sorted(set(entry) - {"pv", "name", "unit", "hold"})
    if unknown:
        raise SettingsError(f"{path}: {unknown[0]}: a channel has pv, name, unit and hold only")
    address = str(entry.get("pv", entry.get("name")))
    hold = entry.get("hold")
    if hold is not None and not isinstance(hold, bool):
        raise SettingsError(f"{path}: {address}: hold must be true or false, got {hold!r}")
    return Channel(address, str(entry.get("name", address)), str(entry.get("unit", "")), hold)


def _checked(settings: StreamSettings, url: str) -> Any:
    channels: Sequence[Channel] = settings.channels
    if not channels:
        raise SettingsError(f"{url}: no channel is named; write pvs = ['NAME', ...] in the file, or NAME,NAME here")
    if settings.select:
        channels = [one for one in channels if any(fnmatchcase(one.name, wanted) for wanted in settings.select)]
        if not channels:
            shown, first = ",".join(settings.select), settings.channels[0].name
            raise SettingsError(
                f"{url}: select={shown} matches none of {len(settings.channels)} channels, such as {first}"
            )
    if len(channels) > MOST_CHANNELS:
        raise SettingsError(f"{url}: {len(channels)} channels are more than {MOST_CHANNELS}; select those that matter")
    for what in ("name", "address"):
        seen: set[str] = set()
        for one in channels:
            if getattr(one, what) in seen:
                raise SettingsError(f"{url}: {getattr(one, what)} is there twice; each needs a {what} of its own")
            seen.add(getattr(one, what))
    return replace(settings, channels=tuple(channels))


def _options(text: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the options and the options; a ? without an option after it belongs to a pattern."""
    known = {item.name for item in fields(StreamSettings)} - {"where", "channels", "environment"}
    names, _, query = text.rpartition("?")
    given = dict(parse_qsl(query, keep_blank_values=True)) if names else {}
    if names and "=" in query:
        unknown = sorted(set(given) - known)
        if unknown:
            raise SettingsError(f"{text}: {unknown[0]}: no such option; there are {', '.join(sorted(known))}")
        return names, given
    return text, {}


def _number(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
