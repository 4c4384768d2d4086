"""Bills that are tables, FOCUS and the clouds' own: a line becomes charges. What columns mean is in `columns.py`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from outlay.pricing.tiers import standard_tier
from outlay_analytics.reconcile.bill import Charge, family
from outlay_analytics.reconcile.columns import (
    AI_CATEGORY,
    CLOUDS,
    KINDS,
    MIXED_SERVICES,
    MODEL_SERVICES,
    Columns,
    fold,
)
from outlay_analytics.reconcile.files import Record
from outlay_analytics.reconcile.lines import Layout, Line
from outlay_analytics.reconcile.models import COMMITTED, MAKES, TIERS, TOOLS
from outlay_analytics.reconcile.reading import Charges, Reading, amount_of
from outlay_analytics.reconcile.units import tokens_of

MODEL_KEYS = ("x_Model", "Model", "model", "ModelName", "model_name", "ModelId")


class Tables(Reading):
    """Reads the lines of a table."""

    def table(self, kind: Columns, names: Sequence[str], rows: Iterator[Record]) -> Charges:
        by_fold: dict[str, str] = {}
        for name in names:
            by_fold.setdefault(fold(name), name)
        layout = Layout(kind, by_fold)
        for where, row in rows:
            yield from self._line(layout, Line(layout, where, row))

    def _line(self, layout: Layout, line: Line) -> Charges:
        kind = layout.kind
        if self.closes(line.value(kind.start), line.amounts()[1]):
            return
        category = KINDS.get(fold(line.text(kind.kind)), "usage")
        provider = kind.provider or _provider(line)
        model = self._model(provider, line)
        amount_name, amount, listed_name, listed, currency = line.amounts()
        if category == "usage":
            category = _compared(provider, line, model)
        if category in ("adjustments", "usage", "fee"):
            negative = amount_of(amount)
            correction = fold(line.text(kind.correction)) == "correction" and category == "usage"
            if negative is not None and negative < 0 and not correction:
                category = "credit"
        if category == "credit" and _compared(provider, line, model) == "other services":
            category = "other services"
        if category not in ("usage", "fee", "credit"):
            self.left_out.add(category, amount_of(amount) if currency == "USD" else None)
            return
        rate = self.rate(line.where, line.named(kind.currency)[0], currency, line.value(kind.rate))
        if rate is None:
            return
        usd = self.usd(line.where, amount_name, amount, rate)
        start = self.instant(line.where, *line.named(kind.start), month_first=kind.month_first)
        if usd is None or start is None:
            return
        if category != "credit":
            until_name, until = line.named(kind.end)
            end = self.instant(line.where, until_name, until) if until else start
            if end is None:
                return
            if end - start > timedelta(hours=25) or end < start:
                expected = f"{line.where}, {until_name}: {until!r} where an hour or a day after the start is expected"
                self.left_out.add("of more than a day", usd, expected)
                return
            if _other_month(start, line.text(kind.period)):
                self.left_out.add("of other months", usd)
                return
            self.days.add(start.date())
        list_usd = None if listed in (None, "") else self.usd(line.where, listed_name, listed, rate)
        if category == "credit" or (list_usd == 0 and usd):
            list_usd = None
        tier = self._tier(line)
        named = model if category != "fee" else ""
        account, region = line.text(kind.accounts)[:200], line.text(kind.region)[:100]
        quantity, unit = _quantity(line)
        for column in kind.taken_off:
            taken = line.value((column,))
            off = None if taken is None else self.usd(line.where, column, taken, rate)
            if off:
                yield Charge(start.date(), provider, named, tier, "credit", -abs(off), account=account)
        yield Charge(
            start.date(), provider, named, tier, category, usd, list_usd,
            line.text(kind.meter)[:200], account, "", quantity, unit, region,
        )  # fmt: skip
        for credit in self._credits(line, rate):
            yield Charge(start.date(), provider, named, tier, "credit", credit, account=account)

    def _model(self, provider: str, line: Line) -> str:
        """The price list's id of the model that a line speaks of; a text that names one nobody lists as it is."""
        kind = line.layout.kind
        details = _details(line.value(kind.details))
        exact = [str(details[key]) for key in MODEL_KEYS if details.get(key)]
        exact += line.texts(kind.models)
        own = line.own_columns()
        loose = [*(str(value) for value in details.values() if isinstance(value, str)), *line.texts(kind.texts), *own]
        services = line.texts(kind.services)
        resources = line.texts(kind.resources)
        known = next((one for one in (*exact, *own) if self.models.knows(provider, one)), "")
        if known:
            return known[:300]
        for one in (*exact, *loose):
            if found := self.models.spot(provider, one):
                return found
        for one in resources:
            if self.models.knows(provider, one):
                return one[:300]
        for one in (*resources, *services):
            if found := self.models.spot(provider, one):
                return found
        if stated := next((str(details[key]) for key in MODEL_KEYS if details.get(key)), line.text(("x_Model",))):
            return stated[:300]
        # ServiceName comes last: `Azure OpenAI` names no model.
        return next((one for one in (*loose, *resources) if MAKES.search(one)), "")[:300]

    def _tier(self, line: Line) -> str:
        kind = line.layout.kind
        stated = line.text(kind.tier) or str(_details(line.value(kind.details)).get("x_ServiceTier", ""))
        if stated:
            return standard_tier(stated)
        said = next((match for one in line.texts(kind.texts) if (match := TIERS.search(one))), None)
        return said[1].lower() if said else ""

    def _credits(self, line: Line, rate: Decimal) -> Iterator[Decimal]:
        """The credits inside a row of Google's export, which its cost does not contain."""
        value = line.value(line.layout.kind.credits)
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value, parse_float=Decimal)
            except (ValueError, RecursionError):
                self.problems.add(line.where, "credits", value, 'a list such as [{"name": "…", "amount": -0.1}]')
                return
        for one in value if isinstance(value, Sequence) and not isinstance(value, str) else ():
            usd = self.usd(line.where, "credits.amount", one.get("amount") if isinstance(one, Mapping) else one, rate)
            if usd:
                yield usd


def _quantity(line: Line) -> tuple[Decimal | None, str]:
    """How much was used, and in what: `consumed` where it is stated, else what was priced."""
    for quantities, units in line.layout.kind.quantities:
        found = amount_of(line.value(quantities))
        if found is not None:
            return tokens_of(found, line.text(units), line.text(line.layout.kind.meter))
    return None, ""


def _provider(line: Line) -> str:
    """Who bills: the cloud that sells it, else whoever the service is of."""
    kind = line.layout.kind
    seller = family(line.text(kind.sellers))
    service = family(line.text(kind.services))
    if seller in CLOUDS or service not in (*CLOUDS, "openai", "anthropic"):
        return seller
    return service


def _compared(provider: str, line: Line, model: str) -> str:
    """Whether a line bills a model (`usage`), a tool of the models' service (`fee`), or anything else."""
    kind = line.layout.kind
    service = " ".join(line.texts(kind.services))
    category = line.text(kind.category)
    sells = MODEL_SERVICES.search(service) is not None
    mixed = MIXED_SERVICES.search(service) is not None
    if category not in ("", AI_CATEGORY) and not sells and not (mixed and model):
        return "other services"
    if provider in CLOUDS and not sells and not (model and (mixed or not service)):
        return "other services"
    if any(COMMITTED.search(one) for one in line.texts(kind.texts)):
        return "provisioned throughput"
    if not model and any(TOOLS.search(one) for one in line.texts(kind.texts)):
        return "fee"
    return "usage"


def _other_month(start: datetime, period: str) -> bool:
    """Whether a line corrects another month than the one it is billed in; a day more is the provider's time zone."""
    found = re.match(r"(20\d\d)-?(0[1-9]|1[0-2])", period)
    american = re.match(r"(\d{1,2})/\d{1,2}/(20\d\d)", period)
    if not found and not american:
        return False
    year, month = (
        (int(found[1]), int(found[2])) if found else (int(american[2]), int(american[1])) if american else (0, 0)
    )
    if not 1 <= month <= 12:
        return False
    first = datetime(year, month, 1, tzinfo=UTC)
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
    return not first - timedelta(days=1) <= start < after + timedelta(days=1)


def _details(value: Any) -> Mapping[str, Any]:
    """SkuPriceDetails and the like: JSON in a text, or a map of a Parquet file."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = dict(value)
    return value if isinstance(value, Mapping) else {}
