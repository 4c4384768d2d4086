"""The colors of charts: on their ground, and from each other, for every kind of sight, in light and dark."""

from __future__ import annotations

import itertools
import re
from importlib.resources import files

import pytest

Color = tuple[float, float, float]
Matrix = tuple[Color, Color, Color]

CSS = (files("outlay_web") / "static" / "outlay.css").read_text(encoding="utf-8")
# Machado, Oliveira and Fernandes 2009, "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# severity 1.0, on linear sRGB.
SIGHTS: dict[str, tuple[Matrix, float]] = {
    "all colors": (((1, 0, 0), (0, 1, 0), (0, 0, 1)), 0.13),
    "no red": (
        ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
        0.09,
    ),
    "no green": (
        ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
        0.09,
    ),
    "no blue": (
        ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
        0.07,
    ),
}
# Ottosson 2020, "A perceptual color space for image processing" (OKLab).
TO_LMS: Matrix = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_LAB: Matrix = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def themes() -> dict[str, dict[str, Color]]:
    """Linear colors by name, of each theme; the dark one stands twice and is the same both times."""
    blocks = re.findall(r"--bg:.*?--heat", CSS, re.DOTALL)
    found = [dict(re.findall(r"--(card|c[1-8]): (#[0-9a-f]{6})", block)) for block in blocks]
    assert len(found) == 3
    assert found[1] == found[2]
    return {
        mode: {name: linear(text) for name, text in named.items()}
        for mode, named in zip(("light", "dark"), found, strict=False)
    }


def linear(text: str) -> Color:
    parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return r, g, b


def times(matrix: Matrix, color: Color) -> Color:
    r, g, b = (sum(factor * part for factor, part in zip(row, color, strict=True)) for row in matrix)
    return r, g, b


def oklab(color: Color) -> Color:
    r, g, b = (min(max(part, 0.0), 1.0) for part in color)
    x, y, z = (part ** (1 / 3) for part in times(TO_LMS, (r, g, b)))
    return times(TO_LAB, (x, y, z))


def luminance(color: Color) -> float:
    return 0.2126 * color[0] + 0.7152 * color[1] + 0.0722 * color[2]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_color_stands_out_from_the_card(mode: str) -> None:
    colors = themes()[mode]
    card = luminance(colors["card"])
    for number in range(1, 9):
        light, dark = sorted((luminance(colors[f"c{number}"]), card), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, f"--c{number}"


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_any_two_colors_are_apart_for_every_sight(mode: str, sight: str) -> None:
    colors = themes()[mode]
    matrix, least = SIGHTS[sight]
    seen = {f"c{number}": oklab(times(matrix, colors[f"c{number}"])) for number in range(1, 9)}
    for one, other in itertools.combinations(seen, 2):
        apart = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert apart >= least, (one, other)
