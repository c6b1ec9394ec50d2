"""What an error about a name says: what is near, or else what there is."""

import pytest

from costmodel.errors import MOST_CHOICES, UnknownNameError


def test_a_name_that_is_near_another_is_told_that_one():
    assert str(UnknownNameError("network", "abbn", ["abbnn", "cnv"])) == "unknown network 'abbn'. Did you mean abbnn?"


def test_a_name_that_is_near_none_is_told_what_there_is():
    assert str(UnknownNameError("layer", "x", ["stem", "head", "stem"])) == "unknown layer 'x'. Choose from stem, head."


def test_of_many_names_some_are_told():
    said = str(UnknownNameError("layer", "?", [f"layer{i}" for i in range(MOST_CHOICES + 5)]))
    assert said.endswith(f"layer{MOST_CHOICES - 1} and 5 more.")


@pytest.mark.parametrize("known", [[], ["stem", "head"]])
def test_advice_stands_in_the_place_of_names(known):
    assert str(UnknownNameError("layer", "x", known, "See --help")) == "unknown layer 'x'. See --help"


def test_without_names_there_is_nothing_to_choose():
    assert str(UnknownNameError("layer", "x", [])) == "unknown layer 'x'."
