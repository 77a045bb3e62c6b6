"""Numbers of flavours in files of corrections: 5 bottom, 4 charm, 0 light quarks and gluons."""

from __future__ import annotations

from collections.abc import Sequence

from lynkeus.core import SettingsError

# Those of the Particle Data Group; 0 is what has no heavy quark, as in the corrections that CMS publishes.
KNOWN = {
    "b": 5, "bottom": 5, "bb": 5, "c": 4, "charm": 4, "cc": 4, "light": 0, "udsg": 0, "uds": 0, "udscg": 0, "l": 0,
    "qcd": 0, "top": 6, "t": 6, "w": 24, "z": 23, "h": 25, "higgs": 25, "tau": 15, "g": 21, "gluon": 21, "s": 3,
    "strange": 3, "e": 11, "electron": 11, "mu": 13, "muon": 13, "quark": 1, "q": 1, "jet": 0, "background": 0,
}  # fmt: skip


def flavour_numbers(classes: Sequence[str], given: str = "") -> dict[str, int]:
    """Return the number of each class; `given`: "top=6,qcd=0" for those whose names are not known.

    Raises SettingsError for a class without a number, or for two with the same one.
    """
    told: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in given.split(","))):
        name, _, number = part.partition("=")
        try:
            told[name.strip()] = int(number)
        except ValueError:
            raise SettingsError(f"--flavours {given}: {part!r} is not CLASS=NUMBER, such as b=5,c=4,light=0") from None
    strangers = sorted(told.keys() - set(classes))
    if strangers:
        raise SettingsError(f"--flavours: there is no class {strangers[0]!r}; there are: {', '.join(classes)}")
    found = {name: told.get(name, KNOWN.get(name.lower(), -1)) for name in classes}
    lacking = [name for name, number in found.items() if number < 0]
    if lacking:
        raise SettingsError(
            f"the class {lacking[0]!r} has no number in files of corrections; give one, such as --flavours "
            f"{lacking[0]}=0"
        )
    if len(set(found.values())) < len(found):
        twice = next(number for number in found.values() if list(found.values()).count(number) > 1)
        same = [name for name, number in found.items() if number == twice]
        raise SettingsError(
            f"the classes {' and '.join(same)} have the same number {twice} in files of corrections; tell them apart, "
            f"such as --flavours {same[-1]}=1"
        )
    return found
