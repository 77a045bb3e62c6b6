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
        import pyhf  # noqa: F401 - said before anything takes time
    from lynkeus.core.progress import reporting
    from lynkeus.searches.plan.read import read_plan
    from lynkeus.searches.report.page import write_search
    from lynkeus.searches.run import run
    from lynkeus.training import Session, use_session

    if options.output.is_file():
        raise SettingsError(f"{options.output}: is a file; a search is written into a folder: choose another -o")
    plan = read_plan(options.plan)
    with passes_bar(screen, "search") as bar, warnings.catch_warnings(), use_session(Session(report=bar.train)), \
            reporting(bar.step):  # fmt: skip
        warnings.simplefilter("ignore")  # of pyhf and Minuit on the way to a minimum; what is not found is an error
        found = run(plan, options.output, options.unblind, bar.step)
        bar.step("page", 0.95)
        written = write_search(found, options.output)
    say(screen, [*found.messages, *_lines(found), *written])


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
