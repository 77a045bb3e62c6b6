"""Expressions: what is allowed gives what NumPy and awkward give, what is not is refused in one line."""

import numpy as np
import pytest

from lynkeus.core import SettingsError
from lynkeus.transforms.expressions import evaluate, parse

ALLOWED = [
    "np.log(pt/jet_pt)",
    "np.hypot(deta, dphi)",
    "(jet_pt > 30) & (np.abs(jet_eta) < 2.5) | ~(flag == 1)",
    "ak.sum(pt, axis=1) / jet_pt",
    "ak.num(pt)",
    "ak.firsts(pt[ak.argsort(pt, ascending=False)])",
    "pt[:, :2]",
    "ak.fill_none(ak.pad_none(pt, 3, clip=True), -1.5)",
    "pt[pt > 5]",
    "np.stack([ak.to_numpy(jet_pt), ak.to_numpy(flag)], axis=1)[:, 0]",
    "np.where(jet_eta < 0, -1.0, 1.0) * deta",
    "jet_pt ** 2 + 2 ** -1 + (flag << 2) % 3",
    "-jet_pt // 3",
    "ak.values_astype(pt, 'int32')",
    "np.tanh(pt) * math.pi + np.pi",
    "ak.min(np.hypot(pt[:, :, np.newaxis] - deta[:, None, :], 1), axis=-1)",
    "ak.ones_like(pt)",
    "True",
]


@pytest.fixture(scope="module")
def table():
    ak = pytest.importorskip("awkward")
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 8, 20)
    lists = {
        name: ak.unflatten(rng.uniform(0.1, 20, lengths.sum()).astype("f4"), lengths) for name in ("pt", "deta", "dphi")
    }
    plain = {"jet_pt": rng.uniform(20, 90, 20), "jet_eta": rng.normal(size=20), "flag": rng.integers(0, 2, 20)}
    return lists | {name: ak.Array(column) for name, column in plain.items()}


@pytest.mark.parametrize("text", ALLOWED)
def test_an_expression_gives_what_it_gives_in_weaver(table, text) -> None:
    ak, weaver = pytest.importorskip("awkward"), pytest.importorskip("weaver.utils.data.eval_utils")
    with np.errstate(all="ignore"):
        expected = weaver._eval_expr(text, table)
    found = evaluate(parse(text), table)
    assert ak.to_list(found) == ak.to_list(expected) if hasattr(expected, "__len__") else found == expected


def test_helpers_are_those_of_weaver(table) -> None:
    tools = pytest.importorskip("weaver.utils.data.tools")
    ak = pytest.importorskip("awkward")
    for text, expected in {
        "_pad(pt, 4, -1)": tools._pad(table["pt"], 4, -1),
        "_repeat_pad(pt, 5)": tools._repeat_pad(table["pt"], 5),
        "_clip(pt, 1, 3)": tools._clip(table["pt"], 1, 3),
        "_hash(flag, jet_pt)": tools._hash(table["flag"], table["jet_pt"]),
        "_concat([pt, deta], axis=1)": tools._concat([table["pt"], table["deta"]], axis=1),
        "_stack([jet_pt, jet_eta])": tools._stack([table["jet_pt"], table["jet_eta"]]),
        "_batch_gather(pt, _batch_argsort(pt))": tools._batch_gather(table["pt"], tools._batch_argsort(table["pt"])),
    }.items():
        assert ak.to_list(evaluate(parse(text), table)) == ak.to_list(expected), text


def test_columns_of_numpy_need_no_awkward() -> None:
    table = {"x": np.array([1.0, -2.0, 3.0]), "kind": np.array(["a", "b", "a"])}
    assert evaluate(parse("(abs(x) > 1.5) & (kind == 'a')"), table).tolist() == [False, False, True]
    assert evaluate(parse("where(x < 0, 0, sqrt(x))"), table).tolist() == [1.0, 0.0, np.sqrt(3.0)]
    assert parse("x + y * np.log(x)").names == ("x", "y")


def test_parts_of_four_momenta() -> None:
    px, py, pz = (np.array(own) for own in ([3.0, 1.0], [4.0, 0.0], [0.0, 2.0]))
    table = {"px": px, "py": py, "pz": pz, "e": np.array([13.0, 3.0])}
    p4 = "_p4_from_pxpypze(px, py, pz, e)"
    np.testing.assert_allclose(evaluate(parse(f"{p4}.pt"), table), [5, 1])
    np.testing.assert_allclose(evaluate(parse(f"{p4}.mass"), table), [12, 2])
    back = evaluate(parse(f"_p4_from_ptetaphim({p4}.pt, {p4}.eta, {p4}.phi, {p4}.mass)"), table)
    for name in ("px", "py", "pz", "energy"):
        np.testing.assert_allclose(back.part(name), table["e" if name == "energy" else name], atol=1e-12)


REFUSED = {
    "__import__('os').system('true')": "only functions by name",
    "().__class__.__bases__": "attribute .__bases__",
    "x.__class__": "attribute .__class__",
    "x.tofile('a')": "only functions by name",
    "np.load('a')": "np.load is no function",
    "np.fromfile('a')": "no function that may be called",
    "np.core": "neither a constant nor called",
    "np.random.normal(0, 1, 3)": "only functions by name",
    "open('a')": "open is no function",
    "eval('1')": "eval is no function",
    "getattr(x, 'y')": "getattr is no function",
    "(lambda: 1)()": "only functions by name",
    "lambda: 1": "lambda",
    "[x for x in y]": "loops",
    "(x for x in y)": "loops",
    "x if y else z": "np.where",
    "x and y": "write & and |",
    "not x": "write ~",
    "0 < x < 5": "chain of comparisons",
    "x in y": "np.isin",
    "(y := 3)": "sets a name",
    "f'{x}'": "text with values",
    "'a' * 1000000000": "neither a number",
    "[1] * 1000000000": "List is not read",
    "x @ y": "'@'",
    "9 ** 9 ** 9": "",
    "x ** 1000": "at most 64",
    "1 << 100000": "at most 64",
    "np.log(x, out=y)": "argument out",
    "np.log(*x)": "'*' before an argument",
    "ak.pad_none(x, 100000000)": "too long to pad",
    "np.zeros(1000000000)": "no function that may be called",
    "np.ones_like(x, dtype='object')": "'object'",
    "_x + 1": "begins with '_'",
    "np + 1": "np is a module",
    "x y": "cannot be read",
    "": "cannot be read",
    "import os": "cannot be read",
    "x; y": "cannot be read",
    "(" * 300: "cannot be read",
    "-" * 4000 + "x": "",
    "+".join(["x"] * 1500): "split it",
    "x" * 6000: "at most 5000",
    "99999999999999999999": "more than 63 bits",
    "_batch_permute_indices(x)": "by chance",
}


@pytest.mark.parametrize(("text", "says"), REFUSED.items(), ids=range(len(REFUSED)))
def test_what_is_not_allowed_is_one_line(text, says) -> None:
    table = {"x": np.arange(3.0), "y": np.arange(3.0), "z": np.arange(3.0)}
    with pytest.raises(SettingsError) as raised:
        evaluate(parse(text, "layout.yaml: selection"), table)
    said = str(raised.value)
    assert "\n" not in said
    assert says in said
    assert len(said) < 400
    assert repr(text[:50])[:40] in said


def test_numbers_alone_do_not_grow_without_end() -> None:
    assert evaluate(parse("2 ** 64 * 2 ** 64"), {}) == 2.0**128
    assert isinstance(evaluate(parse("3000000000 * 3000000000 * 3000000000"), {}), np.integer)


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"'jet_pt > 3': there is no column jet_pt; nearest is jet_Pt"):
        evaluate(parse("jet_pt > 3"), {"jet_Pt": np.ones(2)})


def test_what_numpy_refuses_is_one_line() -> None:
    with pytest.raises(SettingsError, match=r"'x \+ y': cannot be computed"):
        evaluate(parse("x + y"), {"x": np.ones(2), "y": np.ones(3)})
