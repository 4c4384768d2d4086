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

HAPPENED = {  # what happened where a driver raised spend, and where it lowered it
    "requests": ("more requests came", "fewer requests came"),
    "escalation": ("more calls went on to a later tier", "fewer calls went on to a later tier"),
    "retries": ("more calls were repeats", "fewer calls were repeats"),
    "model_mix": ("calls moved to dearer models", "calls moved to cheaper models"),
    "input_tokens": ("each call read more tokens", "each call read fewer tokens"),
    "output_tokens": ("each call wrote more tokens", "each call wrote fewer tokens"),
    "cache_share": ("less came from a cache", "more came from a cache"),
    "unit_price": ("each token cost more", "each token cost less"),
    "unexplained": ("costs came without tokens", "fewer costs came without tokens"),
}


def title(driver: str) -> str:
    """The driver in words, as inside a sentence."""
    return DRIVER_WORDS.get(driver, (driver.replace("_", " "), ""))[0]


def hint(driver: str) -> str:
    """What the driver is."""
    return DRIVER_WORDS.get(driver, ("", ""))[1]


def happened(driver: str, *, rose: bool = True) -> str:
    """What raised spend, or lowered it, in words: `more requests came`."""
    return HAPPENED[driver][not rose]
