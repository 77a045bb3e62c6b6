"""lynkeus search: from a plan in one file to backgrounds, significances, limits, a workspace and a page."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from lynkeus.cli.options import screen
from lynkeus.cli.search_options import SearchOptions
from lynkeus.core import SettingsError
from lynkeus.core.extras import needing
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.searches.run import Search

SHOWN = 10  # points that are printed


def search_plan(options: SearchOptions) -> None:
    """Run `lynkeus search`."""
    with needing("lynkeus search", "search"):
        import mplhep  # noqa: F401 - both said before anything takes time
        import pyhf  # noqa: F401
    from lynkeus.core.progress import reporting
    from lynkeus.searches.plan.read import read_plan
    from lynkeus.searches.report.page import write_search
    from lynkeus.searches.run import run
    from lynkeus.training import Session, use_session

    if options.output.is_file():
        raise SettingsError(f"{options.output}: is a file; a search is written into a folder: choose another -o")
    if options.plan.suffix == ".json":
        _published(options)
        return
    if options.patch or options.toys is not None:
        raise SettingsError("--patch and --toys are of a published workspace (.json); a plan says toys = NUMBER itself")
    plan = read_plan(options.plan)
    with passes_bar(screen, "search") as bar, warnings.catch_warnings(), use_session(Session(report=bar.train)), \
            reporting(bar.step):  # fmt: skip
        warnings.simplefilter("ignore")  # of pyhf and Minuit on the way to a minimum; what is not found is an error
        found = run(plan, options.output, options.unblind, bar.step)
        bar.step("page", 0.95)
        written = write_search(found, options.output)
    say(screen, [*found.messages, *_lines(found), *written])


def _published(options: SearchOptions) -> None:
    """Limits of a likelihood that somebody else wrote."""
    from lynkeus.searches.published import likelihoods
    from lynkeus.searches.report.tables import write_tables

    if options.unblind:
        raise SettingsError("--unblind: a published workspace holds its data; nothing is blind in it: leave it out")
    with passes_bar(screen, "search") as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pyhf, which says of each backend that it is slow
        rows = likelihoods(options.plan, options.patch or (), options.toys or 0, bar.step)
    write_tables({"limits": rows}, options.output)
    lines = [
        f"{row['name']}: limit on the strength {row['limit_observed']:.4g} seen, {row['expected']:.4g} expected "
        f"({row['minus_1']:.4g} to {row['plus_1']:.4g}); CLs at strength 1 {row['cls']:.5f}"
        for row in rows[:SHOWN]
    ]
    lines += [f"... and {len(rows) - SHOWN} more"] if len(rows) > SHOWN else []
    few = [row["name"] for row in rows if row["few_events"]]
    if few and not options.toys:
        lines.append(f"fewer than 5 events are expected where it counts ({few[0]}): --toys 1000 counts instead")
    say(screen, [*lines, f"{options.output / 'limits.csv'}, limits.parquet: all numbers"])


def _lines(found: Search) -> list[str]:
    lines = []
    for name, one in list(found.likelihoods.items())[:SHOWN]:
        seen = "" if one["limit_observed"] is None else f", seen {one['limit_observed']:.3g}"
        z = "" if one["z_observed"] is None else f", seen {one['z_observed']:.2f}"
        lines.append(
            f"{name}: {one['signal']:.3g} signal on {one['background']:.3g} background, "
            f"Z {one['z_expected']:.2f} expected{z}; limit {one['limit_expected'][2]:.3g} expected{seen}"
        )
    if len(found.likelihoods) > SHOWN:
        lines.append(f"... and {len(found.likelihoods) - SHOWN} more points")
    if found.global_p:
        lines.append(
            f"most conspicuous: {found.global_p['best']}; data without a signal are as odd at any of "
            f"{len(found.points)} points with a chance of {found.global_p['global']:.2g}"
        )
    return lines
