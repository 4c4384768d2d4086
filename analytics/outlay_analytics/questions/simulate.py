"""What a window's calls would have cost if something had been otherwise: changes on real traffic, one after the other.

A scenario is a sum of branches, each with a weight, a model per call and token counts::

    scenario = Σ weight × cost of the calls as the branch has them

A discount scales weights; a batch share splits each branch in two; a cascade makes two of each, the second with the
escalation rate as its weight; the others change the calls of every branch. What no change concerns keeps the cost that
it has, so that no change at all gives the actual cost to the last digit. What is concerned is priced by `price.sql` as
any call: with the list in force when it started, or at today's prices once its model is another one.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from outlay_analytics.query.amounts import MONTH_DAYS
from outlay_analytics.query.dimensions import NOT_ANSWERS
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.model_facts import model_facts
from outlay_analytics.query.scope import Scope, filter_sql
from outlay_analytics.query.spend_source import spend_source
from outlay_analytics.query.text import sql_instant
from outlay_analytics.questions.changes import (
    BatchShare,
    CacheHitRatio,
    Cascade,
    Change,
    MaxOutput,
    Model,
    PriceDiscount,
    ReplaceModel,
    ShorterPrompt,
)
from outlay_analytics.questions.simulate_quality import Swap, measured_quality
from outlay_analytics.questions.simulate_rows import EXACT, added, feature_row, shown
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Row, Store, load_sql
from outlay_collector.store.client import Writer

SQL = "outlay_analytics.questions.sql"
MAX_BRANCHES = 16
MAX_FEATURES = 20_000
MILLION = 1_000_000


@dataclass(frozen=True)
class Branch:
    """A part of a scenario: its weight, its calls as SQL, and whether a change may concern any of them."""

    weight: Decimal
    source: str
    changed: bool = False


@dataclass
class Scenario:
    """Branches as changes make them, and what has to be said about them."""

    store: Store
    book: PriceBook
    branches: list[Branch]
    traffic: list[Row]
    params: dict[str, Any]
    caveats: list[str] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)

    def apply(self, number: int, change: Change) -> None:
        """Make a change on top of those before it.

        Raises:
            BadRequest: If it concerns no call, or a model has no price.
        """
        n = str(number)
        if isinstance(change, PriceDiscount):
            self.branches = [replace(one, weight=one.weight * (1 - change.share)) for one in self.branches]
        elif isinstance(change, BatchShare):
            batched = [
                Branch(one.weight * change.share, load_sql(SQL, "simulate_batch", source=one.source), True)
                for one in self.branches
            ]
            kept = [replace(one, weight=one.weight * (1 - change.share)) for one in self.branches]
            self._set(kept + batched)
            self.caveats.append("Batched answers come within a day, not at once: only what can wait may be batched.")
        elif isinstance(change, ReplaceModel):
            self._replace(n, change)
        elif isinstance(change, Cascade):
            self._cascade(n, change)
        elif isinstance(change, CacheHitRatio):
            self.params[f"ratio_{n}"] = int(change.ratio * MILLION)
            self._each("simulate_cache", n=n)
            self.caveats.append(
                "The hit ratio is set for each call; a cache that is not written reads nothing, and what would have "
                "to be written for it is not added."
            )
        elif isinstance(change, ShorterPrompt):
            self._shorten(n, change)
        elif isinstance(change, MaxOutput):
            self.params[f"most_{n}"] = change.tokens
            self._each("simulate_output", n=n)
            self.caveats.append("Answers are cut at the limit, not told to be shorter: what is cut off is lost.")

    def _each(self, file: str, **fragments: str) -> None:
        self.branches = [
            replace(one, source=load_sql(SQL, file, source=one.source, **fragments), changed=True)
            for one in self.branches
        ]

    def _set(self, branches: Sequence[Branch]) -> None:
        found = [one for one in branches if one.weight]
        if len(found) > MAX_BRANCHES:
            raise BadRequest(f"these changes split the calls into more than {MAX_BRANCHES} parts; leave one out")
        self.branches = found

    def _replace(self, n: str, change: ReplaceModel) -> None:
        hit = [row for row in self.traffic if change.source in (row["model"], row["request_model"])]
        if not hit:
            there = [str(row["model"]) for row in self.traffic if row["model"]]
            near = difflib.get_close_matches(change.source, there, 3) or list(dict.fromkeys(there))[:5]
            raise BadRequest(
                f"replace_model: no billed call is to {change.source[:SHOWN]!r} here"
                + (f"; there are {', '.join(near)}" if near else "")
            )
        self.params[f"from_{n}"] = change.source
        condition = f"(s.model = {{from_{n}:String}} OR s.request_model = {{from_{n}:String}})"
        self._to("replace_model", n, change.target, hit)
        self._each("simulate_model", n=n, hit=condition, only="1")
        self._compare_makers(change.source, change.target.name)
        self.swaps.append(Swap(change.source, change.target.name))
        for row in hit:
            row["model"] = row["request_model"] = change.target.name

    def _cascade(self, n: str, change: Cascade) -> None:
        answers = f"(s.operation NOT IN {NOT_ANSWERS})"
        made = []
        for end, model, weight in (("a", change.cheap, Decimal(1)), ("b", change.expensive, change.escalation_rate)):
            self._to("cascade", n + end, model, self.traffic)
            only = "1" if end == "a" else answers
            made += [
                Branch(
                    one.weight * weight,
                    load_sql(SQL, "simulate_model", source=one.source, n=n + end, hit=answers, only=only),
                    True,
                )
                for one in self.branches
            ]
        self._set(made)
        self.traffic = [
            {**row, "model": model.name, "request_model": model.name}
            for row in self.traffic
            for model in (change.cheap, change.expensive)
        ]
        self.caveats.append(
            f"That {change.escalation_rate.normalize():f} of the requests escalate is assumed; a cascade that runs "
            "measures it. Both attempts of an escalated request are paid for, and it takes the time of both."
        )
        self.swaps.append(Swap(None, change.cheap.name))

    def _to(self, name: str, n: str, model: Model, hit: Sequence[Row]) -> None:
        """Who sells a model to each of the calls: their provider if it does, else its maker.

        Raises:
            BadRequest: If no price is known for it.
        """
        catalog = self.book.catalog
        providers = sorted({str(row["provider"]) for row in hit})
        keep = [] if model.provider else [one for one in providers if catalog.find(one, model.name)]
        owner = catalog.find(model.provider, model.name)
        if owner is None and len(keep) < len(providers):
            at = f" at {model.provider}" if model.provider else ""
            raise BadRequest(
                f"{name}: no price is known for {model.name[:SHOWN]!r}{at}; give one in outlay.toml or by PUT /prices"
            )
        seller = model.provider or (owner.model.provider if owner else "")
        self.params |= {f"model_{n}": model.name, f"keep_{n}": keep, f"seller_{n}": seller}

    def _shorten(self, n: str, change: ShorterPrompt) -> None:
        known = sorted({str(part) for row in self.traffic for part in row["parts"]})
        if change.part and change.part not in known:
            raise BadRequest(
                f"shorter_prompt: no call says how long its part {change.part[:SHOWN]!r} is"
                + (f"; known parts: {', '.join(known)}" if known else "; send outlay.prompt.part.<name>.tokens")
            )
        self.params |= {f"part_{n}": change.part, f"share_{n}": int(change.share * MILLION)}
        self._each("simulate_prompt", n=n)
        if change.part:
            self.caveats.append(f"Only calls that say how long their {change.part} is become shorter.")
        self.caveats.append("Whether answers stay as good with less in the prompt is not known.")

    def _compare_makers(self, source: str, target: str) -> None:
        if model_facts(source).developer != model_facts(target).developer:
            self.caveats.append(
                f"Tokens are those that {source} counted; {target} counts the same text with another tokenizer."
            )


def simulate(
    store: Store,
    book: PriceBook,
    writer: Writer | None,
    scope: Scope,
    changes: Sequence[Change],
    *,
    now: datetime,
    limit: int = 100,
) -> dict[str, Any]:
    """The cost of a scope with some changes made one after the other.

    Args:
        store: Where the calls are.
        book: The prices.
        writer: Looks up names of models that were not seen before; not needed where nothing is changed.
        scope: Window and filters.
        changes: What is otherwise; none gives the actual cost.
        now: The moment whose prices another model is paid at.
        limit: Most features to list, those with the largest actual cost.

    Returns:
        `window`, `currency`, `actual_usd`, `scenario_usd`, `change_usd`, `change_ratio`, both per month, `coverage`,
        `touched_calls`, `rows` by feature (all others as one with `remainder`), `quality` (how the answers of another
        model are scored in the same features, see `simulate_quality`) and `caveats`.

    Raises:
        BadRequest: For a change that concerns no call, a model without a price, too many branches or features.
    """
    if writer is not None:
        book.ensure(writer)
    params: dict[str, Any] = {"project": scope.project, "now": sql_instant(now)}
    params |= {"start": sql_instant(scope.window.start), "end": sql_instant(scope.window.end)}
    source = load_sql(SQL, "simulate_source", filters=filter_sql(scope, "calls", params) or "1")
    traffic = store.query(load_sql(SQL, "simulate_models", source=source), params) if changes else []
    scenario = Scenario(store, book, [Branch(Decimal(1), source)], traffic, params)
    for number, change in enumerate(changes):
        scenario.apply(number, change)
    actual = _actual(store, scope)
    if len(actual) > MAX_FEATURES:
        raise BadRequest(f"this window has more than {MAX_FEATURES} features; filter by some of them")
    sums: dict[str, Decimal] = defaultdict(Decimal)
    touched: dict[str, int] = defaultdict(int)
    for branch in scenario.branches:
        for feature, usd, calls in _of_branch(scenario, writer, branch):
            sums[feature] = EXACT.add(sums[feature], EXACT.multiply(branch.weight, usd))
            touched[feature] = max(touched[feature], calls)
    per_month = MONTH_DAYS * 86400 / Decimal(scope.window.length.total_seconds()) if scope.window.length else None
    rows = [feature_row(row, sums[str(row["value"])], touched[str(row["value"])], per_month) for row in actual]
    calls, priced = (sum(int(row[name]) for row in actual) for name in ("calls", "priced_calls"))
    whole = added(rows, per_month)
    judged, unknown = measured_quality(store, scope, scenario.swaps)
    caveats = list(dict.fromkeys([*scenario.caveats, *unknown]))
    if priced < calls:
        caveats.append(f"{calls - priced} of {calls} calls have no known cost and are in neither figure.")
    return {
        "window": {"start": scope.window.start, "end": scope.window.end},
        "currency": "USD",
        **{name: value for name, value in whole.items() if name != "calls"},
        "coverage": {"calls": calls, "priced_calls": priced, "priced_ratio": priced / calls if calls else None},
        "rows": shown(rows, limit, per_month),
        "quality": judged,
        "caveats": caveats,
    }


def _of_branch(scenario: Scenario, writer: Writer | None, branch: Branch) -> Iterator[tuple[str, Decimal, int]]:
    """Cost per feature of a branch: (feature, USD, calls that a change concerns)."""
    for row in scenario.store.query(load_sql(SQL, "simulate_kept", source=branch.source), scenario.params):
        yield str(row["feature"]), row["usd"], 0
    if not branch.changed:
        return
    assert writer is not None  # something is changed
    concerned = load_sql(SQL, "simulate_concerned", source=branch.source)
    scenario.book.prepare(writer, concerned, scenario.params)
    priced = scenario.book.price_select(concerned)
    for row in scenario.store.query(load_sql(SQL, "simulate", priced=priced), scenario.params):
        if row["unpriced"]:
            named = ", ".join(sorted(map(str, row["unpriced"])))
            raise BadRequest(f"no price is known for {named[:200]} as the changes would use it")
        if row["without_tier"]:
            named = ", ".join(sorted(map(str, row["without_tier"])))
            scenario.caveats.append(f"No price of the service tier is known for {named}: the standard one is taken.")
        if row["without_cache"]:
            named = ", ".join(sorted(map(str, row["without_cache"])))
            scenario.caveats.append(f"No price for cached input is known for {named}: reads cost what input does.")
        yield str(row["feature"]), row["usd"], int(row["calls"])


def _actual(store: Store, scope: Scope) -> list[Row]:
    source = spend_source(store, scope, ("feature",))
    sql = load_sql(SQL, "showback", source=source.sql)
    return store.query(sql, {**source.params, "max_rows": MAX_FEATURES + 1})
