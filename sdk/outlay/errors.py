"""Every error that Outlay raises on purpose, in one tree.

    OutlayError
    ├── ConfigError      a setting, flag or file is wrong: says which, the value and what is allowed
    ├── PriceNotFound    no price is known for a model at a moment
    ├── DecodeError      bytes or values that cannot be read
    ├── NoAnswer         a server of ours could not be asked; a ConnectionError, too
    └── StoreError       the store refused or failed; `retryable` says whether trying again can help

The SDK never lets one of these reach the application's own calls.
"""

from __future__ import annotations


class OutlayError(Exception):
    """Root of Outlay's own errors."""


class ConfigError(OutlayError):
    """A setting is wrong. The message names it, shows the value and says what is allowed."""


class PriceNotFound(OutlayError):
    """No price is known for this provider, model, tier and moment. Unknown is never zero."""


class DecodeError(OutlayError):
    """Bytes or values that cannot be read as what they claim to be."""


class NoAnswer(OutlayError, ConnectionError):
    """A server did not answer, or whoever did is not trusted.

    Attributes:
        is_trust: It is for want of certificates: the same again will end the same way.
    """

    def __init__(self, message: str, *, is_trust: bool = False) -> None:
        super().__init__(message)
        self.is_trust = is_trust


class StoreError(OutlayError):
    """ClickHouse refused or failed.

    Attributes:
        code: ClickHouse's numeric error code, 0 when it did not answer at all.
        retryable: Whether the same request may succeed later (no connection, too many parts, memory, disk full).
    """

    def __init__(self, message: str, *, code: int = 0, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.retryable = retryable
