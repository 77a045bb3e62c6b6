"""Taggers of networks that have learned elsewhere, and the networks of taggers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from lynkeus.core import ModelError, Schema, SettingsError, plugins
from lynkeus.networks.taggers.weaver import from_weaver, read_weights, to_weaver, write_weights
from lynkeus.scorers.taggers.inputs import features_of, roles_of
from lynkeus.scorers.taggers.network import NetworkTagger, Tags
from lynkeus.training import History
from lynkeus.transforms.probabilities import Probabilities

NAMES = {"ParticleNet": "particle_net", "ParticleTransformer": "particle_transformer"}
READ = {"ParticleNet": ("points", "features"), "ParticleTransformer": ("features", "vectors")}


def from_weights(path: Path, schema: Schema, neighbours: tuple[int, ...] | None = None) -> tuple[str, NetworkTagger]:
    """Return the name of a scorer and the scorer that has the weights of weaver in `path`, its probabilities as the
    network states them.

    `schema`: what the network reads, groups that end in points, features and vectors, and its classes in the order of
    its outputs. Raises ModelError for weights of another network, or one of other features or classes.
    """
    try:
        network: Any = from_weaver(read_weights(path), neighbours)
    except ModelError as error:
        raise ModelError(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    kind = type(network).__name__
    lost = [role for role in READ[kind] if role not in roles_of(schema.names)]
    if lost:
        raise ModelError(f"{path}: a {kind} reads a group that ends in {lost[0]!r}, and the layout has none")
    features = features_of(schema.names)
    for what, ours, layouts in (
        ("features", network.features, len(features)), ("classes", network.classes, len(schema.classes)),
    ):  # fmt: skip
        if ours != layouts:
            raise ModelError(f"{path}: the network has {ours} {what}, the layout {layouts}; give the layout it had")
    scorer = _scorer_of(network, path)
    scorer.schema_, scorer.task_ = schema, Tags(network)
    scorer.probabilities_ = Probabilities.as_they_are(network.classes)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    scorer.history_ = History(NAMES[kind], 0, parameters, 0)
    scorer.facts, scorer.messages = {"parameters": parameters, "weights": path.name}, []
    return NAMES[kind], scorer


def _scorer_of(network: Any, path: Path) -> NetworkTagger:
    """Return a scorer of the sizes of a network, untrained. Raises ModelError where none has them."""
    kind = type(network).__name__
    made: type[NetworkTagger] = plugins.load("scorers", NAMES[kind])
    tried = []
    for size in ("lite", "full"):
        scorer = made(size=size)  # type: ignore[call-arg]
        tried.append(scorer.sizes)
        if scorer.sizes == network.sizes:
            return scorer
    raise ModelError(f"{path}: a {kind} with {network.sizes}, which is neither lite nor full ({tried[1]})")


def write_weaver(scorer: Any, path: Path) -> None:
    """Write the weights of a tagger as weaver's. Raises SettingsError for a scorer without such a network."""
    network: nn.Module | None = scorer.task_.networks["tagger"] if isinstance(scorer, NetworkTagger) else None
    if type(network).__name__ not in NAMES:
        known = ", ".join(NAMES.values())
        raise SettingsError(f"weaver has no network like that of {type(scorer).__name__}; it has those of {known}")
    assert network is not None
    write_weights(path, to_weaver(network))
