"""lynkeus explain: what a model looks at, as a page and a table."""

from __future__ import annotations

from lynkeus.cli.options import ExplainOptions, load_model, screen
from lynkeus.cli.passes import Passes
from lynkeus.progress import passes_bar, say


def explain_data(options: ExplainOptions) -> None:
    """Run `lynkeus explain`."""
    from lynkeus.cli.options import open_for
    from lynkeus.commission.explained.explain import CHANGES, explain_model
    from lynkeus.commission.explained.write import write_explained
    from lynkeus.commission.report import check_path
    from lynkeus.sources import files_of

    fitted = load_model(options.model)
    source = open_for(fitted, options.data, options.layout, None, False)
    check_path(options.output, files_of(source))
    with passes_bar(screen, "explain") as bar:
        also = [load_model(other) for other in options.also or ()]
        found = explain_model(fitted, Passes(source, bar), options.order, options.labels or "", also)
    write_explained(found, options.output)
    first = [row for row in found.rows if row["output"] == found.outputs[0] and row["process"] == "all"]
    first = sorted(first, key=lambda row: -row["relevance"])[:3]
    named = ", ".join(" x ".join(filter(None, (row["input"], row["second_input"]))) for row in first)
    table = options.output.with_suffix(".parquet")
    looks = "changes most" if found.by == CHANGES else "looks most at"
    say(screen, [*found.messages, f"{found.outputs[0]} {looks} {named} ({found.by}, {found.events} samples)"])
    say(screen, [f"{options.output}: the page; {table}: all numbers"])
