from itertools import combinations

import pytest

from costmodel.graph.vocabulary import KINDS
from costmodel.views.plots.palette import CYCLE, KIND_COLOURS, THEMES, colours, marks


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    """WCAG 2.1 contrast ratio."""
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda t: t.name)
def test_text_is_legible_on_ground_and_panel(theme):
    for ground in (theme.ground, theme.panel):
        assert contrast(theme.ink, ground) >= 7
        assert contrast(theme.muted, ground) >= 4.5
        assert contrast(theme.accent, ground) >= 4.5


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda t: t.name)
def test_marks_stand_out_from_ground_and_panel(theme):
    """WCAG 2.1, 1.4.11."""
    for colour in (*CYCLE, theme.faded):
        assert contrast(colour, theme.ground) >= 3 and contrast(colour, theme.panel) >= 3, colour


def test_no_two_of_64_marks_are_the_same():
    table = marks(str(i) for i in range(64))
    assert len(set(table.values())) == 64
    first = list(table.values())[:8]
    assert len({c for c, _ in first}) == len({s for _, s in first}) == 8


def dichromat(colour: str, matrix: tuple[tuple[float, ...], ...]) -> tuple[float, ...]:
    linear = [((int(colour[i : i + 2], 16) / 255) ** 2.2) for i in (1, 3, 5)]
    seen = [max(0.0, min(1.0, sum(m * c for m, c in zip(row, linear, strict=True)))) for row in matrix]
    return tuple(c ** (1 / 2.2) * 255 for c in seen)


#: Machado, Oliveira and Fernandes (2009), severity 1.0, in linear RGB.
PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))


@pytest.mark.parametrize("matrix", [PROTAN, DEUTAN], ids=["protan", "deutan"])
def test_first_six_colours_differ_for_the_colour_blind(matrix):
    for a, b in combinations(CYCLE[:6], 2):
        distance = sum((x - y) ** 2 for x, y in zip(dichromat(a, matrix), dichromat(b, matrix), strict=True)) ** 0.5
        assert distance > 30, (a, b)


def test_every_kind_of_operation_has_a_colour_of_its_own():
    assert set(KIND_COLOURS) == set(KINDS)
    assert len(set(KIND_COLOURS.values())) == len(KINDS)


def test_a_name_keeps_its_colour_wherever_it_stands():
    assert colours(["a", "b"])["a"] == colours(["a", "c", "b"])["a"]
    assert colours(["mul", "x"], KIND_COLOURS) == {"mul": KIND_COLOURS["mul"], "x": CYCLE[0]}
