"""Bills in the shapes that programs and places give them: separators, signs, totals, archives, resellers, capacity."""

from __future__ import annotations

import io
import json
import zipfile
from decimal import Decimal

import pytest

from outlay.pricing.catalog import shipped
from outlay_analytics.reconcile.archives import unzipped
from outlay_analytics.reconcile.bill import BadBill, Bill
from outlay_analytics.reconcile.formats import read_bill
from outlay_analytics.reconcile.models import ModelNames
from outlay_analytics.reconcile.units import meter_of, tokens_of

MODELS = ModelNames(shipped())


def read(text: str) -> Bill:
    return read_bill(text.encode(), MODELS)


def charges(bill: Bill) -> list[tuple[str, str, str, Decimal]]:
    assert {str(one.day) for one in bill.charges} <= {"2026-10-03"}
    return [(one.provider, one.model, one.kind, one.usd) for one in bill.charges]


@pytest.mark.parametrize(
    ("text", "usd"),
    [
        ("date|model|cost_usd\n2026-10-03|gpt-4o|1.25\n", "1.25"),
        ("\ufeffsep=;\ndate;model;cost_usd\n2026-10-03;gpt-4o;1.25\n", "1.25"),
        ("date;model;cost_usd\n03.10.2026;gpt-4o;1,25\n", "1.25"),
        ("date;model;cost_usd\n03.10.2026;gpt-4o;1.234,5\n03.10.2026;gpt-4o;0,5\n", "1235"),
        ("date\tmodel\tcost_usd\n2026-10-03\tgpt-4o\t1,234.50\n", "1234.5"),
        ('date,model,cost_usd\n2026-10-03,gpt-4o,"$1,234.50"\n', "1234.5"),
        ("date,model,total_cost\n2026-10-03,gpt-4o,$0.97\n", "0.97"),
        ("date,model,cost_usd\n2026-10-03,gpt-4o,1.5 USD\n2026-10-03,gpt-4o,USD 2\n", "3.5"),
        ("date,model,cost_usd\n2026-10-03,gpt-4o,3E-7\n", "0.0000003"),
    ],
)
def test_amounts_and_days_are_read_however_they_are_separated(text: str, usd: str) -> None:
    assert charges(read(text)) == [("openai", "gpt-4o", "usage", Decimal(usd))]


@pytest.mark.parametrize("text", ["1,234", "1;5", "1.2.3", "(1", "EUR 2"])
def test_an_amount_that_may_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(BadBill, match="cost_usd"):
        read(f'date,model,cost_usd\n2026-10-03,gpt-4o,"{text}"\n')


def test_what_is_below_zero_in_brackets_is_a_credit_and_totals_are_left_out() -> None:
    bill = read('date,model,cost_usd\n2026-10-03,gpt-4o,2\n2026-10-03,gpt-4o,"(1.50)"\nTotal,,0.50\n')
    assert charges(bill) == [
        ("openai", "gpt-4o", "credit", Decimal("-1.5")),
        ("openai", "gpt-4o", "usage", Decimal(2)),
    ]
    assert (bill.left_out_lines, bill.left_out) == ({"totals": 1}, {"totals": Decimal("0.5")})


@pytest.mark.parametrize(
    ("model", "provider"),
    [("gpt-4o", "openai"), ("mistral-large-latest", "mistral_ai"), ("deepseek-chat", "deepseek"),
     ("claude-sonnet-4-5", "anthropic"), ("grok-4", "x_ai"), ("gemini-2.5-flash", "google")],
)  # fmt: skip
def test_a_dashboard_that_names_no_provider_speaks_of_the_models_maker(model: str, provider: str) -> None:
    assert MODELS.maker(model) == provider


def test_googles_cost_table_of_the_console_has_its_currency_and_credits_in_columns() -> None:
    head = "Project ID,Service description,SKU description,Usage start date,Usage end date,Usage amount,Usage unit"
    bill = read(
        f"{head},Cost type,Cost ($),Discounts ($)\n"
        "p,Vertex AI,Gemini 2.5 Flash Text Input,2026-10-03,2026-10-03,1000000,count,Usage,0.30,-0.10\n"
        "p,Compute Engine,N1 core,2026-10-03,2026-10-03,1,hour,Usage,9,0\n"
    )
    assert charges(bill) == [
        ("google", "gemini-2.5-flash", "credit", Decimal("-0.1")),
        ("google", "gemini-2.5-flash", "usage", Decimal("0.3")),
    ]
    assert bill.left_out_lines == {"other services": 1}
    with pytest.raises(BadBill, match="in EUR"):
        read(f"{head},Cost (€)\np,Vertex AI,Gemini 2.5 Flash Text Input,2026-10-03,2026-10-03,1,count,0.30\n")


FOCUS = {
    "BilledCost": "1",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-10-03T00:00Z",
    "ChargePeriodEnd": "2026-10-03T01:00Z",
    "ServiceCategory": "AI and Machine Learning",
}


@pytest.mark.parametrize(
    ("seller", "service", "text", "model"),
    [
        ("Oracle", "GENERATIVE_AI", "OCI Generative AI - Cohere Command A - Input tokens", "command-a"),
        ("Oracle", "GENERATIVE_AI", "OCI Generative AI - xAI Grok 4 Output Tokens", "grok-4-0709"),
        ("Snowflake", "Cortex", "claude-4-sonnet AI_COMPLETE", "claude-4-sonnet"),
        ("Databricks", "Foundation Model APIs", "ANTHROPIC_CLAUDE_SONNET_4_5 input", "claude-sonnet-4-5"),
        ("Groq", "GroqCloud", "llama-3.3-70b-versatile input tokens", "llama-3.3-70b-versatile"),
    ],
)
def test_who_sells_what_others_make_bills_their_models(seller: str, service: str, text: str, model: str) -> None:
    row = FOCUS | {"ProviderName": seller, "ServiceName": service, "ChargeDescription": text}
    assert [one.model for one in read(json.dumps([row])).charges] == [model]


@pytest.mark.parametrize(
    "text",
    ["USE1-Claude4.5Sonnet-ProvisionedThroughput-ModelUnits-1MonthCommit", "PTU Hourly Global",
     "Gemini 2.5 Pro Text Output (Provisioned Throughput)", "gpt 4o FT Hosting Unit"],
)  # fmt: skip
def test_capacity_that_is_paid_by_the_hour_is_no_price_of_tokens(text: str) -> None:
    rows = [
        FOCUS | {"ProviderName": "AWS", "ServiceName": "Amazon Bedrock", "SkuMeter": text, "BilledCost": "39.6"},
        FOCUS | {"ProviderName": "AWS", "ServiceName": "Amazon Bedrock", "SkuMeter": "USE1-NovaPro-input-tokens"},
    ]
    bill = read(json.dumps(rows))
    assert charges(bill) == [("aws", "amazon.nova-pro-v1:0", "usage", Decimal(1))]
    assert bill.left_out == {"provisioned throughput": Decimal("39.6")}


@pytest.mark.parametrize(
    ("unit", "meter", "counts"),
    [
        ("1M", "GPT 5 Inpt Glbl", (2_000_000, "tokens")),
        ("1K", "gpt-4o-mini-0718-Outp-regnl", (2_000, "tokens")),
        ("count", "Gemini 3 Pro Text Input - Predictions", (2, "tokens")),
        ("count", "Grounding with Google Search", (2, "count")),
        ("1 Hour", "PTU Hourly Global", (2, "1 Hour")),
    ],
)
def test_bare_counts_of_a_meter_of_tokens_are_tokens(unit: str, meter: str, counts: tuple[int, str]) -> None:
    assert tokens_of(Decimal(2), unit, meter) == (Decimal(counts[0]), counts[1])
    assert meter_of("GPT 5 cchd Inpt Glbl 1M Tokens") == "cache_read"


def zipped(**files: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return body.getvalue()


def test_the_one_bill_of_an_archive_is_read_and_anything_else_is_refused() -> None:
    bill = "date,model,cost_usd\n2026-10-03,gpt-4o,1\n"
    assert unzipped(zipped(part__csv=bill, manifest__json="{}"), 1000).decode() == bill
    with pytest.raises(BadBill, match=r"2 files \(a\.csv, b\.csv\)"):
        unzipped(zipped(a__csv=bill, b__csv=bill), 1000)
    with pytest.raises(BadBill, match="0 files"):
        unzipped(zipped(), 1000)
    with pytest.raises(BadBill, match="larger than"):
        unzipped(zipped(a__csv="0" * 2000), 1000)
    with pytest.raises(BadBill, match="cannot be unpacked"):
        unzipped(b"PK\x03\x04 no archive", 1000)
