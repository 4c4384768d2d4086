"""An Outlay server, asked by a lever for what it knows."""

from __future__ import annotations

import json
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
            NoAnswer: If nobody answers; a ConnectionError.
        """
        from outlay._http import Http
        from outlay.settings import Settings

        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        http = Http(Settings.from_env(os.environ, on_error=lambda _: None))
        reply = http.request("GET", f"{self.url.rstrip('/')}/api/v1{path}", headers, timeout_s=30)
        if reply.status != 200:
            said = reply.body.decode("utf-8", "replace")[:300]
            raise ValueError(f"{urlsplit(self.url).netloc} answered {reply.status}: {said}")
        return json.loads(reply.body)
