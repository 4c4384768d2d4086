"""Outlay: what every model call costs.

import outlay
outlay.init(service="shop")

@outlay.track(feature="support-triage")
def triage(ticket): ...
"""

from outlay.cache import cached
from outlay.call import Call
from outlay.cascade import Cascade, CascadeRun
from outlay.client import flush, init, shutdown, stats
from outlay.context import tags
from outlay.estimate import Estimate, estimate
from outlay.evaluate import Evaluation, evaluate
from outlay.experiment import assign
from outlay.prompt_parts import prompt_parts
from outlay.propagation import extract
from outlay.recording import record, score
from outlay.route import Router, Rule
from outlay.semantic_cache import SemanticCache
from outlay.track import track
from outlay.usage import Usage

__all__ = [
    "Call",
    "Cascade",
    "CascadeRun",
    "Estimate",
    "Evaluation",
    "Router",
    "Rule",
    "SemanticCache",
    "Usage",
    "assign",
    "cached",
    "estimate",
    "evaluate",
    "extract",
    "flush",
    "init",
    "prompt_parts",
    "record",
    "score",
    "shutdown",
    "stats",
    "tags",
    "track",
]
