"""The palettes are legible: WCAG AA contrast, and hues that colour-blind readers can tell apart."""

import tomllib
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

THEMES = ("light", "dark")
TEXT = 4.5  # WCAG 2.2, 1.4.3: text
CAPTION = 0.6  # Streamlit draws captions in this share of the text colour
GRAPHIC = 3.0  # WCAG 2.2, 1.4.11: parts of a graphic and of a control
APART = 0.07  # OKLab distance; Okabe and Ito's reference palette reaches 0.076 under the same simulation
# Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB.
SIGHT = {
    "usual": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
# Björn Ottosson's OKLab: linear RGB to cone response, then its cube root to lightness and two hue axes.
TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)

Vector = tuple[float, ...]


def linear(colour: str) -> Vector:
    """Decode #rrggbb into linear RGB."""
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return tuple(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)


def times(matrix: tuple[Vector, ...], vector: Vector) -> Vector:
    """Multiply a matrix with a vector."""
    return tuple(sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)


def contrast(one: str, other: str) -> float:
    """Return WCAG's contrast ratio."""
    low, high = sorted(times(((0.2126, 0.7152, 0.0722),), linear(colour))[0] for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def faded(front: str, back: str, share: float) -> str:
    """Return the colour that a translucent front gives on a background."""
    channels = [(int(front[at : at + 2], 16), int(back[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(share * over + (1 - share) * under):02x}" for over, under in channels)


def distance(one: str, other: str, sight: str) -> float:
    """Return how far apart two colours look to somebody with that sight (OKLab)."""
    lab = []
    for colour in (one, other):
        seen = tuple(min(1.0, max(0.0, channel)) for channel in times(SIGHT[sight], linear(colour)))
        lab.append(times(TO_LAB, tuple(float(cone ** (1 / 3)) for cone in times(TO_CONES, seen))))
    return float(sum((a - b) ** 2 for a, b in zip(*lab, strict=True)) ** 0.5)


@pytest.fixture(params=THEMES)
def theme(request: pytest.FixtureRequest, checkout: Path) -> dict[str, Any]:
    """Return one theme's table."""
    config = tomllib.loads((checkout / ".streamlit" / "config.toml").read_text())
    table: dict[str, Any] = config["theme"][request.param]
    return table


def test_text_is_legible(theme: dict[str, Any]) -> None:
    """Body text, captions and links reach AA on both backgrounds, and white on a primary button does too."""
    text = ("textColor", "grayTextColor", "linkColor", "codeTextColor")
    ground = ("backgroundColor", "secondaryBackgroundColor")
    ratios = {(front, back): contrast(theme[front], theme[back]) for front in text for back in ground}
    for back in ground:
        ratios["caption", back] = contrast(faded(theme["textColor"], theme[back], CAPTION), theme[back])
    ratios["white", "primaryColor"] = contrast("#ffffff", theme["primaryColor"])

    assert {pair: ratio for pair, ratio in ratios.items() if ratio < TEXT} == {}


def test_chart_colours_stand_out(theme: dict[str, Any]) -> None:
    """Lines, bars and controls can be seen against both backgrounds."""
    ground = ("backgroundColor", "secondaryBackgroundColor")
    colours = [theme["primaryColor"], *theme["chartCategoricalColors"]]
    ratios = {(colour, back): contrast(colour, theme[back]) for colour in colours for back in ground}

    assert {pair: ratio for pair, ratio in ratios.items() if ratio < GRAPHIC} == {}


@pytest.mark.parametrize("sight", SIGHT)
def test_categories_differ_for_every_reader(theme: dict[str, Any], sight: str) -> None:
    """Two categories are never told apart by red against green alone."""
    pairs = combinations(theme["chartCategoricalColors"], 2)
    apart = {pair: distance(*pair, sight) for pair in pairs}

    assert {pair: length for pair, length in apart.items() if length < APART} == {}


def test_scales_have_exactly_ten_steps(theme: dict[str, Any]) -> None:
    """With any other number Streamlit falls back to its own colours without a word."""
    assert len(theme["chartSequentialColors"]) == 10
    assert len(theme["chartDivergingColors"]) == 10


def test_no_setting_asks_another_host(checkout: Path) -> None:
    """Fonts and themes are bundled: the dashboard works without a network."""
    lines = (checkout / ".streamlit" / "config.toml").read_text().splitlines()

    assert [line for line in lines if "://" in line] == []
