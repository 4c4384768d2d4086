"""Sums that are enough for a mean or a ratio with its variance; they add up over groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Moments:
    """Sums over units of a pair (a, b): the figure is Σa ÷ Σb, a mean where every b is 1.

    Attributes:
        units: How many units there are.
        a, b: Σa, Σb.
        aa, bb, ab: Σa², Σb², Σab.
        shares: Whether every unit is one observation that is 0 or 1.
    """

    units: int = 0
    a: float = 0.0
    b: float = 0.0
    aa: float = 0.0
    bb: float = 0.0
    ab: float = 0.0
    shares: bool = True

    def __add__(self, other: Moments) -> Moments:
        sums = {one.name: getattr(self, one.name) + getattr(other, one.name) for one in fields(self)}
        return Moments(**sums | {"shares": self.shares and other.shares})

    @classmethod
    def read(cls, row: Mapping[str, Any], name: str) -> Moments:
        """From the columns `<name>_units`, `<name>_a` … of a statement's row."""
        kinds = {"units": int, "shares": bool}
        return cls(**{one.name: kinds.get(one.name, float)(row[f"{name}_{one.name}"]) for one in fields(cls)})

    @property
    def value(self) -> float | None:
        """Σa ÷ Σb, None where there is nothing to divide by."""
        return self.a / self.b if self.b > 0 else None

    @property
    def variance(self) -> float:
        """Variance of one unit's part: the sample variance for a mean, linearized (delta method) for a ratio.

        The variance of `value` is this over `units`. Source: W. G. Cochran, Sampling Techniques (1977), 2.11 and 6.4.
        """
        if self.units < 2 or self.b <= 0:
            return math.nan
        ratio = self.a / self.b
        squares = self.aa - 2 * ratio * self.ab + ratio * ratio * self.bb
        whole = self.aa + 2 * abs(ratio * self.ab) + ratio * ratio * self.bb
        if squares < 1e-12 * whole:  # what is left of equal units is rounding
            return 0.0
        return squares / (self.units - 1) / (self.b / self.units) ** 2
