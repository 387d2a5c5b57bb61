"""Every verb against the reference on the whole grid of geometries: `==` where sums are exact,
the modelled bound where they round, NaN and Inf in their receptive field and nowhere else."""

import numpy as np
import pytest
from support import (
    BANKS,
    DTYPES,
    EDGES,
    FEW,
    IMAGES,
    KINDS,
    LONG,
    ONE_PIXEL,
    PHASES,
    PIECES,
    PREFIX,
    SPANNED,
    STRIDED,
    VECTORS,
    VERBS,
    family_of,
)

import sweepconv as sc
from sweepconv import _interleave
from sweepconv.testing import Case, CaseFamily, check_conv, conv_cases

# The steps that one tile sums, at most: 1.5 times STEPS of ext/sweepconv/_task.pxd.
TILE_STEPS = 288


@pytest.mark.parametrize("verb", VERBS)
def test_equal_on_small_integers(verb: str) -> None:
    summary = check_conv(getattr(sc, verb), verb=verb, fills=["exact"])
    assert summary.cases >= (60 if family_of(verb) == "dense" else 1000)


# The other fills take a third of the grid each.

@pytest.mark.parametrize("verb", VERBS)
def test_within_the_bound_on_reals(verb: str) -> None:
    cases = conv_cases("full", [family_of(verb)])[::3]
    summary = check_conv(getattr(sc, verb), verb=verb, cases=cases, fills=["real"])
    assert 0 < summary.worst <= 1


@pytest.mark.parametrize("part, fill", [(1, "special"), (2, "special_w")])
@pytest.mark.parametrize("verb", VERBS)
def test_nan_and_inf_reach_their_receptive_field(verb: str, part: int, fill: str) -> None:
    """In the data operand, and in the other one."""
    cases = conv_cases("full", [family_of(verb)])[part::3]
    check_conv(getattr(sc, verb), verb=verb, cases=cases, fills=[fill])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["local", "tiled"])
def test_many_images(family: CaseFamily, kind: str) -> None:
    """Of filters that serve one output each; the grid's batches are small."""
    verb = PREFIX[family] + kind
    cases = [case for case in IMAGES if case.family == family]
    summary = check_conv(getattr(sc, verb), verb=verb, cases=cases,
                         fills=["exact", "real", "special", "special_w"])
    assert summary.cases == len(cases)


@pytest.mark.parametrize("verb", VERBS)
def test_few_targets_of_one_pixel(verb: str) -> None:
    cases = ONE_PIXEL[family_of(verb)]
    summary = check_conv(getattr(sc, verb), verb=verb, cases=cases, fills=["exact", "real"])
    assert summary.cases == len(cases)


@pytest.mark.parametrize("kind", KINDS)
def test_long_filters(kind: str) -> None:
    """Of one channel each."""
    summary = check_conv(getattr(sc, f"conv{kind}"), verb=f"conv{kind}", cases=LONG,
                         fills=["exact", "special", "special_w"])
    assert summary.cases == len(LONG)


@pytest.mark.parametrize("kind", KINDS)
def test_few_channels_of_wide_images(kind: str) -> None:
    summary = check_conv(getattr(sc, f"conv{kind}"), verb=f"conv{kind}", cases=FEW,
                         fills=["exact", "special", "special_w"])
    assert summary.cases == len(FEW)


@pytest.mark.parametrize("kind", KINDS)
def test_wide_padding(kind: str) -> None:
    summary = check_conv(getattr(sc, f"conv{kind}"), verb=f"conv{kind}", cases=EDGES,
                         fills=["exact", "real", "special", "special_w"])
    assert summary.cases == len(EDGES)


@pytest.mark.parametrize("kind", KINDS)
def test_depthwise_images_in_pieces(kind: str) -> None:
    summary = check_conv(getattr(sc, f"conv{kind}"), verb=f"conv{kind}", cases=PIECES,
                         fills=["exact", "real", "special", "special_w"])
    assert summary.cases == len(PIECES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["conv", "dense"])
def test_few_vectors(family: CaseFamily, kind: str) -> None:
    verb = PREFIX[family] + kind
    cases = [case for case in VECTORS if case.family == family]
    summary = check_conv(getattr(sc, verb), verb=verb, cases=cases,
                         fills=["exact", "real", "special", "special_w"])
    assert summary.cases == len(cases) > 0


@pytest.mark.parametrize("verb", ["conv_weight_grad", "dense_weight_grad"])
def test_large_banks(verb: str) -> None:
    check_conv(getattr(sc, verb), verb=verb, cases=BANKS, fills=["exact", "special"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["conv", "tiled"])
def test_kernels_as_long_as_the_image(family: CaseFamily, kind: str) -> None:
    verb = PREFIX[family] + kind
    cases = [case for case in SPANNED if case.family == family]
    summary = check_conv(getattr(sc, verb), verb=verb, cases=cases,
                         fills=["exact", "real", "special", "special_w"])
    assert summary.cases == len(cases) > 0


@pytest.mark.parametrize("verb", ["conv_input_grad", "conv_transpose"])
def test_banks_of_several_phases(verb: str) -> None:
    summary = check_conv(getattr(sc, verb), verb=verb, cases=PHASES,
                         fills=["exact", "real", "special", "special_w"])
    assert summary.cases == len(PHASES)


@pytest.mark.parametrize("verb", ["conv_input_grad", "conv_transpose"])
def test_few_channels_with_a_stride(verb: str) -> None:
    summary = check_conv(getattr(sc, verb), verb=verb, cases=STRIDED,
                         fills=["exact", "real", "special", "special_w"])
    assert summary.cases == len(STRIDED)
    assert all(_interleave.form(case.geometry) for case in STRIDED)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("verb, case", [
    ("conv", Case((1, 2048, 4, 4), (3, 2048, 3, 3))),
    ("local_conv", Case((1, 2048, 3, 3), (1, 1, 3, 2048, 3, 3), family="local")),
    ("conv_input_grad", Case((1, 3, 4, 4), (2048, 3, 3, 3))),
    ("dense", Case((2, 20_000), (3, 20_000), family="dense")),
])
def test_long_sums_round_little(verb: str, case: Case, dtype: type) -> None:
    """A product passes through the additions of its own tile and then one for each later tile,
    not through all n: with a sum of n terms in tiles of at least a quarter of TILE_STEPS, that is
    less than TILE_STEPS + 4 n / TILE_STEPS roundings of eps/2 each."""
    terms = int(np.prod(case.x_shape[1:] if family_of(verb) == "dense" else (2048, 3, 3)))
    case = Case(case.x_shape, case.w_shape, family=case.family, dtype=np.dtype(dtype).name)
    check_conv(getattr(sc, verb), verb=verb, cases=[case], fills=["real"],
               c=(TILE_STEPS + 4 * terms / TILE_STEPS) / 2)
