"""Outlay: what every model call costs.

import outlay
outlay.init(service="shop")

@outlay.track(feature="support-triage")
def triage(ticket): ...
"""

from outlay.optimizations.cache import cached
from outlay.optimizations.cascade import Cascade, CascadeRun
from outlay.optimizations.estimate import Estimate, estimate
from outlay.optimizations.evaluate import Evaluation, evaluate
from outlay.optimizations.experiment import assign
from outlay.optimizations.router import Router, Rule
from outlay.optimizations.semantic_cache import SemanticCache
from outlay.tracing.call import Call
from outlay.tracing.client import flush, init, shutdown, stats
from outlay.tracing.context import tags
from outlay.tracing.prompt_parts import prompt_parts
from outlay.tracing.propagation import extract
from outlay.tracing.recording import record, score
from outlay.tracing.track import track
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
