"""Taggers of networks that have learned elsewhere, and the networks of taggers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from lynkeus.core import ModelError, Schema, SettingsError, plugins
from lynkeus.networks.taggers.particle_transformer import ParticleTransformer
from lynkeus.networks.taggers.weaver import WRAPPER, from_weaver, read_weights, to_weaver, write_weights
from lynkeus.scorers.taggers.inputs import features_of, roles_of
from lynkeus.scorers.taggers.network import NetworkTagger, Tags
from lynkeus.scorers.taggers.sized import SizedTagger
from lynkeus.training import History
from lynkeus.transforms.probabilities import Probabilities

NAMES = {"ParticleNet": "particle_net", "ParticleTransformer": "particle_transformer"}
READ = {"ParticleNet": ("points", "features"), "ParticleTransformer": ("features", "vectors")}


def from_weights(
    path: Path, schema: Schema, neighbours: tuple[int, ...] | None = None, pair_activation: bool | None = None
) -> tuple[str, NetworkTagger]:
    """Return the name of a scorer and the scorer that has the weights of weaver in `path`, its probabilities as the
    network states them.

    `schema`: what the network reads, groups that end in points, features and vectors, and its classes in the order of
    its outputs; the rest: see `from_weaver`. Raises ModelError for weights of another network, or one of other features
    or classes.
    """
    try:
        network: Any = from_weaver(read_weights(path), neighbours, pair_activation)
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
    made: type[SizedTagger] = plugins.load("scorers", NAMES[kind])
    scorer = made.of_sizes(network.sizes)
    scorer.schema_, scorer.task_ = schema, Tags(network)
    scorer.probabilities_ = Probabilities.as_they_are(network.classes)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    scorer.history_ = History(NAMES[kind], 0, parameters, 0)
    scorer.facts, scorer.messages = {"parameters": parameters, "weights": path.name}, _assumed(network)
    return NAMES[kind], scorer


def _assumed(network: Any) -> list[str]:
    """Return what of a network is no weight, so that it could be otherwise."""
    if isinstance(network, ParticleTransformer):
        has, other = ("an", "--no-") if network.sizes.pair_activation else ("no", "--")
        flag = f"use_pre_activation_pair={not network.sizes.pair_activation}"
        what = f"{has} activation after the last layer of pairs ({flag} in weaver)"
        return [f"{what} is assumed, as it is no weight; where that is wrong: {other}pair-activation"]
    neighbours = ", ".join(str(k) for k, _ in network.sizes.blocks)
    return [f"neighbours of each block: {neighbours}; as published, where they were not given"]


def write_weaver(scorer: Any, path: Path) -> None:
    """Write the weights of a tagger as weaver's. Raises SettingsError for a scorer without such a network."""
    network: nn.Module | None = scorer.task_.networks["tagger"] if isinstance(scorer, NetworkTagger) else None
    if type(network).__name__ not in NAMES:
        known = ", ".join(NAMES.values())
        raise SettingsError(f"weaver has no network like that of {type(scorer).__name__}; it has those of {known}")
    assert network is not None
    wrapped = isinstance(network, ParticleTransformer) and network.sizes.pair_activation
    write_weights(path, {f"{WRAPPER if wrapped else ''}{name}": value for name, value in to_weaver(network).items()})
