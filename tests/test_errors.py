"""Every invalid argument of every verb: which exception, and that its message names the verb and
the argument and shows what came.

One row changes one thing in a call that is right; the call itself is that of `SMALL`.
"""

from typing import Any

import numpy as np
import pytest
from support import (
    DTYPES,
    FORWARD,
    GRADIENTS,
    INPUT_GRADS,
    SMALL,
    VERBS,
    WEIGHT_GRADS,
    call,
    child,
    family_of,
    keywords,
    operands,
    run,
)

import sweepconv as sc
from sweepconv import reference

SWEEPS = [v for v in VERBS if not v.startswith("dense")]
BANKED = [v for v in SWEEPS if v.startswith(("tiled", "local"))]


def refused(verb: str, error: type[Exception], *words: str, **changed: Any) -> None:
    """The call with some arguments changed raises `error`, with all words in its message."""
    case = SMALL[family_of(verb)]
    values = operands(verb, case)
    named = {k: v for k, v in changed.items() if k not in values}
    positional = {k: changed.get(k, v) for k, v in values.items()}
    with pytest.raises((ValueError, TypeError)) as raised:
        getattr(sc, verb)(*positional.values(), **(keywords(verb, case) | named))
    message = str(raised.value)
    assert raised.type is error, message
    for word in (verb, *words):
        assert word in message, f"{word!r} is not in {message!r}"


def arrays_of(verb: str) -> list[str]:
    values = operands(verb, SMALL[family_of(verb)])
    return [k for k, v in values.items() if isinstance(v, np.ndarray)]


each_array = pytest.mark.parametrize(
    "verb, name", [(verb, name) for verb in VERBS for name in arrays_of(verb)])


# Arrays


@each_array
@pytest.mark.parametrize("dtype", ["float16", "longdouble", "int32", "int64", "bool", "complex64",
                                   "object", "U3", "S2", ">f8", ">f4", "M8[s]", "V8"])
def test_dtypes(verb: str, name: str, dtype: str) -> None:
    given = operands(verb, SMALL[family_of(verb)])[name]
    came = np.zeros(given.shape, dtype)
    refused(verb, TypeError, name, "float32", "float64", str(came.dtype), **{name: came})


@each_array
def test_mixed_dtypes(verb: str, name: str) -> None:
    given = operands(verb, SMALL[family_of(verb)])[name]
    refused(verb, TypeError, "float32", "float64", *arrays_of(verb)[:1],
            **{name: given.astype(np.float32)})


@pytest.mark.parametrize("value, error", [
    (None, TypeError), ("x", TypeError), ({1: 2}, TypeError),
    ([[1.0], [1.0, 2.0]], ValueError),  # as np.asarray has it
])
@pytest.mark.parametrize("verb", VERBS)
def test_what_is_no_array(verb: str, value: Any, error: type[Exception]) -> None:
    for name in arrays_of(verb):
        if name != "b" or value is not None:
            refused(verb, error, f": {name} ", **{name: value})


@each_array
def test_shapes_of_operands(verb: str, name: str) -> None:
    """One axis more, one less, and each axis one longer: the message shows the shape that came."""
    given = operands(verb, SMALL[family_of(verb)])[name]
    wrong = [given[None], given[0]]
    for axis in range(given.ndim):
        shape = [n + (a == axis) for a, n in enumerate(given.shape)]
        wrong.append(np.zeros(shape))
    case = SMALL[family_of(verb)]
    for array in wrong:
        values = operands(verb, case) | {name: array}
        try:
            got = call(verb, case, values)
        except ValueError as error:
            message = str(error)
        else:  # another batch, image or number of filters may fit as well
            want = getattr(reference, verb)(*values.values(), **keywords(verb, case))
            assert got.shape == want.shape
            continue
        assert message.startswith(f"{verb}: ")
        assert str(array.shape) in message, message


@pytest.mark.parametrize("verb", SWEEPS)
def test_number_of_spatial_axes(verb: str) -> None:
    name = "x_shape" if verb in INPUT_GRADS else "x"
    for shape in ((3,), (2, 3), (1, 2, 3, 4, 5, 6)):
        value: Any = shape if name == "x_shape" else np.ones(shape)
        refused(verb, ValueError, "1, 2 or 3 spatial axes", str(shape), **{name: value})


@pytest.mark.parametrize("verb", GRADIENTS)
@pytest.mark.parametrize("value, error", [
    (5, TypeError), (None, TypeError), ("abcd", TypeError), ((2.0, 4, 9, 8), TypeError),
    ((-1, 4, 9, 8), ValueError), ((2, 4), ValueError), ((), ValueError),
    ((2**40,) * 4, ValueError), ((2**70, 1, 1, 1), ValueError), ((0, 2**63, 1, 1), ValueError),
])
def test_shapes_that_are_asked_for(verb: str, value: Any, error: type[Exception]) -> None:
    name = "x_shape" if verb in INPUT_GRADS else "w_shape"
    refused(verb, error, name[0], **{name: value})


@pytest.mark.parametrize("verb", BANKED)
def test_banks(verb: str) -> None:
    case = SMALL[family_of(verb)]
    name = "w_shape" if verb in WEIGHT_GRADS else "w"
    bank, rest = case.w_shape[:2], case.w_shape[2:]
    wrong = [(0, *bank[1:])] if verb.startswith("tiled") else [
        (bank[0] + 1, bank[1]), (bank[0], bank[1] - 1), (1, 1), bank[::-1]]
    for other in wrong:
        shape = (*other, *rest)
        word = "period" if verb.startswith("tiled") else str(bank)
        refused(verb, ValueError, "w", word, str(shape),
                **{name: shape if name == "w_shape" else np.ones(shape)})


@pytest.mark.parametrize("verb", SWEEPS)
def test_a_kernel_without_taps_or_larger_than_the_input(verb: str) -> None:
    case = SMALL[family_of(verb)]
    shapes = {(*case.w_shape[:-1], 0): "at least one tap"}
    if verb != "conv_transpose":  # for which no kernel is too large
        shapes |= {(*case.w_shape[:-1], 50): "padded input has only"}
    for shape, word in shapes.items():
        given: Any = shape if verb in WEIGHT_GRADS else np.ones(shape)
        refused(verb, ValueError, "w", word, str(shape),
                **{"w_shape" if verb in WEIGHT_GRADS else "w": given})


# Keywords


AXES: list[tuple[Any, type[Exception]]] = [
    (0, ValueError), (-1, ValueError), ((1, 0), ValueError), ((1,), ValueError),
    ((1, 2, 1), ValueError), ((), ValueError), (1.0, TypeError), ((1, 2.5), TypeError),
    (None, TypeError), ("2", TypeError), (np.float64(1), TypeError), (slice(1), TypeError),
    (((1, 2), (1, 2)), TypeError), (2**63, ValueError), ((1, 2**70), ValueError),
]
KEYWORDS: list[tuple[str, Any, type[Exception]]] = [
    *(("stride", value, error) for value, error in AXES),
    *(("dilation", value, error) for value, error in AXES),
    ("padding", "sane", ValueError), ("padding", "SAME", ValueError), ("padding", "", ValueError),
    ("padding", "causal", ValueError), ("padding", None, TypeError), ("padding", 1.0, TypeError),
    ("padding", (1,), ValueError), ("padding", (1, 2, 3), ValueError),
    ("padding", (1, 1.0), TypeError), ("padding", ((1, 2), (0,)), ValueError),
    ("padding", ((1, 2), (0, 1, 2)), ValueError), ("padding", ((1, 2), (0, 1.0)), TypeError),
    ("padding", ((1, 2), "x"), TypeError), ("padding", 2**62, ValueError),
    ("padding", -2**62, ValueError), ("padding", ((2**80, -2**80), (0, 0)), ValueError),
    ("padding_mode", "wrap", ValueError), ("padding_mode", "", ValueError),
    ("padding_mode", None, TypeError), ("padding_mode", 3, TypeError),
    ("groups", 0, ValueError), ("groups", -2, ValueError), ("groups", 3, ValueError),
    ("groups", 2**70, ValueError), ("groups", 1.0, TypeError), ("groups", None, TypeError),
    ("groups", (2, 2), TypeError),
]


@pytest.mark.parametrize("name, value, error", KEYWORDS, ids=str)
@pytest.mark.parametrize("verb", SWEEPS)
def test_keywords_of_the_geometry(verb: str, name: str, value: Any, error: type[Exception]) -> None:
    refused(verb, error, name, **{name: value})


@pytest.mark.parametrize("verb", SWEEPS)
def test_padding_that_leaves_nothing(verb: str) -> None:
    """A crop of all; in conv_transpose, which takes padding away, a wide padding."""
    transposed = verb == "conv_transpose"
    for padding in (50, ((9, 0), (9, 9))) if transposed else (-50, ((-9, 0), (0, 0))):
        refused(verb, ValueError, "padding", "x.shape" if transposed else "x", padding=padding)


@pytest.mark.parametrize("value, error", [
    (0, ValueError), (-1, ValueError), (2**40, ValueError), (1.0, TypeError), ("2", TypeError),
    ((1, 2), TypeError),
])
@pytest.mark.parametrize("verb", VERBS)
def test_n_threads(verb: str, value: Any, error: type[Exception]) -> None:
    refused(verb, error, "n_threads", n_threads=value)


@pytest.mark.parametrize("value, error", [(0, ValueError), (1.5, TypeError), (-3, ValueError)])
def test_threads(value: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="threads"), sc.threads(value):
        pass


@pytest.mark.parametrize("verb", SWEEPS)
def test_algorithm(verb: str) -> None:
    refused(verb, ValueError, "algorithm", "'direct'", "'fast'", "'fft'", algorithm="fft")


@pytest.mark.parametrize("value, error", [
    (-1, ValueError), (9, ValueError), ((0,), ValueError), (0.5, TypeError)])
def test_output_padding(value: Any, error: type[Exception]) -> None:
    refused("conv_transpose", error, "output_padding", output_padding=value)
    refused("conv_transpose", ValueError, "output_padding", "'same'", padding="same",
            output_padding=(1, 0))


@pytest.mark.parametrize("name", ["strides", "pad", "accumulate", "bias", "dilations", "mode"])
@pytest.mark.parametrize("verb", VERBS)
def test_unknown_keywords(verb: str, name: str) -> None:
    if name == "accumulate" and verb in GRADIENTS:
        refused(verb, ValueError, "accumulate=True", "out", accumulate=True)
    else:
        refused(verb, TypeError, repr(name), **{name: 1})


# out=


@pytest.mark.parametrize("verb", VERBS)
def test_out(verb: str) -> None:
    right = run(verb, SMALL[family_of(verb)])
    shape = right.shape
    read_only = right.copy()
    read_only.flags.writeable = False
    for out in (right[None], right[..., :-1], np.zeros((*shape[:-1], 1)), np.zeros(0)):
        refused(verb, ValueError, "out", str(shape), str(out.shape), out=out)
    for dtype in ("float32", "int64", ">f8", "complex128"):
        refused(verb, TypeError, "out", "float64", str(np.dtype(dtype)), out=right.astype(dtype))
    for other in (right.tolist(), 1.0, right.data):
        refused(verb, TypeError, "out", type(other).__name__, out=other)
    refused(verb, ValueError, "out", "read-only", out=read_only)


@pytest.mark.parametrize("verb", VERBS)
def test_out_whose_elements_share_memory(verb: str) -> None:
    """What a sum would be there depends on who writes last."""
    right = run(verb, SMALL[family_of(verb)])
    zero = np.lib.stride_tricks.as_strided(right, right.shape, (0,) * right.ndim)
    refused(verb, ValueError, "out", out=zero)
    sliding = np.lib.stride_tricks.as_strided(right, right.shape, (8,) * right.ndim)
    refused(verb, ValueError, "out", out=sliding)


# Biases


@pytest.mark.parametrize("family", SMALL)
def test_bias_grad(family: Any) -> None:
    case = SMALL[family]
    dy = case.array("dy", case.y_shape)
    rank, channels = dy.ndim - 2, dy.shape[1]
    for b_shape in ((channels + 1,), (2,) * (rank + 2), (*(0,) * max(rank, 1), channels), (),
                    (3, *(1,) * rank)):
        with pytest.raises(ValueError, match="bias_grad: b_shape") as raised:
            sc.bias_grad(dy, b_shape)
        assert str(dy.shape) in str(raised.value)
        assert str(b_shape) in str(raised.value)
    with pytest.raises(TypeError, match="bias_grad: dy must be float32 or float64"):
        sc.bias_grad(dy.astype(int), (channels,))
    with pytest.raises(ValueError, match="bias_grad: accumulate=True"):
        sc.bias_grad(dy, (channels,), accumulate=True)


# Sizes beyond the machine


HOSTILE = """
import itertools, json, random, resource
import numpy as np
import sweepconv as sc
from support import SMALL, VERBS, family_of, keywords, operands

resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
random.seed({seed})
ints = [-2**63, -2**62, -2**31, -7, -1, 0, 1, 1, 1, 2, 2, 3, 2**31 - 1, 2**31, 2**32 + 1, 2**48,
        2**59, 2**60, 2**61, 2**62, 2**63 - 1, 2**63, 2**64, 2**70, 10**30]

def some(depth=2):
    n = random.choice([0, 1, 2, 2])
    return random.choice(ints) if n < 1 else tuple(
        random.choice(ints) if depth < 2 or random.random() < 0.7 else
        (random.choice(ints), random.choice(ints)) for _ in range(n))

bad = []
counts = dict.fromkeys(["right", "ValueError", "MemoryError", "TypeError"], 0)
for i in range({draws}):
    verb = random.choice([v for v in VERBS if not v.startswith("dense")])
    case = SMALL[family_of(verb)]
    values, named = operands(verb, case), keywords(verb, case)
    name = random.choice(["stride", "padding", "padding", "dilation", "groups", "shape"])
    if name == "shape":
        last = list(values)[-1]
        if isinstance(values[last], tuple):
            shape = list(values[last])
            shape[random.randrange(len(shape))] = random.choice(ints)
            values[last] = tuple(shape)
    else:
        named[name] = some()
        named["padding_mode"] = random.choice(["zeros", "reflect", "circular"])
    try:
        got = getattr(sc, verb)(*values.values(), **named)
        counts["right"] += 1
    except (ValueError, MemoryError, TypeError) as error:
        counts[type(error).__name__] += 1
    except Exception as error:
        bad.append([verb, str(named), str([np.shape(v) for v in values.values()]), repr(error)])
print(json.dumps([counts, bad[:5]]))
"""


@pytest.mark.parametrize("seed", range(2))
def test_hostile_integers(seed: int) -> None:
    """Every draw ends in a result, or in an error that says so; none in a crash or a hang."""
    counts, bad = child(HOSTILE.format(seed=seed, draws=1500), timeout=60)
    assert bad == []
    assert counts["ValueError"] > 100
    assert counts["right"] > 10


@pytest.mark.parametrize("call_", [
    "sc.conv(x, w1, dilation=2**70)",
    "sc.conv_input_grad(x, w1, (1, 1, 10), dilation=2**70)",
    "sc.conv_weight_grad(x, x, (1, 1, 1), dilation=2**70)",
    "sc.conv(x, w1, dilation=2**61)",
    "sc.conv(x, w3, dilation=2**61)",
    "sc.conv(x, w1, stride=2**59, padding=2**58)",
    "sc.conv(x, w1, padding=2**40)",
    "sc.conv(x, w1, padding=2**62)",
    "sc.conv(x, w1, padding=((2**61, -2**61),))",
    "sc.tiled_conv(x, bank, stride=2**59)",
    "sc.tiled_conv_input_grad(one, bank, (1, 1, 10), stride=2**59)",
    "sc.tiled_conv_weight_grad(x, one, (100, 1, 1, 1), stride=2**59)",
    "sc.tiled_conv_weight_grad(x, x, (2**40, 1, 1, 1))",
    "sc.conv_input_grad(three, w1, (1, 1, 10), padding=2**40, stride=2**40)",
    "sc.conv_input_grad(three, w1, x.shape, padding=2**40, stride=2**40, padding_mode='reflect')",
    "sc.conv_transpose(x, w1, stride=2**50)",
    "sc.conv_transpose(x, w1, stride=2**62)",
    "sc.conv_transpose(np.ones((0, 1, 2)), w1, stride=2**34)",
    "sc.conv_input_grad(np.ones((0, 1, 1)), w1, (0, 1, 2**34), stride=2**34)",
    "sc.conv(np.ones((0, 1, 2)), w1, padding=2**40)",
    "sc.conv(x, np.ones((0, 1, 1)), padding=2**40)",
    "sc.dense_input_grad(np.ones((2**20, 1)), np.ones((1, 4)), (2**20, 2**45))",
    "sc.max_pool(x, 2**62)",
    "sc.max_pool(x, 1, stride=2**62)",
    "sc.avg_pool(x, 1, padding=2**62)",
])
def test_sizes_that_overflow(call_: str) -> None:
    """A right result where it is small, else an error; soon, and in 4 GB."""
    outcome = child(f"""
import json, resource
import numpy as np
import sweepconv as sc
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
x, one, three = np.ones((1, 1, 10)), np.ones((1, 1, 1)), np.ones((1, 1, 3))
w1, w3, bank = np.ones((1, 1, 1)), np.ones((1, 1, 3)), np.ones((100, 1, 1, 1))
try:
    outcome = str({call_}.shape)
except (ValueError, MemoryError) as error:
    outcome = type(error).__name__
except Exception as error:
    outcome = repr(error)
print(json.dumps(outcome))
""", timeout=60)
    assert outcome in ("ValueError", "MemoryError") or outcome.startswith("(")


def test_both_dtypes_are_allowed() -> None:
    for verb in FORWARD:
        values = operands(verb, SMALL[family_of(verb)])
        for dtype in DTYPES:
            cast = {k: v.astype(dtype) for k, v in values.items()}
            assert call(verb, SMALL[family_of(verb)], cast).dtype == dtype
