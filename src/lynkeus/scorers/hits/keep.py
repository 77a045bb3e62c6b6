"""How a hit filter is kept: trees, or a network, with the features, the working point and the chances."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from lynkeus.core import Array, ModelError
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.networks.hits.features import HitFeatures
from lynkeus.networks.hits.judge import HitJudge
from lynkeus.networks.hits.lots import Lots
from lynkeus.scorers.hits.choose import Chosen, Tried
from lynkeus.scorers.hits.even import Even
from lynkeus.scorers.hits.learners import CONVOLUTIONAL, TREES, Learner, Network, Trees
from lynkeus.scorers.hits.working_point import Chances, WorkingPoint
from lynkeus.training import History
from lynkeus.transforms.boosted import Boosted

FACTS = "hit_filter.json"
NETWORK, USUAL, SHARE = "network/", "usual_", "share_drawn"
S = TypeVar("S")


def save_filter(scorer: Any, folder: Path, settings: Mapping[str, Any]) -> None:
    """Write a fitted hit filter: arrays as safetensors, the rest as JSON."""
    chosen: Chosen = scorer.chosen_
    features = chosen.learner.features
    arrays = arrays_of(chosen.point, "point_") | arrays_of(chosen.chances, "chances_")
    arrays |= {"centre": scorer.centre_, "spread": scorer.spread_, "patch": features.patch.numpy()}
    facts: dict[str, Any] = {
        "method": chosen.method, "shape": list(features.shape), "cut": _or_none(chosen.cut),
        "tried": [list(one) for one in chosen.tried],
    }  # fmt: skip
    learner = chosen.learner
    if isinstance(learner, Even):
        arrays |= {} if learner.usual is None else arrays_of(learner.usual, USUAL)
        facts["evenly"] = True
        if learner.lots is not None:
            arrays[SHARE] = learner.lots.share.numpy().reshape(1)
        learner = learner.learner
    if isinstance(learner, Trees):
        arrays |= arrays_of(learner.trees, "trees_") | {"template": features.template.numpy()}
    else:
        assert isinstance(learner, Network)
        state = learner.judge.state_dict()
        arrays |= {f"{NETWORK}{name}": tensor.numpy() for name, tensor in state.items()}
        facts["history"] = learner.history.to_dict()
    write_folder(folder, scorer.schema_, settings, arrays)
    (folder / FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def load_filter(kind: type[S], folder: Path) -> S:
    """Read what `save_filter` wrote. Raises ModelError naming what is damaged."""
    found, arrays = read_scorer(kind, folder)
    scorer: Any = found
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        shape = (int(facts["shape"][0]), int(facts["shape"][1]))
        patch = [int(k) for k in arrays["patch"]] if shape[0] else []
        features = HitFeatures(len(scorer.schema_.names), patch, shape)
        learner = _learner(facts, features, arrays, scorer)
        if facts.get("evenly"):
            learner = _even(learner, arrays, scorer.schema_.names)
        tried = tuple(Tried(str(name), float(removed)) for name, removed in facts["tried"])
        cut = np.nan if facts["cut"] is None else float(facts["cut"])
    except (RuntimeError, OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise ModelError(f"{folder} does not hold a whole hit_filter ({error}); fit it again") from error
    point, chances = part_of(WorkingPoint, arrays, "point_"), part_of(Chances, arrays, "chances_")
    scorer.take(Chosen(facts["method"], learner, point, chances, tried, cut, np.zeros(0), ()))
    scorer.centre_, scorer.spread_ = arrays["centre"], arrays["spread"]
    return found


def _learner(facts: Mapping[str, Any], features: HitFeatures, arrays: Mapping[str, Array], scorer: Any) -> Learner:
    if facts["method"] == TREES:
        if features.shape[0]:
            features.template.copy_(torch.from_numpy(arrays["template"]))
        trees = part_of(Boosted, arrays, "trees_")
        trees.require(features.size)
        return Trees(features, trees)
    judge = HitJudge(features, int(scorer.width), facts["method"] == CONVOLUTIONAL)
    own = {name: array for name, array in arrays.items() if name.startswith(NETWORK)}
    judge.load_state_dict({name.removeprefix(NETWORK): torch.from_numpy(array) for name, array in own.items()})
    judge.eval()
    return Network(judge, History.from_dict(facts["history"]))


def _even(learner: Learner, arrays: Mapping[str, Array], names: Sequence[str]) -> Even:
    usual = part_of(Boosted, arrays, USUAL) if f"{USUAL}root" in arrays else None
    if usual is not None:
        usual.require(learner.features.size)
    lots = Lots.of(names) if SHARE in arrays else None
    if lots is not None:
        lots.share.fill_(float(arrays[SHARE][0]))
    return Even(learner, usual, lots)


def _or_none(number: float) -> float | None:
    return float(number) if np.isfinite(number) else None
