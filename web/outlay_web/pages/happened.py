"""What happened while a chart's steps went by, for every chart over time: markers, and incidents with their figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from outlay_analytics.incidents import markers
from outlay_analytics.incidents.incident import Incident
from outlay_analytics.incidents.repository import scope_text
from outlay_analytics.query.freshness import hours_changed
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import EARLIEST, Window
from outlay_web import format as fmt
from outlay_web.charts import Bucket, Marker, Stretch
from outlay_web.http.context import Context
from outlay_web.pages.view import View
from outlay_web.services.incidents import incidents_of, remembered

WAIT_S = 10.0
HOUR = timedelta(hours=1)
DAY = 24 * HOUR  # but for where clocks are changed


@dataclass(frozen=True)
class Happened:
    """As charts take it.

    Attributes:
        markers: What was changed: markers that were put, prompt versions and models that are new; one for a step.
            Holidays, where steps are days.
        stretches: Incidents, from the step where they began to the one where they ended.
    """

    markers: Sequence[Marker] = ()
    stretches: Sequence[Stretch] = ()

    def arguments(self) -> dict[str, Any]:
        """For a chart that has no markers of its own."""
        return {"markers": self.markers, "stretches": self.stretches}


def happened(view: View, steps: Sequence[Bucket], newest: Incident | None = None) -> Happened:
    """What happened in these steps, as far as the view's filters leave it; found once for the charts of a page.

    Args:
        newest: The incident that the page is about. Others are as they are remembered; without it, as they are found in
            the view's window.
    """
    if not steps:
        return Happened()
    ctx, scope = view.ctx, replace(view.scope, window=Window(steps[0].start, steps[-1].end))
    key = (scope.window, scope.project, tuple(sorted(scope.filters.items())))
    if key not in view.memory:
        fresh = [newest] if newest else incidents_of(ctx, view.scope, wait_s=0.0)
        by_id = {one.incident_id: one for one in (*remembered(ctx, scope), *fresh)}
        changes = [*markers.told(ctx.store, scope), *_new_values(ctx, scope)]
        view.memory[key] = changes, list(by_id.values())
    changes, found = view.memory[key]
    placed: dict[int, list[str]] = {}
    for one in changes:
        i = step_at(steps, one["at"])
        if i is not None:
            placed.setdefault(i, []).append(fmt.name_text(one["name"]))
    lines = [Marker(i, "; ".join(names), changed=True) for i, names in sorted(placed.items())]
    lines += _holidays(view, steps)
    return Happened(lines, [stretch for one in found if (stretch := _stretch(view, steps, one)) is not None])


def incident_text(one: Incident) -> str:
    """An incident in a line, with the figure of its page."""
    return f"{one.cause}: {fmt.name_text(scope_text(one.scope))}, {fmt.usd_text(one.impact_usd)} above expected"


def incident_href(view: View, one: Incident) -> str:
    return view.to(f"/incidents/{one.incident_id}", start=None, end=None, **dict.fromkeys(view.scope.filters))


def step_at(steps: Sequence[Bucket], at: Any) -> int | None:
    return next((i for i, step in enumerate(steps) if step.start <= at < step.end), None)


def _holidays(view: View, steps: Sequence[Bucket]) -> list[Marker]:
    """The holidays among the steps of a chart of days."""
    holidays = view.ctx.holidays
    if not holidays or not all(DAY - HOUR <= step.end - step.start <= DAY + HOUR for step in steps):
        return []
    days = holidays.days_of([step.start for step in steps], view.timezone)
    found = ((i, holidays.on(day)) for i, day in enumerate(days))
    return [Marker(i, fmt.name_text(one.name), holiday=True) for i, one in found if one is not None]


def _new_values(ctx: Context, scope: Scope) -> list[dict[str, Any]]:
    """As `markers.new_values`, from the one cache: the same for all charts of the same steps."""
    start, end = max(scope.window.start - markers.LEARNED, EARLIEST), scope.window.end
    key = ("new values", scope.project, tuple(sorted(scope.filters.items())), start, end)
    version = hours_changed(ctx.store, scope.project, start, end)
    found: list[dict[str, Any]] | None
    found = ctx.cache.get(key, version, lambda: markers.new_values(ctx.store, scope), WAIT_S, old=True)
    return found or []


def _stretch(view: View, steps: Sequence[Bucket], one: Incident) -> Stretch | None:
    touched = [i for i, step in enumerate(steps) if step.start < one.ended_at and one.started_at < step.end]
    if not touched:
        return None
    return Stretch(touched[0], touched[-1], incident_text(one), incident_href(view, one))
