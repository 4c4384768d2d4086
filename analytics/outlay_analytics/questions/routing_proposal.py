"""The exploration that would tell what another tier brings: which share of requests, and for how long.

With a share e of the requests drawn evenly among K tiers, each tier gets e ÷ K of them, so that its effective sample
grows by that much a request. It has to reach `LEAST_EFFECTIVE`, and so many scored answers that an interval for their
mean, of the variance seen so far, is narrower than the margin on either side::

    answers(tier) = max(LEAST_EFFECTIVE, z² · variance ÷ margin²),  requests = answers · K ÷ (e · scored share)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from outlay_analytics.statistics.intervals import Z_975
from outlay_analytics.statistics.off_policy import LEAST_EFFECTIVE

SHARES = (0.02, 0.05, 0.1, 0.2)  # of requests, that may be explored
MOST_DAYS = 30
UNKNOWN_VARIANCE = 0.25  # the largest that a share can have


def propose(
    undecided: Sequence[Mapping[str, Any]],
    rows: Sequence[Mapping[str, Any]],
    *,
    days: Decimal,
    told: int,
    scored: float,
    variance: float | None,
    margin: float,
) -> dict[str, Any] | None:
    """The smallest exploration that tells within a month; None where every tier is decided, or there is no other.

    Args:
        undecided, rows: Tiers of the task.
        days: How long its requests came.
        told: Requests that say their probability.
        scored, variance: Scored answers among them, and the variance of their scores.

    Returns:
        `tiers`, `explore` (share of requests), `answers` (scored, per tier), `requests` and `days` until then, None
        where nothing is scored yet, and `code`.
    """
    if not undecided:
        return None
    requests = sum(row["requests"] for row in rows)
    usual = max(rows, key=lambda row: row["requests"])["tier"]
    tiers = list(dict.fromkeys([usual, *(row["tier"] for row in undecided)]))
    drawn = max(2, len(rows))
    width = Z_975**2 * (variance or UNKNOWN_VARIANCE) / margin**2 if margin else 0
    answers = max(LEAST_EFFECTIVE, math.ceil(width))
    ratio = min(1.0, scored / told) if told else 0.0
    a_day = requests / float(days)
    explore, needed = SHARES[-1], None
    if ratio:
        each = {share: math.ceil(answers * drawn / (share * ratio)) for share in SHARES}
        explore = next((share for share in SHARES if each[share] / a_day <= MOST_DAYS), SHARES[-1])
        needed = each[explore]
    return {
        "tiers": tiers,
        "explore": explore,
        "answers": answers,
        "requests": needed,
        "days": None if needed is None else math.ceil(needed / a_day),
        "code": f'outlay.Router(tiers, rules, default="{usual}", explore={explore:g})',
    }
