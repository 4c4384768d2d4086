"""An Outlay server, asked by a lever for what it knows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class ServerApi:
    """Reads the JSON API.

    Attributes:
        url: Of the server.
        api_key: Where it wants one that may read.
    """

    url: str
    api_key: str = ""

    def get(self, path: str) -> Any:
        """The answer to a GET below `/api/v1`.

        Raises:
            ValueError: If the server refuses.
        """
        import requests

        from outlay.settings import Settings

        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        trust = Settings.from_env(os.environ, on_error=lambda _: None).trust
        answer = requests.get(f"{self.url.rstrip('/')}/api/v1{path}", timeout=30, headers=headers, **trust)
        if answer.status_code != 200:
            raise ValueError(f"{urlsplit(self.url).netloc} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()
