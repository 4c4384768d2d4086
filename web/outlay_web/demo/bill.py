"""The demo's bill, computed without Outlay: prices typed by hand from the providers' pages, arithmetic in fractions.

It shares no code and no data with the catalogue, so that the total on the page can be checked against it.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from outlay_web.demo.interactions import Call

# USD per million tokens: input, cache read, cache write (5 minutes), output; list prices checked 2026-11-22.
PRICES: dict[str, tuple[str, str, str, str]] = {
    "gpt-5-2025-08-07": ("1.25", "0.125", "1.25", "10"),
    "gpt-5-mini-2025-08-07": ("0.25", "0.025", "0.25", "2"),
    "text-embedding-3-small": ("0.02", "0.02", "0.02", "0"),
    "claude-sonnet-4-5-20250929": ("3", "0.3", "3.75", "15"),
    "claude-opus-4-5-20251101": ("5", "0.5", "6.25", "25"),
    "claude-haiku-4-5-20251001": ("1", "0.1", "1.25", "5"),
    "gemini-2.5-flash": ("0.3", "0.03", "0.3", "2.5"),
    "gemini-2.5-flash-lite": ("0.1", "0.01", "0.1", "0.4"),
    "mistral-large-2512": ("0.5", "0.05", "0.5", "1.5"),
}
# In millionths of a millionth of a USD per token, which are whole numbers: 1.25 USD per million are 1,250,000.
RATES = {model: tuple(int(Fraction(rate) * 10**6) for rate in rates) for model, rates in PRICES.items()}


def cost(call: Call) -> Fraction | None:
    """What the provider bills for the call in USD; None when nobody knows the model's price."""
    if call.cache_hit or call.error:
        return Fraction(0)
    if call.model not in RATES:
        return None
    rate_in, rate_read, rate_write, rate_out = RATES[call.model]
    fresh = call.input_tokens - call.cache_read_tokens - call.cache_write_tokens
    total = (
        fresh * rate_in
        + call.cache_read_tokens * rate_read
        + call.cache_write_tokens * rate_write
        + call.output_tokens * rate_out
    )
    return Fraction(total, 10**12)


def exact(amount: Fraction) -> Decimal:
    """The amount as a decimal with twelve places, exactly.

    Raises:
        ValueError: If twelve places cannot hold it.
    """
    scaled = amount * 10**12
    if scaled.denominator != 1:
        raise ValueError(f"{amount} needs more than twelve decimal places")
    return Decimal(scaled.numerator).scaleb(-12)
