"""What each kind of bill calls its day, its model and its amount.

Sources, read in November 2026: OpenAI's `GET /v1/organization/costs`
(developers.openai.com/api/docs/api-reference/usage) and the dashboard's cost export; Anthropic's
`GET /v1/organizations/cost_report` (platform.claude.com/docs/en/api/admin/cost_report: amounts are in cents, the
Priority tier is not in it) and the Console's cost export; the clouds' tables are in `reconcile_columns`.

Lines that are not compared (taxes, other services, other currencies, whole months) are left out and counted. A line
that is compared and cannot be read refuses the bill: one that is read in part would show a difference that is not
there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay.pricing.catalog import standard_tier
from outlay_analytics.reconcile.bill import BadBill, Bill, Charge, LeftOut, Problems, family, gather
from outlay_analytics.reconcile.columns import (
    AI_CATEGORY,
    CLOUDS,
    KINDS,
    MIXED_SERVICES,
    MODEL_SERVICES,
    Columns,
    columns_of,
    fold,
)
from outlay_analytics.reconcile.files import KNOWN, Record, open_file
from outlay_analytics.reconcile.models import MAKES, TIERS, TOOLS, ModelNames

SCALE = Decimal("0.000000000001")
MAX_USD = Decimal(10) ** 12
TIER_WORDS = frozenset({"batch", "flex", "priority", "fast"})
MODEL_KEYS = ("x_Model", "Model", "model", "ModelName", "model_name", "ModelId")
USAGE_COLUMNS = {"num_model_requests", "input_tokens", "uncached_input_tokens"}
Charges = Iterator[Charge]


def read_bill(body: bytes, models: ModelNames) -> Bill:
    """Read a bill's file, whatever kind it is.

    Args:
        models: The price list's names: what a line's texts are searched for.

    Raises:
        BadBill: Naming the line, the column, the value and what is expected.
    """
    records = open_file(body)
    reader = _Reader(models)
    columns = set(records.columns)
    table = columns_of(columns)
    if not columns:
        format, charges = reader.buckets(records.rows)
    elif table is not None:
        format, charges = table.format, reader.table(table, records.columns, records.rows)
    elif "amount_value" in columns and columns & {"start_time", "start_time_iso"}:
        format, charges = "openai", reader.openai_lines(records.rows)
    elif {"usage_date_utc", "cost_usd"} <= columns:
        format, charges = "anthropic", reader.anthropic_lines(records.rows)
    elif columns & USAGE_COLUMNS:
        raise BadBill(_usage("anthropic" if columns & {"uncached_input_tokens", "usage_date_utc"} else "openai"))
    else:
        shown = ", ".join(records.columns)[:200]
        raise BadBill(f"these columns are of no bill that is known: {shown}; known are {KNOWN}")
    found = list(charges)
    reader.problems.check()
    return gather(format, reader.days, found, reader.left_out)


def _usage(provider: str) -> str:
    """What to say to an export that counts tokens."""
    if provider == "anthropic":
        return (
            "this is Anthropic's usage report: it has tokens and no amounts; take the cost report instead, the JSON of "
            "/v1/organizations/cost_report?group_by[]=description or the Console's cost export"
        )
    return (
        "this is OpenAI's usage API (/v1/organization/usage): it has tokens and no amounts; take the costs instead, "
        "the JSON of /v1/organization/costs?group_by=line_item or the dashboard's cost export"
    )


class _Reader:
    """Reads records into charges; what is wrong is collected, and what is not compared is counted."""

    def __init__(self, models: ModelNames) -> None:
        self.days: set[date] = set()
        self.problems = Problems()
        self.left_out = LeftOut()
        self._models = models

    def table(self, kind: Columns, names: Sequence[str], rows: Iterator[Record]) -> Charges:
        by_fold: dict[str, str] = {}
        for name in names:
            by_fold.setdefault(fold(name), name)
        layout = _Layout(kind, by_fold)
        for where, row in rows:
            yield from self._line(layout, _Line(layout, where, row))

    def _line(self, layout: _Layout, line: _Line) -> Charges:
        kind = layout.kind
        category = KINDS.get(fold(line.text(kind.kind)), "usage")
        provider = kind.provider or _provider(line)
        model = self._model(provider, line)
        amount_name, amount, listed_name, listed, currency = line.amounts()
        if category == "usage":
            category = _compared(provider, line, model)
        if category in ("adjustments", "usage", "fee"):
            negative = _amount(amount)
            correction = fold(line.text(kind.correction)) == "correction" and category == "usage"
            if negative is not None and negative < 0 and not correction:
                category = "credit"
        if category == "credit" and _compared(provider, line, model) == "other services":
            category = "other services"
        if category not in ("usage", "fee", "credit"):
            self.left_out.add(category, _amount(amount) if currency == "USD" else None)
            return
        if currency != "USD":
            name, value = line.named(kind.currency)
            where = f"{line.where}, {name}: {value!r} where USD is expected" if value else f"{line.where}, {name}"
            self.left_out.add(f"in {currency[:20]}" if currency else "without a currency", None, where)
            return
        usd = self._usd(line.where, amount_name, amount)
        start = self._instant(line.where, *line.named(kind.start), month_first=kind.month_first)
        if usd is None or start is None:
            return
        if category != "credit":
            until_name, until = line.named(kind.end)
            end = self._instant(line.where, until_name, until) if until else start
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
        list_usd = None if listed in (None, "") else self._usd(line.where, listed_name, listed)
        if category == "credit" or (list_usd == 0 and usd):
            list_usd = None
        tier = self._tier(line)
        named = model if category != "fee" else ""
        yield Charge(start.date(), provider, named, tier, category, usd, list_usd)
        for credit in self._credits(line):
            yield Charge(start.date(), provider, named, tier, "credit", credit)

    def _model(self, provider: str, line: _Line) -> str:
        """The price list's id of the model that a line speaks of; a text that names one nobody lists as it is."""
        kind = line.layout.kind
        details = _details(line.value(kind.details))
        exact = [str(details[key]) for key in MODEL_KEYS if details.get(key)]
        exact += line.texts(kind.models)
        own = line.own_columns()
        loose = [*(str(value) for value in details.values() if isinstance(value, str)), *line.texts(kind.texts), *own]
        services = line.texts(kind.services)
        resources = line.texts(kind.resources)
        known = next((one for one in (*exact, *own) if self._models.knows(provider, one)), "")
        if known:
            return known[:300]
        for one in (*exact, *loose):
            if found := self._models.spot(provider, one):
                return found
        for one in resources:
            if self._models.knows(provider, one):
                return one[:300]
        for one in (*resources, *services):
            if found := self._models.spot(provider, one):
                return found
        if stated := next((str(details[key]) for key in MODEL_KEYS if details.get(key)), line.text(("x_Model",))):
            return stated[:300]
        # ServiceName comes last: `Azure OpenAI` names no model.
        return next((one for one in (*loose, *resources) if MAKES.search(one)), "")[:300]

    def _tier(self, line: _Line) -> str:
        kind = line.layout.kind
        stated = line.text(kind.tier) or str(_details(line.value(kind.details)).get("x_ServiceTier", ""))
        if stated:
            return standard_tier(stated)
        said = next((match for one in line.texts(kind.texts) if (match := TIERS.search(one))), None)
        return said[1].lower() if said else ""

    def _credits(self, line: _Line) -> Iterator[Decimal]:
        """The credits inside a row of Google's export, which its cost does not contain."""
        value = line.value(line.layout.kind.credits)
        if isinstance(value, str) and value.strip():
            try:
                value = json.loads(value, parse_float=Decimal)
            except (ValueError, RecursionError):
                self.problems.add(line.where, "credits", value, 'a list such as [{"name": "…", "amount": -0.1}]')
                return
        for one in value if isinstance(value, Sequence) and not isinstance(value, str) else ():
            usd = self._usd(line.where, "credits.amount", one.get("amount") if isinstance(one, Mapping) else one)
            if usd:
                yield usd

    def openai_lines(self, rows: Iterator[Record]) -> Charges:
        for where, row in rows:
            column = "start_time_iso" if row.get("start_time_iso") else "start_time"
            start = self._instant(where, column, row.get(column))
            if start is None:
                continue
            self.days.add(start.date())
            if row["amount_value"] in (None, ""):
                continue  # a day without charges
            usd = self._usd(where, "amount_value", row["amount_value"])
            if usd is not None and self._in_usd(where, "amount_currency", row.get("amount_currency")):
                yield self._openai(start.date(), str(row.get("line_item") or ""), usd)

    def anthropic_lines(self, rows: Iterator[Record]) -> Charges:
        for where, row in rows:
            start = self._instant(where, "usage_date_utc", row["usage_date_utc"])
            usd = self._usd(where, "cost_usd", row["cost_usd"])
            listed = row.get("list_price_usd")
            list_usd = None if listed in (None, "") else self._usd(where, "list_price_usd", listed)
            if start is None or usd is None:
                continue
            self.days.add(start.date())
            # The export names models as people do: Claude Haiku 4.5.
            named = str(row.get("model") or "").strip()
            model = re.sub(r"[\s.]+", "-", named.lower())
            if not self._models.knows("anthropic", model):
                model = self._models.spot("anthropic", named) or model
            fast = str(row.get("speed") or "").lower() == "fast"
            tier = "fast" if fast else "batch" if "batch" in str(row.get("usage_type") or "").lower() else ""
            kind = "credit" if usd < 0 else "usage" if model else "fee"
            yield Charge(start.date(), "anthropic", model, tier, kind, usd, list_usd)

    def buckets(self, rows: Iterator[Record]) -> tuple[str, Charges]:
        first = next(rows, None)
        if first is None:
            raise BadBill("the bill has no charges for model usage")
        report = "starting_at" in first[1]
        return ("anthropic_report" if report else "openai"), self._results(first, rows, report)

    def _results(self, first: Record, rows: Iterator[Record], report: bool) -> Charges:
        begins = "starting_at" if report else "start_time"
        for where, bucket in (first, *rows):
            start = self._instant(where, begins, bucket.get(begins))
            if start is None:
                continue
            self.days.add(start.date())
            for place, result in enumerate(bucket["results"]):
                here = f"{where}.results[{place}]"
                if not isinstance(result, Mapping):
                    self.problems.add(here, "results", result, "an object")
                    continue
                if "amount" not in result and (USAGE_COLUMNS & set(result) or ".usage." in str(result.get("object"))):
                    raise BadBill(_usage("anthropic" if report else "openai"))
                found = self._report(here, start.date(), result) if report else self._cost(here, start.date(), result)
                if found is not None:
                    yield found

    def _cost(self, where: str, day: date, result: Mapping[str, Any]) -> Charge | None:
        amount = result.get("amount")
        if not isinstance(amount, Mapping):
            self.problems.add(where, "amount", amount, 'an object such as {"value": "0.06", "currency": "usd"}')
            return None
        usd = self._usd(where, "amount.value", amount.get("value"))
        if usd is None or not self._in_usd(where, "amount.currency", amount.get("currency")):
            return None
        return self._openai(day, str(result.get("line_item") or ""), usd)

    def _openai(self, day: date, line_item: str, usd: Decimal) -> Charge:
        """`evals | gpt-4o-mini-2024-07-18, cached input` bills a model, `web search tool calls` a tool; what is below
        zero was credited."""
        text = line_item.rpartition(" | ")[2].strip()
        left, comma, _ = text.rpartition(",")
        if not comma and not TOOLS.search(text) and self._models.spot("openai", text):
            left = text
        words = left.split()
        kind = "credit" if usd < 0 else "usage"
        if not words:
            return Charge(day, "openai", "", "", "fee" if text and kind == "usage" else kind, usd)
        tier = next((word for word in words[1:] if word in TIER_WORDS), "")
        model = words[0]
        if any(word not in TIER_WORDS for word in words[1:]):
            model = self._models.spot("openai", left) or model
        return Charge(day, "openai", model[:300], tier, kind, usd)

    def _report(self, where: str, day: date, result: Mapping[str, Any]) -> Charge | None:
        cents = self._usd(where, "amount", result.get("amount"))
        if cents is None or not self._in_usd(where, "currency", result.get("currency")):
            return None
        model, tier = str(result.get("model") or ""), str(result.get("service_tier") or "")
        if str(result.get("speed") or "") == "fast":
            tier = "fast"
        fee = not model and result.get("cost_type") not in (None, "tokens")
        usd = (cents / 100).quantize(SCALE)
        kind = "credit" if usd < 0 else "fee" if fee else "usage"
        return Charge(day, "anthropic", model, standard_tier(tier) if tier else "", kind, usd)

    def _in_usd(self, where: str, column: str, value: Any) -> bool:
        currency = str(value or "").strip().upper()
        if currency == "USD":
            return True
        reason = f"in {currency[:20]}" if currency else "without a currency"
        self.left_out.add(reason, None, f"{where}, {column}: {str(value)[:60]!r} where USD is expected")
        return False

    def _usd(self, where: str, column: str, value: Any) -> Decimal | None:
        amount = _amount(value)
        if amount is None:
            self.problems.add(where, column, value, "a decimal amount such as 12.34")
        return amount

    def _instant(self, where: str, column: str, value: Any, *, month_first: bool = False) -> datetime | None:
        try:
            american = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", str(value).strip()) if month_first else None
            if american:
                found = datetime(int(american[3]), int(american[1]), int(american[2]))
            elif isinstance(value, datetime):
                found = value
            elif isinstance(value, date):
                found = datetime(value.year, value.month, value.day)
            elif re.fullmatch(r"\d{9,11}", str(value).strip(), re.ASCII):
                found = datetime.fromtimestamp(int(value), UTC)
            else:
                # BigQuery writes `2026-10-01 00:00:00 UTC`.
                found = datetime.fromisoformat(str(value).strip().replace(" UTC", "Z"))
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            found = datetime.min.replace(tzinfo=UTC)
        if not 2000 <= found.year < 2200:
            self.problems.add(where, column, value, "a day or instant such as 2026-10-01T00:00:00Z")
            return None
        return found


class _Layout:
    """Where a table has the columns of its kind."""

    def __init__(self, kind: Columns, by_fold: Mapping[str, str]) -> None:
        self.kind = kind
        self._by_fold = by_fold
        self._places: dict[Sequence[str], tuple[str, ...]] = {}
        self.own = [name for key, name in by_fold.items() if name.lower().startswith("x_")]

    def places(self, names: Sequence[str]) -> tuple[str, ...]:
        """The file's own names of these columns, those that it has."""
        if names not in self._places:
            self._places[names] = tuple(self._by_fold[key] for name in names if (key := fold(name)) in self._by_fold)
        return self._places[names]


class _Line:
    """One line of a table, read by what its columns mean."""

    def __init__(self, layout: _Layout, where: str, row: Mapping[str, Any]) -> None:
        self.layout = layout
        self.where = where
        self._row = row

    def named(self, names: Sequence[str]) -> tuple[str, Any]:
        """The column that is filled and its value; the first column where none is."""
        places = self.layout.places(names)
        for place in places:
            value = self._row.get(place)
            if value not in (None, ""):
                return place, value
        return (places[0] if places else names[0] if names else ""), None

    def value(self, names: Sequence[str]) -> Any:
        return self.named(names)[1] if names else None

    def text(self, names: Sequence[str]) -> str:
        value = self.value(names)
        return "" if value is None else str(value).strip()

    def texts(self, names: Sequence[str]) -> list[str]:
        found = (self._row.get(place) for place in self.layout.places(names))
        return [value.strip() for value in found if isinstance(value, str) and value.strip()]

    def own_columns(self) -> list[str]:
        """What the table's own columns (`x_…`) say."""
        found = (self._row.get(name) for name in self.layout.own)
        return [value.strip() for value in found if isinstance(value, str) and value.strip()]

    def amounts(self) -> tuple[str, Any, str, Any, str]:
        """Column and value of the amount and of the list amount, and the currency of both."""
        kind = self.layout.kind
        name, value = self.named(kind.usd) if kind.usd else ("", None)
        if value is not None:
            return name, value, *(self.named(kind.listed_usd) if kind.listed_usd else ("", None)), "USD"
        currency = self.text(kind.currency).upper()
        return *self.named(kind.amount), *(self.named(kind.listed) if kind.listed else ("", None)), currency


def _provider(line: _Line) -> str:
    """Who bills: the cloud that sells it, else whoever the service is of."""
    kind = line.layout.kind
    seller = family(line.text(kind.sellers))
    service = family(line.text(kind.services))
    if seller in CLOUDS or service not in (*CLOUDS, "openai", "anthropic"):
        return seller
    return service


def _compared(provider: str, line: _Line, model: str) -> str:
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


def _amount(value: Any) -> Decimal | None:
    """A decimal amount, None when it is none. Exact: from the digits that are written."""
    try:
        amount = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    if isinstance(value, bool) or not amount.is_finite() or abs(amount) > MAX_USD:
        return None
    return amount.quantize(SCALE)


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
