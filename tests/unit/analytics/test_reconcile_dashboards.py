"""Exports that people download: whatever the columns are called, however the file was saved."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from outlay.pricing.catalog import shipped
from outlay_analytics.reconcile.bill import BadBill, Bill, Charge, family
from outlay_analytics.reconcile.formats import read_bill
from outlay_analytics.reconcile.models import ModelNames

MODELS = ModelNames(shipped())
DAY = date(2026, 10, 3)


def read(text: str | bytes) -> Bill:
    return read_bill(text if isinstance(text, bytes) else text.encode(), MODELS)


def charge(provider: str, model: str, usd: str, kind: str = "usage") -> Charge:
    return Charge(DAY, provider, model, "", kind, Decimal(usd))


def test_openrouters_activity_is_read_as_its_api_and_its_dashboard_have_it() -> None:
    row = {
        "date": "2026-10-03",
        "model": "openai/gpt-4o",
        "model_permaslug": "openai/gpt-4o-2024-08-06",
        "usage": 0.015,
        "byok_usage_inference": 0.012,
        "requests": 5,
        "provider_name": "OpenAI",
    }
    found = read(json.dumps({"data": [row, row]}))
    assert found.format == "openrouter"
    assert [(one.provider, one.usd) for one in found.charges] == [("openrouter", Decimal("0.03"))]
    assert found.left_out == {"billed by others (own keys)": Decimal("0.024")}
    table = "generation_id,created_at,cost_total,model_permaslug\ngen-1,2026-10-03 11:00:00,$1234.50,openai/gpt-4o\n"
    assert [one.usd for one in read(table).charges] == [Decimal("1234.50")]


@pytest.mark.parametrize(
    "table",
    [
        "Date,Model,Cost (USD)\n2026-10-03,gpt-4o,1.25\n",
        "day,model_name,cost_usd,provider\n2026-10-03,gpt-4o,1.25,openai\n",
        "timestamp;model;amount;currency\n2026-10-03T05:00:00Z;gpt-4o;1.25;usd\n",
        "date\tmodel\tcost_usd\n1790985600000\tgpt-4o\t$1.25\n",
    ],
)
def test_a_table_with_a_day_a_model_and_an_amount_is_a_bill(table: str) -> None:
    found = read(table)
    assert (found.format, found.charges) == ("dashboard", [charge("openai", "gpt-4o", "1.25")])
    assert read(table.encode("utf-16")).charges == found.charges


def test_amounts_without_a_currency_and_with_a_doubtful_comma_are_not_guessed() -> None:
    mixed = "date,model,cost_usd,cost\n2026-10-03,gpt-4o,2,3\n2026-10-03,gpt-4o,,3\n"
    found = read(mixed)
    assert (found.charges, found.left_out_lines) == ([charge("openai", "gpt-4o", "2")], {"without a currency": 1})
    with pytest.raises(BadBill, match="cost_usd: '1,234' where a decimal"):
        read('date,model,cost_usd\n2026-10-03,gpt-4o,"1,234"\n')
    assert read('date,model,cost_usd\n2026-10-03,gpt-4o,"1,234.5"\n').charges[0].usd == Decimal("1234.5")


def test_oracles_focus_export_is_read_and_is_of_whom_calls_name_oci() -> None:
    head = "BilledCost,BillingCurrency,ChargePeriodStart,ChargePeriodEnd,ProviderName,"
    head += "ServiceName,ServiceCategory,SkuMeter\n"
    period = "2026-10-03T00:00:00Z,2026-10-04T00:00:00Z,Oracle"
    found = read(
        head
        + f"1.5,USD,{period},OCI Generative AI,AI and Machine Learning,Cohere Command A Input\n"
        + f"9,USD,{period},Compute,Compute,OCPU\n"
    )
    assert [(one.provider, one.usd) for one in found.charges] == [("oracle", Decimal("1.5"))]
    assert found.left_out_lines == {"other services": 1}
    assert family("oci.genai") == family("Oracle Cloud Infrastructure") == "oracle"
