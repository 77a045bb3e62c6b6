"""lynkeus scale-factors: efficiencies of a tagger in data over simulation, or a published table, as corrections."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from lynkeus.cli.jet_options import ScaleFactorOptions
from lynkeus.cli.options import open_for, screen
from lynkeus.core import SettingsError
from lynkeus.progress import passes_bar, say

if TYPE_CHECKING:
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.scale_factors.jets import Jets
    from lynkeus.scale_factors.measurement import Measurement, Question
    from lynkeus.scale_factors.read import Read, Reader

SHOWN = 20  # factors that are printed


def write_scale_factors(options: ScaleFactorOptions) -> None:
    """Run `lynkeus scale-factors`."""
    if options.output.exists():
        raise SettingsError(f"{options.output} exists, and an analysis may use it: remove it, or choose another -o")
    if options.from_csv is not None:
        _convert(options, options.from_csv)
    elif options.model is None or options.simulation is None or options.data is None:
        raise SettingsError("give MODEL, SIMULATION and DATA, or --from-csv FILE.csv")
    else:
        _measure(options, options.model, options.simulation, options.data)


def _convert(options: ScaleFactorOptions, path: Path) -> None:
    from lynkeus.scale_factors.btag_csv import read_table
    from lynkeus.scale_factors.convert_csv import converted
    from lynkeus.scale_factors.correction import write_corrections

    if options.model is not None:
        raise SettingsError("--from-csv reads a table and measures nothing: leave out MODEL, SIMULATION and DATA")
    table = read_table(path)
    document, notes = converted(table)
    write_corrections(document, options.output)
    say(screen, [*notes, f"{options.output}: {len(document['corrections'])} corrections of {len(table.rows)} rows"])
    say(
        screen,
        [f"{one['name']}: {', '.join(item['name'] for item in one['inputs'])}" for one in document["corrections"]],
    )


def _measure(options: ScaleFactorOptions, model: Path, simulation: str, data: str) -> None:
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.fitting.lineage import learned_from
    from lynkeus.scale_factors.correction import correction_set, write_corrections
    from lynkeus.scale_factors.flavours import flavour_numbers
    from lynkeus.scale_factors.measure import measure
    from lynkeus.scale_factors.report import write_report

    fitted = Fitted.load(model)
    name, edges = template_of(options.template)
    files = systematics_of(options.systematics or [])
    with passes_bar(screen, "scale factors") as bar:
        bar.step("reading", 0.0)
        reader = _reader(options, fitted, name)
        for path in (simulation, data, *(path for paths in files.values() for path in paths)):
            reader.check(path)
        nominal = reader(simulation)
        question = _question(options, fitted, nominal, edges)
        numbers = flavour_numbers(question.classes, options.flavours)
        observed = reader(data)
        variations = {source: [_other(reader, path, nominal) for path in paths] for source, paths in files.items()}
        found = measure(question, nominal.jets, observed.jets, variations, bar.step)
    if options.report is not None:
        samples = {"model": str(model), "simulation": simulation, "data": data} | {
            source: ", ".join(paths) for source, paths in files.items()
        }
        write_report(found, options.report, name, samples)
        say(screen, [f"{options.report}: the fits"])
    known = learned_from(fitted.lineage, [one for path in (simulation, data) for one in _files(Path(path))])
    say(screen, [*known, *_seen(fitted, name), *_of_data(observed), *found.notes])
    write_corrections(correction_set(found, numbers), options.output)
    say(
        screen,
        [*_lines(found), f"{options.output}: {len(question.thresholds)} working points, {len(question.bins)} bins"],
    )


def _files(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if one.is_file()] if path.is_dir() else [path]


def _reader(options: ScaleFactorOptions, fitted: Fitted, template: str) -> Reader:
    from lynkeus.core import about_of
    from lynkeus.scale_factors.read import Reader

    outputs = list(fitted.scorer.outputs)
    if not about_of(fitted.scorer).tags:
        raise SettingsError(f"{options.model}: the scorer {fitted.name} is no tagger: its outputs are no classes")
    output = options.output_class or outputs[0]
    if output not in outputs:
        raise SettingsError(f"--output-class {output}: the model has no such output; it has {', '.join(outputs)}")
    return Reader(fitted, output, template, lambda path: open_for(fitted, path, options.layout, None, False))


def _question(options: ScaleFactorOptions, fitted: Fitted, nominal: Read, edges: tuple[float, ...] | None) -> Question:
    from lynkeus.core import SourceError
    from lynkeus.scale_factors.jets import Bins
    from lynkeus.scale_factors.measurement import Question
    from lynkeus.scale_factors.working_points import thresholds

    output = options.output_class or fitted.scorer.outputs[0]
    if not nominal.labelled:
        raise SourceError(f"{nominal.jets.name}: jets have no label; templates need simulation with the truth")
    if output not in nominal.classes:
        raise SourceError(f"{nominal.jets.name}: no jet is of class {output}; there are {', '.join(nominal.classes)}")
    if not options.prior > 0:
        raise SettingsError(f"--prior {options.prior:g}: must be above 0, such as 0.5 for 50 %")
    points = thresholds(options.working_points, fitted, output)
    bins = Bins.parse(options.bins)
    return Question(nominal.classes, output, points, bins, edges, options.prior, options.merge)


def template_of(text: str) -> tuple[str, tuple[float, ...] | None]:
    """Return the name of the template variable, and its edges where they are given: NAME=0:1:2."""
    name, given, edges = text.partition("=")
    if not given:
        return name, None
    try:
        found = tuple(float(edge) for edge in edges.split(":"))
    except ValueError:
        raise SettingsError(f"--template {text}: edges are numbers, such as {name}=0:1:2:4") from None
    if len(found) < 3 or any(not low < high for low, high in pairwise(found)):
        raise SettingsError(f"--template {text}: edges must rise and be three or more, such as {name}=0:1:2:4")
    return name, found


def systematics_of(given: list[str]) -> dict[str, list[str]]:
    """Return the files of each systematic, one, or up and down. Raises SettingsError for another form."""
    form = "write NAME=FILE, or NAME:up=FILE and NAME:down=FILE"
    found: dict[str, dict[str, str]] = {}
    for text in given:
        key, is_given, path = text.partition("=")
        name, _, way = key.strip().partition(":")
        if not is_given or not path or not name.replace("_", "").isalnum() or way not in ("", "up", "down"):
            raise SettingsError(f"--systematics {text}: {form}")
        if name in ("statistics", "templates", "extrapolation"):
            raise SettingsError(f"--systematics {text}: {name} is the name of an uncertainty that is always there")
        if way in found.setdefault(name, {}):
            raise SettingsError(f"--systematics {text}: {key.strip()} is given twice; {form}")
        found[name][way] = path
    for name, ways in found.items():
        if set(ways) not in ({""}, {"up", "down"}):
            raise SettingsError(f"--systematics {name}: give both directions, or one file without any; {form}")
    return {name: [ways[way] for way in ("", "up", "down") if way in ways] for name, ways in found.items()}


def _other(reader: Reader, path: str, nominal: Read) -> Jets:
    from lynkeus.scale_factors.read import with_classes

    return with_classes(reader(path), nominal.classes)


def _seen(fitted: Fitted, name: str) -> list[str]:
    """Say so where the tagger sees the template variable."""
    sees = any(one.rpartition("/")[2] == name for one in fitted.view.names)
    return [f"the tagger is given {name}: its shape after the cut is taken from simulation as it is"] if sees else []


def _of_data(observed: Read) -> list[str]:
    said = [f"{observed.jets.name}: the labels of data are not used"] if observed.labelled else []
    return [*said, f"{observed.jets.name}: the weights of data are not used"] if observed.weighted else said


def _lines(found: Measurement) -> list[str]:
    number = found.question.number
    cells = found.distinct()
    lines = []
    for cell in cells[:SHOWN]:
        up, down = cell.total(True)[number], cell.total(False)[number]
        p_value = cell.fit.p_value
        fit = "" if math.isnan(p_value) else f"; fit p {p_value:.2g}"
        lines.append(f"{found.words(cell)}: {cell.fit.factor[number]:.3f} {up:+.3f} {down:+.3f}{fit}")
    return [*lines, f"... and {len(cells) - SHOWN} more"] if len(cells) > SHOWN else lines
