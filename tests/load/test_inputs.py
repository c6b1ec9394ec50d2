"""Inputs as text: read exactly, refused with what to write instead, and made the same for the same seed."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from costmodel.errors import CostmodelError
from costmodel.load.inputs import DTYPES, InputSpec, make_inputs, parse_input, parse_inputs

SPECS = st.builds(
    InputSpec,
    shape=st.lists(st.integers(1, 64), min_size=1, max_size=5).map(tuple),
    dtype=st.sampled_from(DTYPES),
    name=st.sampled_from(["", "x", "input_ids"]),
)


@given(SPECS)
def test_writing_and_reading_are_inverse(spec: InputSpec) -> None:
    assert parse_input(str(spec)) == spec


@pytest.mark.parametrize("text", ["1x3x224x224", "1,3,224,224", " 1×3×224×224 ", "1x3x224x224:float"])
def test_spellings_of_one_shape(text: str) -> None:
    assert parse_input(text) == InputSpec((1, 3, 224, 224))


@pytest.mark.parametrize(
    "text", ["", "3x", "x3", "1x-3", "1x3.5", "image", "1x3:float99", "0x3", "99999x99999x9", "a=b"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(CostmodelError):
        parse_input(text)


def test_inputs_are_by_position_and_by_keyword() -> None:
    assert isinstance(make_inputs(parse_inputs(["1x3", "2x4:int64"])), tuple)
    named = make_inputs(parse_inputs(["ids=1x3:int64", "mask=1x3:bool"]))
    assert isinstance(named, dict) and named["mask"].dtype == torch.bool
    both = make_inputs(parse_inputs(["mask=1x4", "1x3"]))
    assert [x.shape for x in both.args] == [(1, 3)] and list(both.kwargs) == ["mask"]
    with pytest.raises(CostmodelError):
        parse_inputs(["x=1x3", "x=1x4"])


def test_the_same_seed_makes_the_same_tensors() -> None:
    a, b, c = (make_inputs(parse_inputs(["2x3"]), seed)[0] for seed in (0, 0, 1))
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_integers_fit_every_embedding() -> None:
    (ids,) = make_inputs(parse_inputs(["4x50:int64"]))
    assert set(ids.unique().tolist()) <= {0, 1}
