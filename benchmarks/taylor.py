"""Taylor coefficients of first and second order: ours beside tayloranalysis and torch.func, same network and events.

    python benchmarks/taylor.py [--inputs 30] [--width 200] [--events 2000] [--classes 1 2 4] [--repeats 5] [--float32]

One process, one thread; all take turns in every repeat, and the ratio is the median over repeats of processor times. A
network has two hidden layers of tanh; of one class the output is its logit, of more a softmax. All coefficients of all
outputs are computed: tayloranalysis is asked once for each output, as it returns those of one, and "per output" is what
it needs for one of them. First the numbers must agree to 1e-9. pip install tayloranalysis==0.2.14 (GPL-3, not a
dependency); without it the other two are compared.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import statistics
import time
from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.explain.taylor.coefficients import _by_transforms, coefficients

FUNC_EVENTS = 200  # at a time: all pairs of all events do not fit into the caches


def network(inputs: int, width: int, classes: int, dtype: torch.dtype) -> nn.Module:
    """Two hidden layers of tanh."""
    torch.manual_seed(0)
    parts = [nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, classes)]
    return nn.Sequential(*parts, *([nn.Softmax(dim=1)] if classes > 1 else [])).to(dtype)


def ways(module: nn.Module, x: Tensor, classes: int) -> dict[str, Callable[[], Tensor]]:
    """What is compared: functions of nothing to coefficients (n, outputs, all)."""
    found: dict[str, Callable[[], Tensor]] = {
        "lynkeus": lambda: coefficients(module, x, 2).all,
        "torch.func": lambda: torch.cat([_by_transforms(module, part, 2).all for part in x.split(FUNC_EVENTS)]),
    }
    if importlib.util.find_spec("tayloranalysis"):
        import tayloranalysis

        theirs = tayloranalysis.extend_model(copy.deepcopy(module))
        d = x.shape[1]
        asked = [(i,) for i in range(d)] + list(combinations_with_replacement(range(d), 2))

        def by_tayloranalysis() -> Tensor:
            outputs = []
            for k in range(classes):
                own = theirs.get_tc(
                    "input", {"input": x.clone()}, asked, selected_output_node=k, eval_max_output_node_only=False
                )
                outputs.append(torch.stack([own[index] for index in asked], dim=1))
            return torch.stack(outputs, dim=1).detach()

        found["tayloranalysis"] = by_tayloranalysis
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=30)
    parser.add_argument("--width", type=int, default=200)
    parser.add_argument("--events", type=int, nargs="+", default=[2000])
    parser.add_argument("--classes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--float32", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    dtype = torch.float32 if given.float32 else torch.float64
    print("| events | classes | way | us per event | us per output | ours is faster by |\n|" + " --- |" * 6)
    for events in given.events:
        for classes in given.classes:
            module = network(given.inputs, given.width, classes, dtype)
            x = torch.randn(events, given.inputs, dtype=dtype, generator=torch.Generator().manual_seed(1))
            few = ways(module, x[:50], classes)
            ours = few["lynkeus"]()
            for name, way in few.items():
                off = float((way() - ours).abs().max() / ours.abs().max())
                assert off < (1e-5 if given.float32 else 1e-9), f"{name} differs by {off:.1e}"
            took: dict[str, list[float]] = {}
            for _ in range(given.repeats):
                for name, way in ways(module, x, classes).items():
                    begun = time.process_time()
                    way()
                    took.setdefault(name, []).append(time.process_time() - begun)
            for name, own in took.items():
                ratio = statistics.median(np.array(own) / np.array(took["lynkeus"]))
                each = 1e6 * statistics.median(own) / events
                print(
                    f"| {events} | {classes} | {name} | {each:.0f} | {each / classes:.0f} | {ratio:.1f} |", flush=True
                )


if __name__ == "__main__":
    main()
