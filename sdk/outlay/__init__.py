"""Outlay: what every model call costs.

import outlay
outlay.init(service="shop")

@outlay.track(feature="support-triage")
def triage(ticket): ...
"""

import typing as _typing

from outlay import wire
from outlay.tracing.call import Call
from outlay.tracing.context import tags
from outlay.tracing.lifecycle import flush, init, shutdown, stats, when_started
from outlay.tracing.lifecycle import running as _running
from outlay.tracing.prompt_parts import prompt_parts
from outlay.tracing.propagation import extract
from outlay.tracing.recording import record, score
from outlay.tracing.track import track
from outlay.usage import Usage

if _typing.TYPE_CHECKING:
    from outlay.optimizations.cache import cached, invalidate
    from outlay.optimizations.cascade import Cascade
    from outlay.optimizations.cascade_run import AttemptResult, CascadeResult, CascadeRun
    from outlay.optimizations.cascade_state import TOP
    from outlay.optimizations.datasets import dataset
    from outlay.optimizations.estimate import Estimate, estimate
    from outlay.optimizations.evaluate import aevaluate, evaluate
    from outlay.optimizations.evaluation import Evaluation
    from outlay.optimizations.evaluation_results import EvaluationSummary, Interval
    from outlay.optimizations.evaluation_rows import EvaluationRow
    from outlay.optimizations.experiment import Arm, Layer, assign
    from outlay.optimizations.learning import LearnedThreshold
    from outlay.optimizations.matrix import MATRIX, MatrixRow, measured_matrix
    from outlay.optimizations.router import Route, Router, Rule
    from outlay.optimizations.rules import bypass
    from outlay.optimizations.semantic_cache import SemanticCache
    from outlay.optimizations.sqlite_store import SqliteStore
    from outlay.tracing.budget_guard import BudgetExceeded, BudgetGuard, BudgetState, budget_guard
    from outlay.zero_code.doctor import doctor
else:
    # Levers, and what is for the desk, are loaded when they are first asked for: a metered app may use none of them.
    _LATER = {
        **dict.fromkeys(("cached", "invalidate"), "optimizations.cache"),
        "Cascade": "optimizations.cascade",
        **dict.fromkeys(("AttemptResult", "CascadeResult", "CascadeRun"), "optimizations.cascade_run"),
        "TOP": "optimizations.cascade_state",
        "dataset": "optimizations.datasets",
        **dict.fromkeys(("Estimate", "estimate"), "optimizations.estimate"),
        **dict.fromkeys(("aevaluate", "evaluate"), "optimizations.evaluate"),
        "Evaluation": "optimizations.evaluation",
        **dict.fromkeys(("EvaluationSummary", "Interval"), "optimizations.evaluation_results"),
        "EvaluationRow": "optimizations.evaluation_rows",
        **dict.fromkeys(("Arm", "Layer", "assign"), "optimizations.experiment"),
        "LearnedThreshold": "optimizations.learning",
        **dict.fromkeys(("MATRIX", "MatrixRow", "measured_matrix"), "optimizations.matrix"),
        **dict.fromkeys(("Route", "Router", "Rule"), "optimizations.router"),
        "bypass": "optimizations.rules",
        "SemanticCache": "optimizations.semantic_cache",
        "SqliteStore": "optimizations.sqlite_store",
        **dict.fromkeys(("BudgetExceeded", "BudgetGuard", "BudgetState", "budget_guard"), "tracing.budget_guard"),
        "doctor": "zero_code.doctor",
    }

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module 'outlay' has no attribute {name!r}")
        from importlib import import_module

        found = globals()[name] = getattr(import_module(f"outlay.{_LATER[name]}"), name)
        return found

    def __dir__():
        return sorted({*globals(), *__all__})


__all__ = [
    "MATRIX",
    "TOP",
    "Arm",
    "AttemptResult",
    "BudgetExceeded",
    "BudgetGuard",
    "BudgetState",
    "Call",
    "Cascade",
    "CascadeResult",
    "CascadeRun",
    "Estimate",
    "Evaluation",
    "EvaluationRow",
    "EvaluationSummary",
    "Interval",
    "Layer",
    "LearnedThreshold",
    "MatrixRow",
    "Route",
    "Router",
    "Rule",
    "SemanticCache",
    "SqliteStore",
    "Usage",
    "aevaluate",
    "assign",
    "budget_guard",
    "bypass",
    "cached",
    "dataset",
    "doctor",
    "estimate",
    "evaluate",
    "extract",
    "flush",
    "init",
    "invalidate",
    "measured_matrix",
    "prompt_parts",
    "record",
    "score",
    "shutdown",
    "stats",
    "tags",
    "track",
]


def _hook() -> None:
    """Hook what the settings ask for: HTTP libraries, and what names features where no code does."""
    settings = _running().settings
    if settings.wire:
        wire.install()
    if settings.auto_features or settings.features:
        from outlay.zero_code.features import install

        install(settings)


when_started(_hook)
del when_started
