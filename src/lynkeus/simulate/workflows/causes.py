"""Why tasks fail, what it looks like in counts of exit codes by site, and what the rules of the trade do about it.

Exit codes are those of CMS computing (public list of the experiment's job exit codes); which of them call for which
action follows the recovery procedures of its operators. How often each cause occurs, and how many jobs fail, is ours:
chosen so that tensors of 54 codes x 142 sites x 2 are empty in 99.75 % and actions are shared 88 / 10 / 2.
"""

from __future__ import annotations

from typing import NamedTuple

ACTIONS = ("acdc", "clone", "special")
SHARES = (0.88, 0.10, 0.02)
SPREAD = ("one site", "many sites", "everywhere")
# Common ones first: what fails here and there for no reason is drawn from them with falling frequency.
CODES = (
    "50660", "71304", "-1", "92", "8001", "139", "8020", "8021", "8028", "84", "85", "86", "8002", "7001", "7002",
    "99109", "137", "134", "99303", "8004", "60450", "60311", "60302", "60307", "60321", "71104", "71105", "71305",
    "71306", "50661", "50662", "50664", "50665", "50669", "11003", "65", "66", "73", "80", "81", "87", "90", "132",
    "135", "136", "143", "152", "195", "8006", "8009", "8016", "8022", "8027", "10034",
)  # fmt: skip


class Cause(NamedTuple):
    """Why a task fails: its `codes`, over how many sites (`spread`), the `share` of tasks, the mean number of `jobs`
    that fail of it at a site, and what the rules do: `action`, with `memory`, `splitting`, `xrootd` where not usual."""

    name: str
    share: float
    codes: tuple[str, ...]
    spread: str
    jobs: float
    action: str
    memory: str = "default"
    splitting: str = "default"
    xrootd: str = "default"


CAUSES = (
    Cause("memory", 0.045, ("50660", "50661"), "everywhere", 6.0, "acdc", memory="20000"),
    Cause("a little memory", 0.02, ("50660",), "many sites", 2.0, "acdc", memory="8000"),
    Cause("some memory", 0.015, ("50660", "139"), "many sites", 6.0, "acdc", memory="12000"),
    Cause("wall clock", 0.10, ("71304", "71305", "71306"), "many sites", 5.0, "acdc"),
    Cause("a long job", 0.011, ("50664", "71304"), "everywhere", 3.0, "acdc", splitting="10x"),
    Cause("a longer job", 0.005, ("50664",), "many sites", 1.5, "acdc", splitting="2x"),
    Cause("bad file", 0.20, ("8020", "8021", "8028", "92"), "many sites", 2.0, "acdc"),
    Cause("storage", 0.265, ("84", "85", "86", "92", "8028", "60311"), "one site", 14.0, "acdc", xrootd="enabled"),
    Cause("site outage", 0.22, (*CODES[:6], "11003", "60450", "71104", "10034"), "one site", 25.0, "acdc"),
    Cause("drained site", 0.055, ("99109", "137", "-1"), "one site", 30.0, "clone"),
    Cause("configuration", 0.045, ("8001", "8002", "7001", "7002", "65"), "everywhere", 12.0, "clone"),
    Cause("report", 0.02, ("134", "99303", "8004"), "many sites", 7.0, "special"),
)  # fmt: skip
COUNTRIES = (
    "US", "IT", "DE", "FR", "UK", "ES", "CH", "BE", "PL", "RU", "BR", "CN", "IN", "EE", "FI", "HU", "PT", "TR", "UA",
    "AT",
)  # fmt: skip
TOWNS = ("North", "South", "Lake", "Hill", "Harbour", "Old", "Forest", "Mill")


def sites(many: int = 142) -> tuple[str, ...]:
    """Return names of sites as the grid writes them, T1 to T3 with country and town, the same each time."""
    names = [f"T1_{country}_{TOWNS[0]}" for country in COUNTRIES[:7]]
    tiers = [2] * 3 + [3]
    for number in range(many - len(names)):
        country = COUNTRIES[number % len(COUNTRIES)]
        names.append(f"T{tiers[number % 4]}_{country}_{TOWNS[(number // len(COUNTRIES) + 1) % len(TOWNS)]}{number}")
    return tuple(names[:many])
