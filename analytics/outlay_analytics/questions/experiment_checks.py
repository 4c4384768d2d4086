"""What makes an experiment untrustworthy: another split than was asked for, units in two arms, another mix of uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.statistics.intervals import chi_square_tail, p_text
from outlay_analytics.statistics.sequential import every_look_p

MISMATCH = 0.001  # p-value below which arms are not split as asked (Fabijan and others, KDD 2019, use 0.0005 to 0.01)
ITEM_UNIT = "item"
Row = Mapping[str, Any]


def logged_split(there: Sequence[Row], arms: Sequence[str]) -> dict[str, float] | None:
    """The split that calls say was asked for (`outlay.experiment.propensity`), where each arm has just one share."""
    said = {row["arm"]: row["propensities"] for row in there if row["arm"]}
    if set(said) != set(arms) or any(len(shares) != 1 for shares in said.values()):
        return None
    found = {arm: float(shares[0]) for arm, shares in said.items()}
    return found if abs(sum(found.values()) - 1) < 1e-6 else None


def sample_ratio(counts: Mapping[str, int], split: Mapping[str, float] | None) -> dict[str, Any]:
    """Whether units fell to the arms as asked, by a test that holds at every look (`every_look_p`).

    Raises:
        BadRequest: If the split names an arm without units, leaves one out, or has no positive weights.
    """
    if split is None:
        return {"asked": None, "p_value": None, "mismatch": None}
    if set(split) != set(counts):
        raise BadRequest(
            f"split names {', '.join(sorted(split)) or 'nothing'}; the arms are {', '.join(sorted(counts))}"
        )
    if not all(1e-9 <= weight <= 1e9 for weight in split.values()):
        raise BadRequest("split: every weight must be above 0, such as 0.1 or 1")
    whole = sum(split.values())
    asked = {arm: weight / whole for arm, weight in split.items()}
    p = every_look_p([counts[arm] for arm in asked], list(asked.values()))
    return {"asked": asked, "p_value": p, "mismatch": p < MISMATCH}


def parse_split(text: str) -> dict[str, float] | None:
    """`control:0.9,new:0.1` as weights, None for an empty text.

    Raises:
        BadRequest: If it cannot be read.
    """
    if not text:
        return None
    found = {}
    for part in text.split(","):
        arm, colon, weight = part.rpartition(":")
        if arm.strip() in found:
            raise BadRequest(f"split names the arm {arm.strip()[:SHOWN]!r} twice")
        try:
            found[arm.strip()] = float(weight)
        except ValueError:
            colon = ""
        if not colon or not arm.strip():
            raise BadRequest(f"split {text[:SHOWN]!r} cannot be read; write it as control:0.9,new:0.1")
    return found


def warnings_of(units: Mapping[str, Row], ratio: Row, control: str, unit: str) -> list[str]:
    """What speaks against the comparison."""
    found = []
    if ratio["mismatch"]:
        parts = ", ".join(f"{row['units']} in {arm or '(no arm)'}" for arm, row in units.items())
        found.append(
            f"units are not split as asked ({parts}; {p_text(ratio['p_value'])}): something decides who is counted; "
            "do not trust the differences"
        )
    shared = max((int(row["shared_units"]) for row in units.values()), default=0)
    total = sum(int(row["units"]) for row in units.values())
    if unit != ITEM_UNIT and shared > 0.01 * total:
        found.append(f"{shared} units were seen in more than one arm: the assignment does not stick to them")
    if len(units) == 1:
        found.append("there is only one arm: nothing to compare with")
    for arm, row in units.items():
        if arm != control and (p := same_mix(units[control], row)) < MISMATCH:
            found.append(f"{arm} and {control} were used for different features ({p_text(p)}): filter by feature")
    return found


def left_out(there: Sequence[Row], unit: str) -> list[str]:
    """Calls that are in no comparison: without an arm, or without a unit."""
    found = []
    if armless := sum(row["calls"] for row in there if not row["arm"]):
        found.append(f"{armless} calls say no arm and are left out")
    if unit != "trace":
        loose = sum(row["calls"] - row[f"{unit}_calls"] for row in there if row["arm"])
        if loose:
            found.append(f"{loose} calls say no {unit}; units and differences leave them out")
    return found


def same_mix(first: Row, second: Row) -> float:
    """p-value of both arms having the same mix of features: chi-square test of homogeneity over units."""
    one, other = (dict(zip(*row["features"], strict=True)) for row in (first, second))
    totals = [sum(mix.values()) for mix in (one, other)]
    distance, kinds, rest = 0.0, 0, [0, 0]
    for feature in {**one, **other}:
        seen = [one.get(feature, 0), other.get(feature, 0)]
        if min(sum(seen) * part / sum(totals) for part in totals) < 5:  # too rare for the test: together
            rest = [a + b for a, b in zip(rest, seen, strict=True)]
        else:
            distance, kinds = distance + _distance(seen, totals), kinds + 1
    if sum(rest) and min(sum(rest) * part / sum(totals) for part in totals) >= 5:
        distance, kinds = distance + _distance(rest, totals), kinds + 1
    return chi_square_tail(distance, kinds - 1)


def _distance(seen: Sequence[int], totals: Sequence[int]) -> float:
    expected = [sum(seen) * part / sum(totals) for part in totals]
    return sum((have - want) ** 2 / want for have, want in zip(seen, expected, strict=True))
