"""The functions that an expression may call, by the names that it calls them by: of NumPy, awkward, math, and a few
without a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[..., Any]

NUMPY = {"np", "numpy"}
AWKWARD = {"ak", "awkward"}
MATH = {"math"}
MODULES = (*NUMPY, *AWKWARD, *MATH)


def _words(text: str) -> list[str]:
    return text.split()


ONE_BY_ONE = _words("""abs absolute fabs sign sqrt cbrt square exp expm1 log log2 log10 log1p hypot sin cos tan arcsin
arccos arctan arctan2 sinh cosh tanh arcsinh arccosh arctanh deg2rad rad2deg degrees radians minimum maximum fmin fmax
floor ceil rint trunc mod fmod remainder floor_divide isnan isinf isfinite logical_and logical_or logical_not
logical_xor equal not_equal less less_equal greater greater_equal add subtract multiply divide true_divide negative
heaviside""")
OF_ARRAYS = _words("""where clip round around nan_to_num ones_like zeros_like full_like stack concatenate expand_dims
squeeze argmax argmin argsort sort sum prod mean std var median min max amin amax any all count_nonzero digitize isin
isclose array asarray""")
OF_LISTS = _words("""sum prod mean std var min max any all count count_nonzero num argmax argmin argsort sort firsts
singletons flatten ravel unflatten local_index ones_like zeros_like full_like where fill_none is_none drop_none
pad_none nan_to_num values_astype to_numpy from_regular to_regular concatenate mask softmax isclose
broadcast_arrays""")
OF_NUMBERS = _words("""sqrt log log10 log2 exp hypot sin cos tan asin acos atan atan2 sinh cosh tanh fabs floor ceil
degrees radians""")
CONSTANTS = {"pi": np.pi, "e": np.e, "inf": np.inf, "nan": np.nan, "newaxis": None, "tau": 2 * np.pi}
BARE = _words("""abs sqrt exp log log10 log1p hypot sin cos tan sinh cosh tanh arctan2 minimum maximum where floor
ceil isnan isfinite""")
HELPERS = _words("""_hash _concat _stack _pad _repeat_pad _clip _batch_argsort _batch_gather _p4_from_pxpypze
_p4_from_ptetaphie _p4_from_ptetaphim""")
KEYWORDS = frozenset(
    _words("""axis keepdims mask_identity target clip value maxlen dtype a_min a_max min max decimals nan posinf neginf
    ascending stable to right counts fill_value rtol atol equal_nan kind""")
)
RANDOM = frozenset({"_batch_permute_indices", "_batch_permute_and_drop_indices"})


def known_function(module: str, name: str) -> bool:
    """Return whether an expression may call a function of this name of a module; "" for one without."""
    if module in NUMPY:
        return name in ONE_BY_ONE or name in OF_ARRAYS
    if module in AWKWARD:
        return name in OF_LISTS
    if module in MATH:
        return name in OF_NUMBERS
    return name in BARE or name in HELPERS or name == "len"


def names_of(module: str) -> list[str]:
    """Return the names of the functions of a module, or of those without."""
    if module in NUMPY:
        return [*ONE_BY_ONE, *OF_ARRAYS]
    return OF_LISTS if module in AWKWARD else OF_NUMBERS if module in MATH else [*BARE, *HELPERS, "len"]


def function(module: str, name: str) -> Function:
    """Return the function behind a name that `known_function` knows."""
    if module in AWKWARD:
        import awkward

        return getattr(awkward, name)
    if module in MATH:
        import math

        return _on_number(getattr(math, name))
    if name in HELPERS:
        from lynkeus.transforms.expressions import helpers

        return helpers.HELPERS[name]
    if name == "len":
        return len
    return getattr(np, name)


def _on_number(of: Callable[..., float]) -> Function:
    def call(*given: Any) -> float:
        return of(*map(float, given))

    return call
