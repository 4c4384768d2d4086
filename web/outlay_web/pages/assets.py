"""The style sheet, the script and the icon: read once, served compressed, cached for a year under their hash."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    "outlay.css": "text/css; charset=utf-8",
    "outlay.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
FOREVER = "public, max-age=31536000, immutable"
BRIEFLY = "public, max-age=300"


@dataclass(frozen=True)
class Asset:
    """One file as it is sent."""

    body: bytes
    zipped: bytes
    kind: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    folder = files("outlay_web") / "static"
    found = {}
    for name, kind in TYPES.items():
        body = (folder / name).read_bytes()
        found[name] = Asset(body, gzip.compress(body, 9, mtime=0), kind, hashlib.sha256(body).hexdigest()[:12])
    return found


def asset_url(name: str) -> str:
    """The address of a file; it changes with its content."""
    return f"/static/{name}?v={assets()[name].tag}"


def serve(request: Request, name: str) -> Response | None:
    """The file of that name, None if there is none."""
    asset = assets().get(name)
    if asset is None:
        return None
    current = request.query_params.get("v") == asset.tag
    headers = {
        "etag": f'"{asset.tag}"',
        "cache-control": FOREVER if current else BRIEFLY,
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
    }
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.zipped, headers={**headers, "content-encoding": "gzip"}, media_type=asset.kind)
    return Response(asset.body, headers=headers, media_type=asset.kind)
