"""What the drivers of a change are called, and what each one is: the words of sentences, messages and pages."""

from __future__ import annotations

DRIVER_WORDS = {
    "requests": ("requests", "more or fewer requests"),
    "escalation": ("escalation", "calls at a second or later tier of a cascade"),
    "retries": ("retries", "billed repeats of the same request"),
    "model_mix": ("model mix", "requests moved between models"),
    "input_tokens": ("input tokens", "input tokens of a call"),
    "output_tokens": ("output tokens", "output tokens of a call"),
    "cache_share": ("cache share", "how much was answered or read from a cache"),
    "unit_price": ("unit price", "price of a token, tiers and tool fees included"),
    "unexplained": ("cost without tokens", "costs with no tokens behind them"),
}


def title(driver: str) -> str:
    """The driver in words, as inside a sentence."""
    return DRIVER_WORDS.get(driver, (driver.replace("_", " "), ""))[0]


def hint(driver: str) -> str:
    """What the driver is."""
    return DRIVER_WORDS.get(driver, ("", ""))[1]
