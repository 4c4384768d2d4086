"""Answers that only who has the key can read, in a store that others may look into (`outlay[encryption]`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Keys = str | bytes | Sequence[str | bytes]


class Seal:
    """Encrypts and decrypts with Fernet (AES-128-CBC with HMAC-SHA256; the `cryptography` package).

    Args:
        keys: A key of `Fernet.generate_key()`, or several: the first encrypts, all decrypt, so that keys can change.

    Raises:
        ImportError: If the package is missing.
        ValueError: If a key is none.
    """

    def __init__(self, keys: Keys) -> None:
        try:
            from cryptography.fernet import Fernet, MultiFernet
        except ImportError as error:
            raise ImportError("encryption_key needs a package: pip install 'outlay[encryption]'") from error
        given = [keys] if isinstance(keys, (str, bytes)) else list(keys)
        try:
            self._box: Any = MultiFernet([Fernet(key) for key in given])
        except (TypeError, ValueError):
            raise ValueError(
                "encryption_key must be a key of cryptography.fernet.Fernet.generate_key(), or a list of them"
            ) from None

    def close(self, text: str) -> bytes:
        """Encrypt."""
        return bytes(self._box.encrypt(text.encode()))

    def open(self, raw: str | bytes) -> str:
        """Decrypt.

        Raises:
            ValueError: If it was encrypted with another key, or is damaged.
        """
        from cryptography.fernet import InvalidToken

        try:
            return str(self._box.decrypt(raw).decode())
        except InvalidToken:
            raise ValueError("an answer in the store was encrypted with another key, or is damaged") from None
