"""What each kind of bill calls its day, its model and its amount.

Sources, read in November 2026: OpenAI's `GET /v1/organization/costs`
(developers.openai.com/api/docs/api-reference/usage) and the dashboard's cost export; Anthropic's
`GET /v1/organizations/cost_report` (platform.claude.com/docs/en/api/admin/cost_report: amounts are in cents, the
Priority tier is not in it) and the Console's cost export; the clouds' tables are in `columns.py`.

Lines that are not compared (taxes, other services, other currencies, whole months) are left out and counted. A line
that is compared and cannot be read refuses the bill: one that is read in part would show a difference that is not
there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from outlay.pricing.tiers import standard_tier
from outlay_analytics.query.amounts import PICO
from outlay_analytics.reconcile.bill import BadBill, Bill, Charge, LeftOut, family, gather
from outlay_analytics.reconcile.columns import columns_of
from outlay_analytics.reconcile.dashboards import Dashboard, dashboard_columns
from outlay_analytics.reconcile.files import KNOWN, Record, bucket_rows, open_file
from outlay_analytics.reconcile.models import TOOLS, ModelNames
from outlay_analytics.reconcile.reading import Charges, amount_of
from outlay_analytics.reconcile.tables import Tables
from outlay_analytics.reconcile.units import counted

TIER_WORDS = frozenset({"batch", "flex", "priority", "fast"})
USAGE_COLUMNS = {"num_model_requests", "input_tokens", "uncached_input_tokens"}


@dataclass(frozen=True)
class Lines:
    """What a file or the pages of an API say, not yet summed up.

    Attributes:
        days: Every day they are about, days without charges included.
        converted: Lines that were converted from another currency, by currency.
    """

    format: str
    charges: Sequence[Charge]
    days: frozenset[date]
    left_out: LeftOut
    converted: Mapping[str, int]


def read_bill(body: bytes, models: ModelNames) -> Bill:
    """Read a bill's file, whatever kind it is.

    Args:
        models: The price list's names: what a line's texts are searched for.

    Raises:
        BadBill: Naming the line, the column, the value and what is expected.
    """
    found = read_lines(body, models)
    return gather(found.format, found.days, found.charges, found.left_out)


def read_pages(pages: Sequence[Mapping[str, Any]], models: ModelNames, usd_per: Mapping[str, Decimal]) -> Lines:
    """Read the pages of OpenAI's costs or Anthropic's cost report; see `read_lines`."""
    reader = _Reader(models, usd_per)
    rows = list(bucket_rows(pages))
    if not rows:
        return Lines("", (), frozenset(), reader.left_out, {})
    return reader.read(*reader.buckets(iter(rows)))


def read_lines(body: bytes, models: ModelNames, usd_per: Mapping[str, Decimal] | None = None) -> Lines:
    """Read a bill's file line by line.

    Args:
        usd_per: USD for one unit of other currencies; lines in those that it has not are left out.

    Raises:
        BadBill: As `read_bill`.
    """
    records = open_file(body)
    reader = _Reader(models, usd_per)
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
    elif dashboard := dashboard_columns(records.columns):
        format, charges = dashboard.format, reader.dashboard_lines(dashboard, records.rows)
    elif columns & USAGE_COLUMNS:
        raise BadBill(_usage("anthropic" if columns & {"uncached_input_tokens", "usage_date_utc"} else "openai"))
    else:
        shown = ", ".join(records.columns)[:200]
        raise BadBill(f"these columns are of no bill that is known: {shown}; known are {KNOWN}")
    return reader.read(format, charges)


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


class _Reader(Tables):
    """Reads records into charges, whatever kind of bill they are of."""

    def read(self, format: str, charges: Charges) -> Lines:
        """All of them.

        Raises:
            BadBill: If any cannot be read.
        """
        found = list(charges)
        self.problems.check()
        return Lines(format, found, frozenset(self.days), self.left_out, self.converted)

    def openai_lines(self, rows: Iterator[Record]) -> Charges:
        for where, row in rows:
            column = "start_time_iso" if row.get("start_time_iso") else "start_time"
            start = self.instant(where, column, row.get(column))
            if start is None:
                continue
            self.days.add(start.date())
            if row["amount_value"] in (None, ""):
                continue  # a day without charges
            rate = self.rate(where, "amount_currency", row.get("amount_currency"))
            usd = None if rate is None else self.usd(where, "amount_value", row["amount_value"], rate)
            if usd is not None:
                yield self._openai(start.date(), row, usd)

    def anthropic_lines(self, rows: Iterator[Record]) -> Charges:
        for where, row in rows:
            start = self.instant(where, "usage_date_utc", row["usage_date_utc"])
            usd = self.usd(where, "cost_usd", row["cost_usd"])
            listed = row.get("list_price_usd")
            list_usd = None if listed in (None, "") else self.usd(where, "list_price_usd", listed)
            if start is None or usd is None:
                continue
            self.days.add(start.date())
            # The export names models as people do: Claude Haiku 4.5.
            named = str(row.get("model") or "").strip()
            model = re.sub(r"[\s.]+", "-", named.lower())
            if not self.models.knows("anthropic", model):
                model = self.models.spot("anthropic", named) or model
            fast = str(row.get("speed") or "").lower() == "fast"
            tier = "fast" if fast else "batch" if "batch" in str(row.get("usage_type") or "").lower() else ""
            kind = "credit" if usd < 0 else "usage" if model else "fee"
            yield Charge(start.date(), "anthropic", model, tier, kind, usd, list_usd)

    def dashboard_lines(self, kind: Dashboard, rows: Iterator[Record]) -> Charges:
        for where, row in rows:
            amount, value = next(
                ((name, row[name]) for name in kind.amounts if row.get(name) not in (None, "")), (kind.amounts[0], None)
            )
            if self.closes(row.get(kind.day), value):
                continue
            start = self.instant(where, kind.day, row.get(kind.day))
            if start is None:
                continue
            self.days.add(start.date())
            if value is None:
                continue
            stated = row.get(kind.currency) if kind.currency else "USD" if kind.in_usd(amount, value) else ""
            rate = self.rate(where, kind.currency or amount, stated)
            usd = None if rate is None else self.usd(where, amount, value, rate)
            if usd is None:
                continue
            model = str(row.get(kind.model) or "").strip()[:300]
            seller = str(row.get(kind.provider) or "") if kind.provider else kind.seller
            provider = family(seller) if seller else self.models.maker(model)
            known = model if self.models.knows(provider, model) else self.models.spot(provider, model) or model
            others = amount_of(row.get(kind.others)) if kind.others else None
            if others:
                self.left_out.add("billed by others (own keys)", others)
            account, key = (str(row.get(name) or "")[:200] if name else "" for name in (kind.account, kind.key))
            sort = "credit" if usd < 0 else "usage"
            yield Charge(start.date(), provider, known, "", sort, usd, account=account, key=key)

    def buckets(self, rows: Iterator[Record]) -> tuple[str, Charges]:
        first = next(rows, None)
        if first is None:
            raise BadBill("the bill has no charges for model usage")
        report = "starting_at" in first[1]
        return ("anthropic_report" if report else "openai"), self._results(first, rows, report)

    def _results(self, first: Record, rows: Iterator[Record], report: bool) -> Charges:
        begins = "starting_at" if report else "start_time"
        for where, bucket in (first, *rows):
            start = self.instant(where, begins, bucket.get(begins))
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
        rate = self.rate(where, "amount.currency", amount.get("currency"))
        usd = None if rate is None else self.usd(where, "amount.value", amount.get("value"), rate)
        return None if usd is None else self._openai(day, result, usd)

    def _openai(self, day: date, row: Mapping[str, Any], usd: Decimal) -> Charge:
        """`evals | gpt-4o-mini-2024-07-18, cached input` bills a model, `web search tool calls` a tool; what is below
        zero was credited."""
        text = str(row.get("line_item") or "").rpartition(" | ")[2].strip()
        left, comma, meter = text.rpartition(",")
        if not comma and not TOOLS.search(text) and self.models.spot("openai", text):
            left, meter = text, ""
        words = left.split()
        kind = "credit" if usd < 0 else "usage"
        account, api_key = (str(row.get(name) or "")[:200] for name in ("project_id", "api_key_id"))
        quantity = amount_of(row.get("quantity"))
        count, unit = (None, "") if quantity is None else counted(quantity, str(row.get("quantity_unit") or ""))
        if not words:
            kind = "fee" if text and kind == "usage" else kind
            return Charge(day, "openai", "", "", kind, usd, None, text[:200], account, api_key, count, unit)
        tier = next((word for word in words[1:] if word in TIER_WORDS), "")
        model = words[0]
        if any(word not in TIER_WORDS for word in words[1:]):
            model = self.models.spot("openai", left) or model
        meter = meter.strip()[:200]
        return Charge(day, "openai", model[:300], tier, kind, usd, None, meter, account, api_key, count, unit)

    def _report(self, where: str, day: date, result: Mapping[str, Any]) -> Charge | None:
        rate = self.rate(where, "currency", result.get("currency"))
        cents = None if rate is None else self.usd(where, "amount", result.get("amount"), rate)
        if cents is None:
            return None
        model, tier = str(result.get("model") or ""), str(result.get("service_tier") or "")
        if str(result.get("speed") or "") == "fast":
            tier = "fast"
        told = result.get("cost_type")
        fee = not model and told not in (None, "tokens")
        meter = str(result.get("token_type") or (told if told != "tokens" else "") or result.get("description") or "")
        account, region = str(result.get("workspace_id") or "")[:200], str(result.get("inference_geo") or "")[:100]
        usd = (cents / 100).quantize(PICO)
        kind = "credit" if usd < 0 else "fee" if fee else "usage"
        tier = standard_tier(tier) if tier else ""
        return Charge(day, "anthropic", model[:300], tier, kind, usd, None, meter[:200], account, region=region)
