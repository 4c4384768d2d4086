"""What a page shows is in its URL: this module reads it, and writes the URLs of everything one click away."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from outlay_analytics.explain import bases
from outlay_analytics.query.dimensions import check_groups
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.scope import Scope, is_filter
from outlay_analytics.query.text import rfc3339
from outlay_analytics.query.window import EVERYTHING, Window
from outlay_web import format as fmt
from outlay_web.charts import Bucket, buckets
from outlay_web.http.context import Context
from outlay_web.http.parameters import Query, read_query
from outlay_web.pages.address import BASE, SPAN, Change, changed, url
from outlay_web.pages.colors import Colors

RANGES = (("-1h", "1 h"), ("-24h", "24 h"), ("-7d", "7 d"), ("-30d", "30 d"), ("-90d", "90 d"))
INTERVALS = ("hour", "day", "week", "month")
SHARED = ("start", "end", "project", "timezone")
GROUPS = (
    "feature",
    "team",
    "customer",
    "user",
    "service",
    "environment",
    "provider",
    "model",
    "model_tier",
    "operation",
    "task",
    "prompt",
    "prompt_version",
    "cascade",
    "cache",
    "experiment",
    "arm",
    "cost_state",
    "status",
)
MAX_STEPS = 1500
FIRST_CALL_SQL = """
SELECT toStartOfHour(started_at) AS hour FROM calls
WHERE project = {project:String} ORDER BY project, toStartOfHour(started_at) LIMIT 1
"""


@dataclass(frozen=True)
class Link:
    """A way to another view of the same thing; `on` where it is the present one."""

    label: str
    href: str
    on: bool = False


@dataclass(frozen=True)
class View:
    """One request for a page: who asks, what about, and the URLs around it.

    `typed` are the fields of a form that was refused or asks for an answer on the page itself, `problem` is why it was
    refused and `said` what came of it. `colors` are those that all pages of one program share; `memory` holds what
    several parts of this one page are made of.
    """

    ctx: Context
    path: str
    query: Query
    pairs: tuple[tuple[str, str], ...]
    now: datetime
    base_url: str
    theme: str = ""
    default_days: int = 30
    typed: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    said: str = ""
    colors: Colors = field(default_factory=Colors)
    memory: dict[object, Any] = field(default_factory=dict, compare=False)

    @property
    def scope(self) -> Scope:
        return self.query.scope

    @property
    def window(self) -> Window:
        return self.scope.window

    @property
    def timezone(self) -> str:
        return self.scope.timezone

    def get(self, name: str, default: str = "") -> str:
        return self.query.get(name, default)

    def choice(self, name: str, allowed: Collection[str], default: str) -> str:
        """One of a few words.

        Raises:
            BadRequest: If another one was given.
        """
        value = self.query.get(name) or default
        if value not in allowed:
            raise BadRequest(f"{name} must be one of {', '.join(allowed)}, not {value[:80]!r}")
        return value

    def groups(self, default: str) -> tuple[str, ...]:
        """`group_by`, at most two dimensions.

        Raises:
            BadRequest: If a name is not a dimension, or there are more than two.
        """
        names = check_groups(self.query.names("group_by", (default,)) or (default,))
        if len(names) > 2:
            raise BadRequest("group_by takes one or two dimensions on this page; the API takes more")
        return names

    @cached_property
    def interval(self) -> str:
        """The step asked for, or the one that suits the window's length.

        Raises:
            BadRequest: If it is none, or so fine that the chart would have more than 1,500 steps.
        """
        length = self.window.end - self.window.start
        given = self.choice("interval", ("", *INTERVALS), "")
        if given == "hour" and length > timedelta(hours=MAX_STEPS):
            raise BadRequest(
                f"interval=hour shows at most {MAX_STEPS} hours at once; choose a shorter window or interval=day"
            )
        if given:
            return given
        for limit, name in ((timedelta(days=3), "hour"), (timedelta(days=100), "day"), (timedelta(days=500), "week")):
            if length <= limit:
                return name
        return "month"

    @cached_property
    def first_call(self) -> datetime | None:
        """The hour of the project's earliest call, None without any."""
        rows = self.ctx.store.query(FIRST_CALL_SQL, {"project": self.scope.project})
        return rows[0]["hour"] if rows else None

    @cached_property
    def base(self) -> Window | None:
        """What changes are measured against, as in Explain, alerts and incidents; None without a comparable time."""
        return bases.comparable(self.ctx.store, self.scope).window

    @property
    def base_text(self) -> str:
        """That window in words, for what shows a change."""
        if self.base is None:
            return ""
        start, end = (fmt.instant_text(at, self.timezone) for at in (self.base.start, self.base.end))
        return f"Against {start} – {end}"

    @cached_property
    def steps(self) -> list[Bucket]:
        return buckets(self.window.start, self.window.end, self.interval, self.timezone)

    @property
    def project_pairs(self) -> list[tuple[str, str]]:
        """The project as a parameter, where it is another than the default one."""
        return [] if self.scope.project == "default" else [("project", self.scope.project)]

    @cached_property
    def shared(self) -> tuple[tuple[str, str], ...]:
        """What goes along to every other page: window, project, time zone, filters."""
        return tuple((k, v) for k, v in self.pairs if k in SHARED or is_filter(k))

    def here(self, **changes: Change) -> str:
        """This page with some parameters changed; None takes one away. Paging starts again."""
        return url(self.path, changed(self.pairs, {"cursor": None, "csv": None, **changes}))

    def to(self, path: str, **changes: Change) -> str:
        """Another page about the same window and filters."""
        return url(path, changed(self.shared, changes))

    def narrowed(self, dimension: str, value: object, path: str | None = None, **changes: Change) -> str:
        """The same with one more filter, or with another value of it."""
        base = self.shared if path else self.pairs
        return url(
            path or self.path, changed(base, {"cursor": None, "csv": None, **changes, dimension: str(value or "")})
        )

    def at(self, step: Bucket, path: str | None = None) -> str:
        """The window of one step of a chart."""
        return self.between(step.start, step.end, path)

    def between(self, start: datetime, end: datetime, path: str | None = None, base: Window | None = None) -> str:
        """The same about another window, compared with `base` where that is explained."""
        pairs = self.shared if path else self.pairs
        span: dict[str, Change] = {"start": rfc3339(start), "end": rfc3339(end)}
        if base is not None:
            span |= self.against(base)
        return url(path or self.path, changed(pairs, {"cursor": None, "csv": None, "interval": None, **span}))

    @property
    def ranges(self) -> list[Link]:
        start, end = self.get_raw("start"), self.get_raw("end")
        chosen = start if end in ("", "now") else ""
        if not start and not end:
            chosen = f"-{self.default_days}d"
        return [
            Link(label, self.here(start=value, end=None, interval=None), value == chosen) for value, label in RANGES
        ]

    @property
    def range_text(self) -> str:
        """The window in words: `1 Nov 2026, 00:00 – 22 Nov 2026, 14:05 UTC`."""
        if self.window == EVERYTHING:
            return "all of time"
        start, end = (fmt.instant_text(at, self.timezone) for at in (self.window.start, self.window.end))
        return f"{start} – {end} {self.timezone}"

    @property
    def local_start(self) -> str:
        return _local(self.window.start, self.timezone)

    @property
    def local_end(self) -> str:
        return _local(self.window.end, self.timezone)

    @property
    def open_ended(self) -> bool:
        """Whether the window reaches to the present, so that new data may change the page."""
        return self.get_raw("end") in ("", "now")

    @property
    def chips(self) -> list[tuple[str, str, str]]:
        """Each filter as (dimension, value, URL without it)."""
        out = []
        for i, (name, value) in enumerate(self.pairs):
            if is_filter(name):
                rest = tuple(pair for k, pair in enumerate(self.pairs) if k != i and pair[0] not in ("cursor", "csv"))
                out.append((name, value, url(self.path, rest)))
        return out

    def against(self, base: Window) -> dict[str, Change]:
        """What a link to an explanation carries so that it compares with `base`."""
        return {"base_start": rfc3339(base.start), "base_end": rfc3339(base.end)}

    def hidden(self, *without: str) -> list[tuple[str, str]]:
        """Parameters a form has to carry along, except those it sets itself and what they would make stale."""
        stale = BASE if set(SPAN) & set(without) else ()
        return [(k, v) for k, v in self.pairs if k not in (*without, *stale, "cursor", "csv")]

    def get_raw(self, name: str) -> str:
        return next((value for key, value in self.pairs if key == name), "")


def read_view(ctx: Context, request: Request, allowed: Collection[str], default_days: int = 30) -> View:
    """Read a request for a page.

    Raises:
        BadRequest: For parameters that the page does not know or cannot read.
    """
    query = read_query(ctx, request, (*allowed, "csv"), default_days=default_days)
    theme = request.cookies.get("outlay_theme", "")
    pairs = tuple(request.query_params.multi_items())
    base_url = ctx.settings.public_url.rstrip("/") or str(request.base_url).rstrip("/")
    theme = theme if theme in ("light", "dark") else ""
    return View(ctx, request.url.path, query, pairs, ctx.now(), base_url, theme, default_days)


def _local(at: datetime, timezone: str) -> str:
    return at.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%dT%H:%M")
