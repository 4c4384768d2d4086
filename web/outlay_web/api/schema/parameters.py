"""The query parameters that routes take, as OpenAPI describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outlay_analytics.alerting.listing import STATES
from outlay_analytics.export.focus import MAX_TAGS
from outlay_analytics.export.focus_columns import VERSIONS as FOCUS_VERSIONS
from outlay_analytics.query.dimensions import DIMENSIONS, MAX_GROUPS
from outlay_analytics.query.scope import ID_FILTERS
from outlay_analytics.query.sorting import ORDERS, SORTS
from outlay_analytics.query.window import INTERVALS
from outlay_analytics.questions.experiments import UNITS
from outlay_analytics.questions.unit_costs import PER
from outlay_web.api.schema.shapes import SCORE, TAG, TEXT, USD, Schema, either, listed, one_of

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
ORIGINS = ("catalogue", "correction", "overlay", "discount")
COMMAS = ("group_by", "overlay", "shared", "tags")
KEY: Schema = {"type": "string", "minLength": 1}
DIMENSION = either(one_of(DIMENSIONS), {"type": "string", "pattern": TAG})
SCOPE: dict[str, tuple[str, Schema]] = {
    "start": (
        "Start of the window: RFC 3339, a date (midnight in the zone), or relative: -24h, -30d; default 30 days.",
        TEXT,
    ),
    "end": ("End of the window, exclusive: RFC 3339, relative, or now; default now.", TEXT),
    "project": ("Project; default the key's, or default.", TEXT),
    "timezone": ("IANA zone of day, week and month; default UTC.", TEXT),
}
OWN: dict[str, tuple[str, Schema]] = {
    "account": ("Name of an account of [[bills]].", TEXT),
    "as_of": ("The list as it was known at this moment.", TEXT),
    "at": ("Only prices in force at this moment.", TEXT),
    "by": (
        "Dimension to break the answer down by; default feature, of showback team, of decide model (and threshold).",
        DIMENSION,
    ),
    "base": (
        "What to compare with by name; default previous, the window just before.",
        one_of(("expected", "previous", "week_earlier")),
    ),
    "base_end": ("End of the window to compare with.", TEXT),
    "base_start": ("Start of the window to compare with; default the window just before.", TEXT),
    "bill": ("Identifier of an imported bill.", TEXT),
    "budget_usd": ("Budget for the month, in USD.", USD),
    "compare": ("previous: add the figures of the window just before.", one_of(("previous",))),
    "confidence": ("How sure the guarantee is; default 0.95.", {"type": "number", "minimum": 0, "maximum": 1}),
    "control": ("The arm that others are compared with.", TEXT),
    "cursor": ("next_cursor of the page before.", TEXT),
    "day": ("Day of the report; default yesterday.", {"type": "string", "format": "date"}),
    "first": ("One of two values of `by` that are put side by side.", TEXT),
    "second": ("The other one, which is compared with the first.", TEXT),
    "error": (
        "Most of the accepted answers that may be wrong; default 0.02.",
        {"type": "number", "minimum": 0, "maximum": 1},
    ),
    "focus": ("Version of FOCUS; default 1.2.", one_of(FOCUS_VERSIONS)),
    "format": ("json or csv; default json.", one_of(("json", "csv"))),
    "group_by": ("Dimensions with commas.", listed(DIMENSION) | {"maxItems": MAX_GROUPS, "uniqueItems": True}),
    "overlay": ("What is planned, with commas: 2026-12-01:+25%:launch or 2026-12-01..2026-12-15:-40usd.", listed(TEXT)),
    "horizon": ("How far ahead, in days: 30d.", {"type": "string", "pattern": r"^\d{1,4}[dw]?$"}),
    "interval": ("Step of the rows.", one_of(INTERVALS)),
    "limit": (
        f"Rows of a page; default {DEFAULT_LIMIT} of recorded things, all of what is added up.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    ),
    "margin": (
        "By how much a mean score may be lower and still be no worse; default 0.02.",
        {"type": "number", "minimum": 0},
    ),
    "missing": ("true: the models of calls that have no price.", one_of(("true", "false"))),
    "model": ("Only this model.", TEXT),
    "name": ("Name of the file.", TEXT),
    "reported": ("true: calls that report another cost, by model and reason.", one_of(("true", "false"))),
    "order": ("Default desc.", one_of(ORDERS)),
    "origin": ("Only prices from there.", one_of(ORIGINS)),
    "month": (
        "A month of the zone in place of start and end: 2026-10.",
        {"type": "string", "pattern": r"^\d{4}-\d\d$"},
    ),
    "per": ("What one of is asked for; default customer.", one_of(PER)),
    "provider": ("Only this provider.", TEXT),
    "score": ("Name of the score; default the most used one.", TEXT),
    "shared": ("Values whose cost is shared by all others, with commas.", listed(KEY)),
    "sort": ("Default started_at.", one_of(SORTS)),
    "tags": ("Keys of calls' tags that charges are told apart by, with commas.", listed(KEY) | {"maxItems": MAX_TAGS}),
    "split": ("Of showback: how shared cost is split. Of an experiment: its weights, control:0.9,new:0.1.", TEXT),
    "state": ("Only alerts in this state.", one_of(STATES)),
    "success": ("From which value on an answer is a success, or the label that says so.", TEXT),
    "unit": ("What is assigned to arms; default the first that nearly all calls say.", one_of(UNITS)),
}
TAGS: dict[str, Any] = {
    "name": "tag",
    "in": "query",
    "required": False,
    "style": "form",
    "explode": True,
    "description": "Only calls with these tags, each under its whole name: tag.plan=pro; may repeat.",
    "schema": {"type": "object", "patternProperties": {TAG: TEXT}, "additionalProperties": False},
}
SCORES: dict[str, Any] = TAGS | {
    "name": "score.",
    "description": "Only calls that are scored so, each under its whole name: score.correct=0, score.correct=<0.5, "
    "score.judge=pass, * for any, nothing for not scored; may repeat.",
    "schema": {"type": "object", "patternProperties": {SCORE: TEXT}, "additionalProperties": False},
}


def documented(*own: str, window: bool = True, filters: bool = True, **allowed: Sequence[str]) -> dict[str, Any]:
    """The OpenAPI description of a route's query parameters.

    Args:
        own: The route's own.
        window: Whether it is about a window.
        filters: Whether it can be filtered by every dimension.
        allowed: Values of a parameter where they are fewer than usual: `interval=("hour", "day")`.
    """
    names = [*(SCOPE if window else ("project", "timezone")), *own]
    known = {**SCOPE, **OWN}
    parameters = [_parameter(name, *known[name]) for name in names]
    for parameter in parameters:
        if parameter["name"] in allowed:
            parameter["schema"] = one_of(allowed[parameter["name"]])
    if filters:
        plain = (name for name in (*sorted(DIMENSIONS), *ID_FILTERS) if name not in names)
        parameters += [_parameter(name, f"Only this {name}; may repeat.", listed(TEXT)) for name in plain]
        parameters += [TAGS, SCORES]
    return {"parameters": parameters}


def _parameter(name: str, description: str, schema: Schema) -> dict[str, Any]:
    found = {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
    return found | ({"style": "form", "explode": False} if name in COMMAS else {})
