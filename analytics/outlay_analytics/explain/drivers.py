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

RISES = {  # what happened where a driver raised spend
    "requests": "more requests came",
    "escalation": "more calls went on to a later tier",
    "retries": "more calls were repeats",
    "model_mix": "calls moved to dearer models",
    "input_tokens": "each call read more tokens",
    "output_tokens": "each call wrote more tokens",
    "cache_share": "less came from a cache",
    "unit_price": "each token cost more",
    "unexplained": "costs came without tokens",
}


def title(driver: str) -> str:
    """The driver in words, as inside a sentence."""
    return DRIVER_WORDS.get(driver, (driver.replace("_", " "), ""))[0]


def hint(driver: str) -> str:
    """What the driver is."""
    return DRIVER_WORDS.get(driver, ("", ""))[1]
