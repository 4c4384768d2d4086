"""The decomposition for plain tables of usage and prices, without a store: `outlay_analytics.explain.decompose`.

The names of columns and drivers are those in which such tables are usually given, and simulated for comparing methods;
`change.py` answers for what is stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from outlay_analytics.explain.shapley import DRIVERS, ESCALATION, PRIMARY, RETRY, TINY, Groups, Window, contributions
from outlay_analytics.query.arrays import Floats

NAMES = ("volume", "escalation", "retry", "mix", "in_tok", "out_tok", "cache", "price")
KINDS = {"escalation": ESCALATION, "retry": RETRY}


def decompose(
    c0: Mapping[tuple[str, str, str], Mapping[str, float]], c1: Mapping[tuple[str, str, str], Mapping[str, float]]
) -> dict[tuple[str, str], float]:
    """Decompose the change of cost between two tables of groups, adding up for every input.

    Args:
        c0, c1: `{(feature, call_type, model): {requests, calls, in_tok, cached_tok, out_tok, p_in, p_cached, p_out}}`
        of the
            base and the current period. `requests` counts the feature's logical requests; `call_type` is `primary`,
            `escalation` or `retry`; prices are USD per token.

    Returns:
        `{(feature, driver): usd}` with the drivers volume, escalation, retry, mix, in_tok, out_tok, cache and price.
    """
    keys = sorted(set(c0) | set(c1))
    features = {feature: number for number, feature in enumerate(sorted({key[0] for key in keys}))}
    if not keys:
        return {}
    groups = Groups(
        group=np.array([features[key[0]] for key in keys]),
        kind=np.array([KINDS.get(key[1], PRIMARY) for key in keys]),
    )
    windows = [_window(keys, features, table) for table in (c0, c1)]
    parts = contributions(groups, *windows)
    out: dict[tuple[str, str], float] = {}
    terms: dict[str, list[float]] = {feature: [] for feature in features}
    for key in keys:
        terms[key[0]] += _cost(c1.get(key)) + [-term for term in _cost(c0.get(key))]
    for feature, number in features.items():
        mine = groups.group == number
        sums = [math.fsum(parts[mine, driver]) for driver in range(len(DRIVERS))]
        change = math.fsum(terms[feature])
        largest = max(range(len(DRIVERS)), key=lambda driver: abs(sums[driver]))
        sums[largest] += change - math.fsum(sums)
        out.update({(feature, name): value for name, value in zip(NAMES, sums, strict=True)})
    return out


def _cost(cell: Mapping[str, float] | None) -> list[float]:
    if cell is None:
        return []
    uncached = (cell["in_tok"] - cell["cached_tok"]) * cell["p_in"]
    return [uncached, cell["cached_tok"] * cell["p_cached"], cell["out_tok"] * cell["p_out"]]


def _window(
    keys: Sequence[tuple[str, str, str]],
    features: Mapping[str, int],
    table: Mapping[tuple[str, str, str], Mapping[str, float]],
) -> Window:
    def column(name: str) -> Floats:
        return np.array([table[key][name] if key in table else 0.0 for key in keys], dtype=float)

    requests = np.zeros(len(features))
    for key, cell in table.items():
        number = features[key[0]]
        requests[number] = max(requests[number], cell["requests"])
    known = np.array([key in table for key in keys])
    inputs = np.stack([column("in_tok") - column("cached_tok"), column("cached_tok")], axis=1)
    calls = column("calls")
    calls = np.where((calls <= TINY) & ((inputs.sum(axis=1) > 0) | (column("out_tok") > 0)), 1.0, calls)
    nothing = np.zeros(len(features))
    prices = np.stack([column("p_in"), column("p_cached")], axis=1)
    return Window(
        requests=requests,
        absorbed=nothing,
        failed=nothing,
        calls=calls,
        input_tokens=inputs,
        input_usd=inputs * prices,
        output_tokens=column("out_tok"),
        output_usd=column("out_tok") * column("p_out"),
        other_usd=np.zeros(len(keys)),
        input_prices=np.where(known[:, None], prices, np.nan),
        output_prices=np.where(known, column("p_out"), np.nan),
    )
