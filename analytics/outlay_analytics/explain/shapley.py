"""Split a change of cost between eight drivers so that the parts add up.

Model of one segment (a feature's calls of one kind to one model) in one window::

    cost = requests · rate(kind) · share(model) · [ i · Σ_b h_b · p_b  +  o · p_out  +  p_other ]

with `i`, `o` tokens per billed call, `h_b` the shares of the input buckets (uncached, read, write 5 m, write 1 h),
`p_b` their effective prices per token and `p_other` tool fees per call. Each factor belongs to one driver. A driver's
part is its Shapley value: its effect averaged over every order in which the drivers could have moved from base to
current, so no order is preferred, the parts add up to the change and zeros need no special case.

A factor that one window leaves undefined takes the other window's value: a new model is all `model_mix`, a new
feature is all `requests`, a first cache read is all `cache_share`.

Source: L. S. Shapley, "A value for n-person games" (1953); its use for decomposing change follows A. F. Shorrocks,
"Decomposition procedures for distributional analysis", J. Econ. Inequality 11 (2013).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from outlay_analytics.query.arrays import Floats

DRIVERS = (
    "requests",
    "escalation",
    "retries",
    "model_mix",
    "input_tokens",
    "output_tokens",
    "cache_share",
    "unit_price",
)
PRIMARY, ESCALATION, RETRY = 0, 1, 2
PICODOLLARS = 10**12
CHUNK = 20_000
TINY = 1e-9  # counts are whole; less than this is none


@dataclass(frozen=True)
class Window:
    """What one window says about every group and segment; arrays are aligned with `Groups`.

    Attributes:
        requests: Per group: logical requests whose usage is known, whoever answered them.
        absorbed: Per group: those answered by the application's own cache.
        failed: Per group: first attempts that nobody billed.
        calls: Per segment: billed calls.
        input_tokens: Per segment and bucket.
        input_usd: Per segment and bucket: the cost line.
        output_tokens: Per segment.
        output_usd: Per segment.
        other_usd: Per segment: cost beside tokens (tool fees).
        input_prices, output_prices: Known prices per token; by default a line divided by its tokens.
    """

    requests: Floats
    absorbed: Floats
    failed: Floats
    calls: Floats
    input_tokens: Floats
    input_usd: Floats
    output_tokens: Floats
    output_usd: Floats
    other_usd: Floats
    input_prices: Floats | None = None
    output_prices: Floats | None = None


@dataclass(frozen=True)
class Groups:
    """The segments: which group (whose requests are counted) and which kind of call each one is."""

    group: NDArray[np.intp]
    kind: NDArray[np.intp]


@dataclass
class _Factors:
    requests: Floats
    first: Floats
    absorbed: Floats
    failed: Floats
    repeat: Floats
    escalated: Floats
    share: Floats
    i: Floats
    h: Floats
    p: Floats
    o: Floats
    p_out: Floats
    p_other: Floats
    names: tuple[str, ...] = field(
        default=("first", "absorbed", "failed", "repeat", "escalated", "share", "i", "h", "p", "o", "p_out", "p_other")
    )


def contributions(groups: Groups, base: Window, current: Window) -> Floats:
    """Return each segment's change in USD by driver, shape (segments, 8), columns as in `DRIVERS`.

    Rows add up to the change of the segment's tokens' and fees' cost within floating-point error.
    """
    a, b = _factors(groups, base, current), _factors(groups, current, base)
    _fill_neutrally(a, b)
    out = np.empty((len(groups.group), len(DRIVERS)))
    for start in range(0, len(out), CHUNK):
        part = slice(start, start + CHUNK)
        out[part] = _shapley(a, b, groups.kind[part], part)
    return out


def _divide(top: Floats, bottom: Floats) -> Floats:
    """top ÷ bottom, NaN (undefined in this window) where there is nothing below."""
    out: Floats = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=out, where=np.broadcast_to(bottom, out.shape) > TINY)
    return out


def _factors(groups: Groups, window: Window, other: Window) -> _Factors:
    """The factors of one window, NaN where it leaves them undefined."""
    group, kind, calls = groups.group, groups.kind, window.calls
    group_count = len(window.requests)
    by_kind = np.zeros((group_count, 3))
    np.add.at(by_kind, (group, kind), calls)
    # Calls without any first attempt in sight (a filter on an escalated model): the other window's number, or one.
    orphaned = (window.requests <= TINY) & (by_kind.sum(axis=1) > TINY)
    stand_in = np.where(other.requests > TINY, other.requests, 1.0)
    requests = np.where(orphaned, stand_in, np.maximum(window.requests, 0.0))
    answered = requests - window.absorbed
    billable = answered - window.failed
    tokens = window.input_tokens.sum(axis=1)
    prices = _divide(window.input_usd, window.input_tokens) if window.input_prices is None else window.input_prices
    out_price = (
        _divide(window.output_usd, window.output_tokens) if window.output_prices is None else window.output_prices
    )
    return _Factors(
        requests=requests[group],
        first=_divide(by_kind[:, PRIMARY], billable)[group],
        absorbed=_divide(window.absorbed, requests)[group],
        failed=_divide(window.failed, answered)[group],
        repeat=_divide(by_kind[:, RETRY], requests)[group],
        escalated=_divide(by_kind[:, ESCALATION], requests)[group],
        share=_divide(calls, by_kind[group, kind]),
        i=_divide(tokens, calls),
        h=_divide(window.input_tokens, tokens[:, None]),
        p=prices,
        o=_divide(window.output_tokens, calls),
        p_out=out_price,
        p_other=_divide(window.other_usd, calls),
    )


def _fill_neutrally(a: _Factors, b: _Factors) -> None:
    """Give every undefined factor the other window's value, and zero where neither knows one."""
    for name in a.names:
        x, y = getattr(a, name), getattr(b, name)
        setattr(a, name, np.where(np.isnan(x), np.nan_to_num(y), x))
        setattr(b, name, np.where(np.isnan(y), np.nan_to_num(x), y))


def _shapley(a: _Factors, b: _Factors, kind: NDArray[np.intp], part: slice) -> Floats:
    """Evaluate all 2^8 mixtures of the two windows by broadcasting (one axis per driver), then weigh them."""

    def both(name: str, driver: str) -> Floats:
        """The factor's two values along its driver's axis; shape (1, …, 2, …, 1, segments[, buckets])."""
        values = np.stack([getattr(a, name)[part], getattr(b, name)[part]])
        shape = [1] * len(DRIVERS)
        shape[DRIVERS.index(driver)] = 2
        return values.reshape(*shape, *values.shape[1:])

    served = (1 - both("absorbed", "cache_share")) * (1 - both("failed", "retries")) * both("first", "requests")
    rate = np.where(
        kind == PRIMARY,
        served,
        np.where(kind == RETRY, both("repeat", "retries"), both("escalated", "escalation")),
    )
    calls = both("requests", "requests") * rate * both("share", "model_mix")
    input_price = (both("h", "cache_share") * both("p", "unit_price")).sum(axis=-1)
    per_call = (
        both("i", "input_tokens") * input_price
        + both("o", "output_tokens") * both("p_out", "unit_price")
        + both("p_other", "unit_price")
    )
    values = np.broadcast_to(calls * per_call, (2,) * len(DRIVERS) + calls.shape[-1:])
    # Summed in a fixed order: BLAS orders a product by how memory lies, and its last digits and warnings vary with it.
    weighed: Floats = np.einsum("dc,cl->ld", _WEIGHTS, values.reshape(2 ** len(DRIVERS), -1))
    return weighed


def _weights() -> Floats:
    """The matrix (8, 256) that turns the values of all coalitions into Shapley values."""
    n = len(DRIVERS)
    weights = np.zeros((n, 2**n))
    for index, coalition in enumerate(itertools.product((0, 1), repeat=n)):
        size = sum(coalition)
        for driver, present in enumerate(coalition):
            others = size - present
            weight = math.factorial(others) * math.factorial(n - others - 1) / math.factorial(n)
            weights[driver, index] = weight if present else -weight
    return weights


_WEIGHTS = _weights()


def apportion(values: Sequence[float], total: int, scale: int = PICODOLLARS) -> list[int]:
    """Round `values` x `scale` to integers that add up to `total` exactly (largest remainder).

    Zeros stay zero unless nothing else can carry the rest, which then goes to the last value.
    """
    exact = [value * scale for value in values]
    floors = [math.floor(value) for value in exact]
    rest = total - sum(floors)
    movable = [k for k, value in enumerate(values) if value != 0]
    if not movable:
        floors[-1] += rest
        return floors
    if 0 <= rest <= len(movable):
        for k in sorted(movable, key=lambda k: exact[k] - floors[k], reverse=True)[:rest]:
            floors[k] += 1
    else:  # beyond rounding: the floats themselves ran out of digits
        floors[max(movable, key=lambda k: abs(exact[k]))] += rest
    return floors
