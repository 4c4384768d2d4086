"""What a window is explained against where it is what was expected: an incident's own figure, else its usual hours."""

from __future__ import annotations

from outlay_analytics.explain.bases import WEEK
from outlay_analytics.explain.expected import Looked, expected_of
from outlay_analytics.incidents.repository import read_incidents
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_web.http.context import Context

LOOKBACK = 5  # lengths of a window, or weeks, in which other incidents are no part of what is usual


def expected(ctx: Context, scope: Scope) -> Looked:
    """What was expected of the scope's window, without the hours of incidents; the very figure of an incident there."""
    window = scope.window
    known = read_incidents(
        ctx.store, scope.project, Window(window.start - LOOKBACK * max(window.length, WEEK), window.end)
    )
    asked = {name: set(values) for name, values in scope.filters.items()}
    mine = next(
        (one for one in known if one.window == window and {n: set(v) for n, v in one.filters.items()} == asked), None
    )
    related = [one.window for one in known if one.related(one.window, scope.filters) and one is not mine]
    return expected_of(ctx.store, scope, mine.expected_usd if mine else None, related)
