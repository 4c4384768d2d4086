"""Outlay: what every model call costs.

import outlay
outlay.init(service="shop")

@outlay.track(feature="support-triage")
def triage(ticket): ...
"""

from outlay.call import Call
from outlay.client import flush, init, shutdown, stats
from outlay.context import tags
from outlay.recording import record, score
from outlay.track import track
from outlay.usage import Usage

__all__ = [
    "Call",
    "Usage",
    "flush",
    "init",
    "record",
    "score",
    "shutdown",
    "stats",
    "tags",
    "track",
]
