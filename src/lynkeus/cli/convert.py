"""lynkeus convert: weights of weaver to a model, and a model to weights of weaver."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lynkeus.cli.options import ConvertOptions, screen
from lynkeus.core import Schema, SettingsError
from lynkeus.core.extras import needing
from lynkeus.files.model_folder import MODEL
from lynkeus.progress import say
from lynkeus.sources.formats.layout import Layout


def convert_weights(options: ConvertOptions) -> None:
    """Convert what is given: a file of weights to a model folder, a model folder to a file of weights."""
    with needing("lynkeus convert", "learn"):
        import torch  # noqa: F401 - said before anything is read
    if not options.source.exists():
        raise SettingsError(f"{options.source}: no such file or folder; check the path")
    if options.source.is_dir():
        if options.layout or options.calibrate or options.neighbours or options.pair_activation is not None:
            raise SettingsError(
                "--layout, --calibrate, --neighbours, --pair-activation: a model knows them; leave them out"
            )
        _to_weaver(options.source, options.output)
    else:
        _from_weaver(options)


def _to_weaver(model: Path, output: Path) -> None:
    from lynkeus.fitting.fitted import Fitted
    from lynkeus.scorers.taggers.converted import write_weaver

    if output.is_dir() or output.suffix != ".pt":
        raise SettingsError(f"{output}: weights of weaver are a file that ends in .pt, such as NETWORK_state.pt")
    fitted = Fitted.load(model)
    write_weaver(fitted.scorer, output)
    said = [f"{output}: the weights of {fitted.name}, classes {', '.join(fitted.scorer.outputs)}"]
    said.append("its probabilities are those before they were calibrated: weaver has none that are")
    sizes: Any = getattr(fitted.scorer, "sizes", None)
    if hasattr(sizes, "pair_activation"):
        said.append(f"weaver's network has use_pre_activation_pair={not sizes.pair_activation}")
    if fitted.view.to_dict().get("layout") is None:
        said.append("the model made its inputs of particles itself; in weaver use the layout jetclass without clipping")
    say(screen, said)


def _from_weaver(options: ConvertOptions) -> None:
    from lynkeus.fitting.classes import learned_elsewhere
    from lynkeus.fitting.views.as_read import AsRead
    from lynkeus.scorers.taggers.converted import from_weights
    from lynkeus.sources import open_source
    from lynkeus.sources.formats.layout import read_layout

    if (options.output / MODEL).exists() or options.output.is_file():
        raise SettingsError(f"{options.output}: is there already; give the name of a new folder")
    if not options.layout:
        raise SettingsError("--layout: say what the network reads, by the YAML file that it was trained with")
    layout = read_layout(options.layout)
    schema = _schema_of(layout, options.layout)
    name, scorer = from_weights(options.source, schema, _neighbours(options.neighbours), options.pair_activation)
    source = open_source(options.calibrate, layout, expected=schema) if options.calibrate else None
    lineage = {"converted": str(options.source), "layout": str(options.layout)}
    fitted = learned_elsewhere(scorer, name, AsRead(schema, layout.to_dict()), source, lineage)
    fitted.save(options.output)
    by = f"calibrated by {fitted.lineage['samples']} jets" if source is not None else "not calibrated"
    say(screen, [*scorer.messages, *getattr(source, "messages", ()), *fitted.messages])
    say(screen, [f"{options.output}: {name}, {fitted.lineage['parameters']} parameters, {by}"])


def _schema_of(layout: Layout, given: str) -> Schema:
    """Return what samples of weaver's configuration are. Raises SettingsError where that has to be learned of data."""
    from lynkeus.sources.clouds.weaver.configuration import configuration

    if layout.weaver is None:
        raise SettingsError(
            f"--layout {given}: is none of weaver's (YAML); give the one that the network was trained with"
        )
    config = configuration(layout.weaver, layout.name or given)
    if any(rule.center == "auto" for rule in config.rules.values()):
        raise SettingsError(
            f"--layout {given}: preprocess.method is auto, and the numbers are not there; give the .auto.yaml that "
            "weaver wrote when the network was trained"
        )
    if not config.classes:
        raise SettingsError(f"--layout {given}: labels.value names no classes")
    names = tuple(f"{group.name}/{name}" for group in config.groups for name in group.variables)
    return Schema("cloud", names, (), (None, None), classes=config.classes)


def _neighbours(text: str | None) -> tuple[int, ...] | None:
    if not text:
        return None
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) < 1:
        raise SettingsError(f"--neighbours {text}: give a number for each block with commas between, such as 16,16,16")
    return found
