"""What each kind of bill calls its day, its model and its amount.

Sources, read in November 2026: FOCUS 1.2 and 1.4 (focus.finops.org, columns of Cost and Usage); OpenAI's
`GET /v1/organization/costs` (developers.openai.com/api/docs/api-reference/usage) and the dashboard's cost export;
Anthropic's `GET /v1/organizations/cost_report` (platform.claude.com/docs/en/api/admin/cost_report: amounts are in
cents, the Priority tier is not in it) and the Console's cost export.

A bill is read whole or not at all: one that is read in part would show a difference that is not there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay.pricing.catalog import standard_tier
from outlay_analytics.reconcile_bill import BadBill, Bill, Charge, Problems, family, gather
from outlay_analytics.reconcile_files import KNOWN, Record, open_file

SCALE = Decimal("0.000000000001")
MAX_USD = Decimal(10) ** 12
TIER_WORDS = frozenset({"batch", "flex", "priority", "fast"})
AI_CATEGORY = "AI and Machine Learning"
MODEL_KEYS = ("x_Model", "Model", "model", "ModelName", "model_name", "ModelId")
Knows = Callable[[str, str], bool]
Charges = Iterator[Charge]


def read_bill(body: bytes, knows: Knows) -> Bill:
    """Read a bill's file, whatever kind it is.

    Args:
        knows: Whether the price list has a model of this provider; decides which column of FOCUS names the model.

    Raises:
        BadBill: Naming the line, the column, the value and what is expected.
    """
    records = open_file(body)
    reader = _Reader(knows)
    columns = set(records.columns)
    if not columns:
        format, charges = reader.buckets(records.rows)
    elif {"BilledCost", "ChargePeriodStart"} <= columns:
        format, charges = "focus", reader.focus(records.rows)
    elif "amount_value" in columns and columns & {"start_time", "start_time_iso"}:
        format, charges = "openai", reader.openai_lines(records.rows)
    elif {"usage_date_utc", "cost_usd"} <= columns:
        format, charges = "anthropic", reader.anthropic_lines(records.rows)
    else:
        shown = ", ".join(records.columns)[:200]
        raise BadBill(f"these columns are of no bill that is known: {shown}; known are {KNOWN}")
    found = list(charges)
    reader.problems.check()
    return gather(format, reader.days, found)


class _Reader:
    """Reads the records of one file; remembers the days it covers and what was wrong."""

    def __init__(self, knows: Knows) -> None:
        self.days: set[date] = set()
        self.problems = Problems()
        self._knows = knows

    def focus(self, rows: Iterator[Record]) -> Charges:
        for where, row in rows:
            text = {name: value.strip() for name, value in row.items() if isinstance(value, str)}
            start = self._instant(where, "ChargePeriodStart", row["ChargePeriodStart"])
            usd = self._usd(where, "BilledCost", row["BilledCost"])
            if not self._currency(where, "BillingCurrency", row.get("BillingCurrency")) or start is None or usd is None:
                continue
            if not self._is_daily(where, start, row.get("ChargePeriodEnd")):
                continue
            listed = row.get("ListCost")
            list_usd = None if listed in (None, "") else self._usd(where, "ListCost", listed)
            seller = next((text[name] for name in ("ServiceProviderName", "ProviderName", "InvoiceIssuerName")
                           if text.get(name)), "")  # fmt: skip
            provider = family(text.get("ServiceName", ""))
            provider = provider if provider in ("aws", "azure", "google", "openai", "anthropic") else family(seller)
            details = _details(row.get("SkuPriceDetails"))
            category, kind = text.get("ChargeCategory", "Usage"), "usage"
            if category == "Tax":
                kind = "tax"
            elif category == "Credit":
                kind = "credit"
            elif text.get("ServiceCategory", AI_CATEGORY) not in ("", AI_CATEGORY):
                kind = "other"
            tier = text.get("x_ServiceTier") or str(details.get("x_ServiceTier", ""))
            model = self._focus_model(provider, text, details) if kind == "usage" else ""
            if kind not in ("tax", "other"):
                self.days.add(start.date())
            yield Charge(start.date(), provider, model, standard_tier(tier) if tier else "", kind, usd, list_usd)

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
            if usd is not None and self._currency(where, "amount_currency", row.get("amount_currency")):
                yield _openai_charge(start.date(), str(row.get("line_item") or ""), usd)

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
            model = re.sub(r"[\s.]+", "-", str(row.get("model") or "").strip().lower())
            fast = str(row.get("speed") or "").lower() == "fast"
            tier = "fast" if fast else "batch" if "batch" in str(row.get("usage_type") or "").lower() else ""
            yield Charge(start.date(), "anthropic", model, tier, "usage" if model else "fee", usd, list_usd)

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
                found = self._report(here, start.date(), result) if report else self._cost(here, start.date(), result)
                if found is not None:
                    yield found

    def _cost(self, where: str, day: date, result: Mapping[str, Any]) -> Charge | None:
        amount = result.get("amount")
        if not isinstance(amount, Mapping):
            self.problems.add(where, "amount", amount, 'an object such as {"value": "0.06", "currency": "usd"}')
            return None
        usd = self._usd(where, "amount.value", amount.get("value"))
        if usd is None or not self._currency(where, "amount.currency", amount.get("currency")):
            return None
        return _openai_charge(day, str(result.get("line_item") or ""), usd)

    def _report(self, where: str, day: date, result: Mapping[str, Any]) -> Charge | None:
        cents = self._usd(where, "amount", result.get("amount"))
        if cents is None or not self._currency(where, "currency", result.get("currency")):
            return None
        model, tier = str(result.get("model") or ""), str(result.get("service_tier") or "")
        if str(result.get("speed") or "") == "fast":
            tier = "fast"
        fee = not model and result.get("cost_type") not in (None, "tokens")
        usd = (cents / 100).quantize(SCALE)
        return Charge(day, "anthropic", model, standard_tier(tier) if tier else "", "fee" if fee else "usage", usd)

    def _focus_model(self, provider: str, text: Mapping[str, str], details: Mapping[str, Any]) -> str:
        """The first of the columns that may name a model whose value the price list knows, else the first filled."""
        named = [str(details[key]) for key in MODEL_KEYS if details.get(key)]
        named += [text[name] for name in ("x_Model", "SkuId", "ResourceName", "ResourceId") if text.get(name)]
        described = re.split(r"[\s,]+", text.get("ChargeDescription", ""), maxsplit=1)[0]
        named += [one for one in (described, text.get("SkuMeter", "")) if one]
        return next((one for one in named if self._knows(provider, one)), named[0] if named else "")[:300]

    def _is_daily(self, where: str, start: datetime, until: Any) -> bool:
        end = self._instant(where, "ChargePeriodEnd", until) if until not in (None, "") else start
        if end is None:
            return False
        if end - start > timedelta(hours=25) or end < start:
            self.problems.add(where, "ChargePeriodEnd", until, "an hour or a day after ChargePeriodStart")
            return False
        return True

    def _currency(self, where: str, column: str, value: Any) -> bool:
        if str(value or "").strip().upper() == "USD":
            return True
        self.problems.add(where, column, value, "USD")
        return False

    def _usd(self, where: str, column: str, value: Any) -> Decimal | None:
        try:
            amount = Decimal(repr(value) if isinstance(value, float) else str(value).strip())
        except (InvalidOperation, ValueError):
            amount = Decimal("NaN")
        if isinstance(value, bool) or not amount.is_finite() or abs(amount) > MAX_USD:
            self.problems.add(where, column, value, "a decimal amount such as 12.34")
            return None
        return amount.quantize(SCALE)

    def _instant(self, where: str, column: str, value: Any) -> datetime | None:
        try:
            if isinstance(value, datetime):
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


def _openai_charge(day: date, line_item: str, usd: Decimal) -> Charge:
    """`evals | gpt-4o-mini-2024-07-18, cached input` bills a model, `web search tool calls` a tool."""
    text = line_item.rpartition(" | ")[2].strip()
    left, comma, _ = text.rpartition(",")
    words = left.split()
    if not text:
        return Charge(day, "openai", "", "", "usage", usd)
    if not comma or not words:
        return Charge(day, "openai", "", "", "fee", usd)
    tier = next((word for word in words[1:] if word in TIER_WORDS), "")
    return Charge(day, "openai", words[0][:300], tier, "usage", usd)


def _details(value: Any) -> Mapping[str, Any]:
    """SkuPriceDetails: JSON in a text, or a map of a Parquet file."""
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    if isinstance(value, list) and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
        value = dict(value)
    return value if isinstance(value, Mapping) else {}
