"""Why an alert fires: its drivers and sentences, about the time and the amounts that it speaks of now."""

from __future__ import annotations

from typing import Any

from outlay_analytics.alerting.states import Alert, explained
from outlay_analytics.explain.bases import comparable
from outlay_analytics.explain.change import changes
from outlay_analytics.query.scope import Scope
from outlay_analytics.query.window import Window
from outlay_collector.store import Store

Found = tuple[Window | None, list[dict[str, Any]], list[str]]


class Explainer:
    """Explains alerts against a comparable base; each window of each scope is looked at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[tuple[str, str, Window], Found] = {}

    def explain(self, alert: Alert) -> Alert:
        """The alert with drivers and sentences about its present window; as it is where that is empty.

        Where nothing comparable was recorded there are no drivers, and the sentence says why. An anomaly keeps what
        was found with it.
        """
        window = Window(alert.window_start, alert.window_end)
        if alert.rule == "anomaly" or not window.length or alert.explained_end == window.end:
            return alert
        scope = Scope(window, {dim: tuple(values) for dim, values in alert.scope.items()}, alert.project)
        key = (alert.project, repr(sorted(scope.filters.items())), window)
        if key not in self._found:
            self._found[key] = self._look(scope)
        return explained(alert, window, *self._found[key])

    def _look(self, scope: Scope) -> Found:
        base = comparable(self._store, scope)
        if base.window is None:
            return None, [], [f"Why it changed cannot be said: {base.reason}."]
        drivers, words = changes(self._store, scope, base.window)
        return base.window, drivers, words
