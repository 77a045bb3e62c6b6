"""A fitted scorer inspect as one ONNX file: from pixels of an image of any size to its map and score.

Large images are read in strips inside the graph, as by the scorer. What the graph does not know is which images were
learned from: it judges these as it does all others.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from lynkeus.core import Batch, ModelError, Schema
from lynkeus.scorers.inspect import features as inspect_features
from lynkeus.scorers.inspect.features import BLOCK, OVERLAP
from lynkeus.scorers.inspect.graph import FeatureGraph, ScoreGraph
from lynkeus.scorers.inspect.onnx import ALLOWED, MAP, PIXELS, OnnxInspect
from lynkeus.scorers.inspect.scorer import Inspect
from lynkeus.scorers.onnx.export import traced
from lynkeus.scorers.onnx.onnx_scorer import ABOUT, SCORES

TOLERANCE = 1e-3  # of score and map: sigmas, or of their size where that is larger
SIZES = ((96, 128), (75, 200), (200, 40))  # of images that are drawn; one more is read in strips
OPEN = torch.export.Dim.DYNAMIC
STRIPS = """
<ir_version: 10, opset_import: ["": {opset}, "lynkeus": 1]>
inspect (uint8[1, {channels}, rows, columns] {pixels}, bool[{references}] {allowed})
    => (float[1, 1] {scores}, float[cell_rows, cell_columns] {map})
{{
    zero = Constant<value_ints = [0]>()
    one = Constant<value_ints = [1]>()
    row_axis = Constant<value_ints = [2]>()
    most = Constant<value_ints = [{most}]>()
    block = Constant<value_ints = [{block}]>()
    overlap = Constant<value_ints = [{overlap}]>()
    stride = Constant<value_ints = [{stride}]>()
    end = Constant<value_ints = [{end}]>()
    rows = Shape<start = 2, end = 3>({pixels})
    columns = Shape<start = 3, end = 4>({pixels})
    size = Mul(rows, columns)
    whole = LessOrEqual(size, most)
    fitting = Div(most, columns)
    blocks = Div(fitting, block)
    rounded = Mul(blocks, block)
    strip = Max(rounded, block)
    height = Where(whole, rows, strip)
    before_last = Sub(rows, one)
    strips_before = Div(before_last, height)
    count = Add(strips_before, one)
    strips = Squeeze(count)
    always = Constant<value = bool {{1}}>()
    none = SequenceEmpty()
    parts = Loop (strips, always, none) <body = strip
        (int64 number, bool go, seq(float[r, c, f]) found) => (bool go_on, seq(float[r, c, f]) more)
    {{
        top = Mul(number, height)
        bottom = Add(top, height)
        last = GreaterOrEqual(bottom, rows)
        early = Sub(top, overlap)
        start = Max(early, zero)
        late = Add(bottom, overlap)
        stop = Min(late, rows)
        pixels_of_strip = Slice({pixels}, start, stop, row_axis)
        cells = lynkeus.looking(pixels_of_strip)
        above = Sub(top, start)
        first = Div(above, stride)
        cell_count = Div(height, stride)
        next = Add(first, cell_count)
        until = Where(last, end, next)
        kept = Slice(cells, first, until, zero)
        more = SequenceInsert(found, kept)
        go_on = Identity(go)
    }}>
    features = ConcatFromSequence<axis = 0>(parts)
    {scores}, {map} = lynkeus.judging(features, {allowed})
}}
"""


def export_inspect(scorer: Inspect, path: Path, fitted: Mapping[str, Any]) -> float:
    """Write `path`, for `OnnxInspect`; the largest difference from the scorer, of drawn images, as TOLERANCE has it.

    `fitted`: what the model folder says of the model, as JSON. Raises SettingsError without the packages that are
    needed, ModelError where the file finds something else than the scorer.
    """
    about = {
        "schema": scorer.schema_.to_dict(),
        "outputs": scorer.outputs,
        "columns": {"position": scorer.position, "time": scorer.time},
        "references": scorer.references_.to_list(),
        "usual_contrast": scorer.contrast_.usual_contrast.tolist(),
        "stride": scorer.stride_,
        "fitted": dict(fitted),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder) / path.name
        _write(scorer, written, about)
        off = checked(scorer, OnnxInspect.load(written), _drawn(scorer), path)
        written.replace(path)
    return off


def checked(scorer: Inspect, other: OnnxInspect, samples: Iterable[Batch], path: Path) -> float:
    """The difference, where it is within TOLERANCE. Raises ModelError that says that `path` was not written."""
    off = difference(scorer, other, samples)
    if not off <= TOLERANCE:
        raise ModelError(f"{path} is not written: what it finds differs by {off:.1g} from what the model finds")
    return off


def difference(scorer: Inspect, other: OnnxInspect, samples: Iterable[Batch]) -> float:
    """Largest difference of scores and maps of images that the scorer has not learned from, NaN where one is."""
    off = []
    for batch in samples:
        for one, two in zip(scorer.inspect(batch), other.inspect(batch), strict=True):
            pairs = (np.array(one.score), two.score), (one.map, two.map)
            off += [np.max(np.abs(mine - theirs) / np.maximum(1, np.abs(mine))) for mine, theirs in pairs]
    return float(np.max(off))


def _write(scorer: Inspect, path: Path, about: Mapping[str, Any]) -> None:
    """Both networks as functions of one graph, which cuts strips."""
    channels, count = len(scorer.schema_.names), len(scorer.references_.acquisitions)
    pixels = torch.zeros(1, channels, 96, 136, dtype=torch.uint8)
    looking = FeatureGraph(scorer._features.network, scorer.stride_)
    features = looking(pixels)
    parts = {
        "looking": traced(looking, {PIXELS: pixels}, ["features"], ({2: OPEN, 3: OPEN},)),
        "judging": traced(
            ScoreGraph(scorer),
            {"features": features, ALLOWED: torch.ones(count, dtype=torch.bool)},
            [SCORES, MAP],
            ({0: OPEN, 1: OPEN}, {}),
        ),
    }
    import onnx  # `traced` has said so where it is missing
    import onnx.parser

    protos = {name: program.model_proto for name, program in parts.items()}
    opset = next(one for one in protos["looking"].opset_import if not one.domain)
    text = STRIPS.format(
        opset=opset.version, channels=channels, pixels=PIXELS, allowed=ALLOWED, references=count, scores=SCORES,
        map=MAP, most=inspect_features.strip_pixels(scorer.stride_), block=BLOCK, overlap=OVERLAP,
        stride=scorer.stride_, end=np.iinfo(np.int64).max,
    )  # fmt: skip
    model = onnx.parser.parse_model(text)
    for name, proto in protos.items():
        constants = [
            onnx.helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in proto.graph.initializer
        ]
        names = ([one.name for one in ends] for ends in (proto.graph.input, proto.graph.output))
        nodes = [*constants, *proto.graph.node]
        model.functions.append(onnx.helper.make_function("lynkeus", name, *names, nodes, [opset]))
    onnx.helper.set_model_props(model, {ABOUT: json.dumps(about)})
    onnx.save_model(model, str(path))


def _drawn(scorer: Inspect) -> Iterator[Batch]:
    """Any images: two ways of judging must agree on all of them."""
    random, channels = np.random.default_rng(0), len(scorer.schema_.names)
    wide = 1024
    schema = Schema("image", scorer.schema_.names, scorer.schema_.units, (channels, None, None))
    for number, size in enumerate([*SIZES, (inspect_features.strip_pixels(scorer.stride_) // wide + 50, wide)]):
        noise = gaussian_filter(random.normal(size=(1, channels, *size)), (0, 0, 2, 2))
        values = np.clip(120 + 100 * noise, 0, 255).astype(np.uint8)
        acquisition = scorer.references_.acquisitions[number % len(scorer.references_.acquisitions)]
        meta = {
            name: np.array([value])
            for name, value in zip((scorer.position, scorer.time), acquisition, strict=True)
            if name
        }
        yield Batch(schema, values, meta=meta)
