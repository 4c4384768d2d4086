"""A request's query string as a scope: window, dimension filters, project and time zone; the same for API and pages.

Every parameter must be known to the endpoint: one that is accepted and ignored would answer another question.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from starlette.datastructures import URL
from starlette.requests import Request

from outlay_analytics.query.dimensions import DIMENSIONS
from outlay_analytics.query.errors import BadRequest
from outlay_analytics.query.model_tiers import DEFAULT_TIERS
from outlay_analytics.query.scope import ID_FILTERS, Scope, is_filter
from outlay_analytics.query.window import EVERYTHING, Window, parse_window
from outlay_web.http.context import Context

NO_WINDOW = ("project", "timezone")
COMMON = ("start", "end", *NO_WINDOW)
HEX_FILTERS = ("trace_id", "call_id")
MAX_VALUES = 1000
SHOWN = 80


@dataclass(frozen=True)
class Query:
    """What a request asks: its scope, and the endpoint's own parameters."""

    scope: Scope
    values: Mapping[str, str]
    windowed: bool
    url: URL | None = None

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)

    def address(self, cursor: str) -> str:
        """Where the page after this one is: the request's own address with another cursor."""
        return str(self.url.include_query_params(cursor=cursor)) if self.url else f"?cursor={cursor}"

    def names(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """A comma-separated parameter: `group_by=feature,model`."""
        text = self.values.get(name)
        return default if text is None else tuple(part.strip() for part in text.split(",") if part.strip())

    def number(self, name: str, default: float) -> float:
        """A number, which may be one that makes no sense.

        Raises:
            BadRequest: If it is none at all.
        """
        text = self.values.get(name)
        try:
            return float(text) if text else default
        except ValueError as exc:
            raise BadRequest(f"{name} must be a number such as {default:g}, not {text!r:.80}") from exc

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number between `low` and `high`.

        Raises:
            BadRequest: If it is not one.
        """
        text = self.values.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and low <= int(text) <= high):
            raise BadRequest(f"{name} must be a whole number from {low} to {high}, not {text[:SHOWN]!r}")
        return int(text)


def read_query(
    ctx: Context,
    request: Request,
    allowed: Collection[str] = (),
    *,
    filters: bool = True,
    window: bool = True,
    default_days: int = 30,
    comparing: bool = False,
) -> Query:
    """Read a query string as scope and the endpoint's own parameters.

    Args:
        allowed: The endpoint's own parameters.
        filters: Whether dimensions, `trace_id`, `call_id` and `response_id` may filter.
        window: Whether the answer is about a window, so that `start` and `end` mean something.
        default_days: Length of the window when none is given; a look-up by id then looks at all of time.
        comparing: The answer compares with another time, so that a look-up by id has the default window too.

    Raises:
        BadRequest: For an unknown parameter, a single one given twice, a window or time zone that cannot be read.
    """
    values: dict[str, str] = {}
    chosen: dict[str, list[str]] = {}
    allowed = (*(COMMON if window else NO_WINDOW), *allowed)
    for name, value in request.query_params.multi_items():
        if name in allowed:
            if name in values:
                raise BadRequest(f"{name} was given more than once")
            values[name] = value
        elif filters and is_filter(name):
            chosen.setdefault(name, []).append(value.lower() if name in HEX_FILTERS else value)
        else:
            known = sorted({*allowed, *((*DIMENSIONS, *ID_FILTERS) if filters else ())})
            known += ["tag.<key>", "score.<name>"] * filters
            raise BadRequest(f"unknown parameter {name[:SHOWN]!r}; allowed: {', '.join(known)}")
    if sum(map(len, chosen.values())) > MAX_VALUES:
        raise BadRequest(f"at most {MAX_VALUES} filter values at once")
    windowed = "start" in values or "end" in values
    by_id = not windowed and not comparing and any(name in chosen for name in ID_FILTERS)
    scope = Scope(
        EVERYTHING if by_id else _window(values, ctx, default_days),
        {name: tuple(given) for name, given in chosen.items()},
        request.state.project,
        values.get("timezone") or "UTC",
        ctx.config.get("model_tiers", DEFAULT_TIERS),
        ctx.holidays,
    )
    own = {name: value for name, value in values.items() if name not in COMMON}
    return Query(scope, own, windowed, request.url)


def _window(values: Mapping[str, str], ctx: Context, default_days: int) -> Window:
    zone = values.get("timezone") or "UTC"
    return parse_window(values.get("start"), values.get("end"), ctx.now(), default_days, zone)
