"""lynkeus list: what there is to name on the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lynkeus.core import SettingsError, plugins

if TYPE_CHECKING:
    from lynkeus.core import About

WIDE = 200  # columns of a list that is not written to a terminal


def show_list(group: str | None) -> None:
    """Print the tables of a group of names, or of all."""
    for chosen in [group] if group else plugins.BUILT_IN:
        more = ("reads", "learned", "explains by", "a fit takes", "labels", "weights") if chosen == "scorers" else ()
        table = Table("name", "what it is", *more, title=chosen, title_justify="left")
        for name in plugins.entries(chosen):
            try:
                found = plugins.declared(chosen, name)
                what = f"{found.what} ({found.missing})" if found.missing else found.what
                table.add_row(name, escape(what), *(_about(found.about) if more else ()))
            except SettingsError as error:
                table.add_row(name, escape(str(error)))
        Console(width=None if sys.stdout.isatty() else WIDE, emoji=False).print(table)


def _about(about: About) -> tuple[str, ...]:
    """Return what a scorer says of itself, as cells of a table."""
    kinds = {"": "none", "optional": "if there are any", "known": "good or anomalous", "classes": "classes of anomaly"}
    kinds |= {"numbers": "numbers", "heads": "answers"}
    learned, weights = ("yes" if it else "no" for it in (about.learned, about.weights))
    return ", ".join(about.kinds), learned, about.explains, about.cost, kinds[about.labels], weights
