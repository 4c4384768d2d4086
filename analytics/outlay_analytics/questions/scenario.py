"""A scenario: the branches that changes make of a window's calls, and what has to be said about them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from outlay.pricing.tiers import STANDARD_TIERS
from outlay_analytics.query.dimensions import NOT_ANSWERS
from outlay_analytics.query.errors import SHOWN, BadRequest
from outlay_analytics.query.model_facts import model_facts
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
from outlay_analytics.questions.simulate_quality import Swap
from outlay_collector.prices.book import PriceBook
from outlay_collector.store import Row, load_sql

SQL = "outlay_analytics.questions.sql"
MAX_BRANCHES = 16
MILLION = 1_000_000


@dataclass(frozen=True)
class Branch:
    """A part of a scenario.

    Attributes:
        weight: How much it counts.
        source: Its calls as SQL.
        changed: Whether a change may concern any of them.
        whole: Whether it has all calls of the window; else a change concerns each of those that it has.
    """

    weight: Decimal
    source: str
    changed: bool = False
    whole: bool = True


@dataclass(frozen=True)
class Asked:
    """Which model calls ask for, where, and which one is billed; fields as in `calls`."""

    provider: str
    model: str
    request_model: str
    response_model: str
    service_tier: str
    region: str

    def of(self, model: str, provider: str) -> Asked:
        return replace(self, provider=provider, model=model, request_model=model, response_model="")


@dataclass
class Scenario:
    """Branches as changes make them, and what has to be said about them.

    Attributes:
        book: The prices.
        branches: What the scenario is the sum of.
        traffic: What the calls ask for by now, the dearest first.
        parts: Names of the parts of their prompts.
        params: Values that the branches bind.
        named: All that calls of any branch may ask for.
    """

    book: PriceBook
    branches: list[Branch]
    traffic: list[Asked]
    parts: Sequence[str]
    params: dict[str, Any]
    caveats: list[str] = field(default_factory=list)
    swaps: list[Swap] = field(default_factory=list)
    named: set[Asked] = field(default_factory=set)

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
                replace(one, weight=one.weight * change.share, source=self._batched(one.source), changed=True)
                for one in self.branches
            ]
            kept = [replace(one, weight=one.weight * (1 - change.share)) for one in self.branches]
            self._set(kept + batched)
            self.traffic += [replace(one, service_tier="batch") for one in self.traffic]
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
        self.traffic = list(dict.fromkeys(self.traffic))
        self.named.update(self.traffic)

    @staticmethod
    def _batched(source: str) -> str:
        standard = ", ".join(f"'{tier}'" for tier in sorted(STANDARD_TIERS))
        return load_sql(SQL, "simulate_batch", source=source, standard=standard)

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
        hit = [one for one in self.traffic if change.source in (one.model, one.request_model)]
        if not hit:
            there = [one.model for one in self.traffic if one.model]
            near = difflib.get_close_matches(change.source, there, 3) or list(dict.fromkeys(there))[:5]
            raise BadRequest(
                f"replace_model: no billed call is to {change.source[:SHOWN]!r} here"
                + (f"; there are {', '.join(near)}" if near else "")
            )
        self.params[f"from_{n}"] = change.source
        condition = f"(s.model = {{from_{n}:String}} OR s.request_model = {{from_{n}:String}})"
        instead = self._to("replace_model", n, change.target, hit)
        self._each("simulate_model", n=n, hit=condition, only="1")
        self._compare_makers(change.source, change.target.name)
        self.swaps.append(Swap(change.source, change.target.name))
        self.traffic = [instead.get(one, one) for one in self.traffic]

    def _cascade(self, n: str, change: Cascade) -> None:
        answers = f"(s.operation NOT IN {NOT_ANSWERS})"
        made: list[Branch] = []
        asked: list[Asked] = []
        for end, model, weight in (("a", change.cheap, Decimal(1)), ("b", change.expensive, change.escalation_rate)):
            asked += self._to("cascade", n + end, model, self.traffic).values()
            only = "1" if end == "a" else answers
            made += [
                Branch(
                    one.weight * weight,
                    load_sql(SQL, "simulate_model", source=one.source, n=n + end, hit=answers, only=only),
                    changed=True,
                    whole=one.whole and end == "a",
                )
                for one in self.branches
            ]
        self._set(made)
        self.traffic = asked
        self.caveats.append(
            f"That {change.escalation_rate.normalize():f} of the requests escalate is assumed; a cascade that runs "
            "measures it. Both attempts of an escalated request are paid for, and it takes the time of both."
        )
        self.swaps.append(Swap(None, change.cheap.name))

    def _to(self, name: str, n: str, model: Model, hit: Sequence[Asked]) -> dict[Asked, Asked]:
        """What calls ask for once they go to a model: at their provider if that sells it, else at its maker.

        Raises:
            BadRequest: If no price is known for it.
        """
        catalog = self.book.catalog
        providers = sorted({one.provider for one in hit})
        keep = [] if model.provider else [one for one in providers if catalog.find(one, model.name)]
        owner = catalog.find(model.provider, model.name)
        if owner is None and len(keep) < len(providers):
            at = f" at {model.provider}" if model.provider else ""
            raise BadRequest(
                f"{name}: no price is known for {model.name[:SHOWN]!r}{at}; give one in outlay.toml or by PUT /prices"
            )
        seller = model.provider or (owner.model.provider if owner else "")
        self.params |= {f"model_{n}": model.name, f"keep_{n}": keep, f"seller_{n}": seller}
        return {one: one.of(model.name, one.provider if one.provider in keep else seller) for one in hit}

    def _shorten(self, n: str, change: ShorterPrompt) -> None:
        if change.part and change.part not in self.parts:
            known = f"known parts: {', '.join(self.parts)}" if self.parts else "send outlay.prompt.part.<name>.tokens"
            raise BadRequest(f"shorter_prompt: no call says how long its part {change.part[:SHOWN]!r} is; {known}")
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

    def tell(self, priced: Row) -> None:
        """Refuse, or say, what the prices of some calls lack; see simulate.sql.

        Raises:
            BadRequest: If one has no price.
        """
        if priced["unpriced"]:
            named = ", ".join(sorted(map(str, priced["unpriced"])))
            raise BadRequest(f"no price is known for {named[:200]} as the changes would use it")
        if priced["without_usage"]:
            named = ", ".join(sorted(map(str, priced["without_usage"])))
            raise BadRequest(
                f"calls that the changes would send to {named[:200]} do not say their tokens, so what they would cost "
                "there is not known; leave them out by a filter"
            )
        if priced["without_tier"]:
            named = ", ".join(sorted(map(str, priced["without_tier"])))
            self.caveats.append(f"No price of the service tier is known for {named}: the standard one is taken.")
        if priced["without_cache"]:
            named = ", ".join(sorted(map(str, priced["without_cache"])))
            self.caveats.append(f"No price for cached input is known for {named}: reads cost what input does.")
