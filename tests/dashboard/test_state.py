import hypothesis.strategies as st
from hypothesis import given

from costmodel.dashboard.state import FIELDS, parse, read_design, write_design


def test_an_empty_link_is_the_default():
    state = parse("")
    assert state.values == {key: field[2] for key, field in FIELDS.items()}
    assert state.messages == []


def test_what_is_not_known_falls_back_and_is_said():
    state = parse("?x=nonsense&target=pynq-z2&target=/etc/passwd")
    assert state.one("x", ["energy_J", "lut"]) == "energy_J"
    assert state.many("target", ["pynq-z2", "asic"]) == ["pynq-z2"]
    assert [m for m in state.messages if "nonsense" in m] and [m for m in state.messages if "passwd" in m]


@given(st.text(max_size=300))
def test_any_text_is_a_link(text):
    state = parse("?" + text)
    assert set(state.values) == set(FIELDS)


def test_a_long_link_is_ignored_and_said():
    assert parse("?x=" + "a" * 9000).messages


def test_designs_survive_the_link():
    settings = ["mode=engine", "clock=200000000", "folding=4x27,1x1"]
    text = write_design("bn-reactnet18 (width=0.5)", "pynq-z2", settings)
    read = {"clock": "200000000", "mode": "engine", "folding": "4x27,1x1"}
    assert read_design(text) == ("bn-reactnet18 (width=0.5)", "pynq-z2", read, "deployed")
    assert text == write_design("bn-reactnet18 (width=0.5)", "pynq-z2", settings[::-1])
    written = write_design("cnv-w1a1", "pynq-z2", settings, "as_written")
    assert read_design(written) == ("cnv-w1a1", "pynq-z2", read, "as_written")
