"""Bills as clouds export them: which lines are compared, which model each speaks of, and what is refused."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from outlay.pricing.catalog import shipped
from outlay_analytics.reconcile.bill import BadBill, Bill, Charge
from outlay_analytics.reconcile.formats import read_bill
from outlay_analytics.reconcile.models import ModelNames
from outlay_analytics.reconcile.units import counted, meter_of

MODELS = ModelNames(shipped())
DAY = date(2026, 10, 3)


def read(text: str) -> Bill:
    return read_bill(text.encode(), MODELS)


def charge(provider: str, model: str, usd: str, kind: str = "usage", tier: str = "") -> Charge:
    return Charge(DAY, provider, model, tier, kind, Decimal(usd))


@pytest.mark.parametrize(
    ("provider", "text", "model"),
    [
        ("azure", "gpt 4o 0806 cached Inp glbl Tokens", "gpt-4o"),
        ("azure", "Azure OpenAI - gpt 4o 0513 Outp regnl - US East", "gpt-4o-2024-05-13"),
        ("azure", "gpt4omini 0718 Inp Data Zone Tokens", "gpt-4o-mini"),
        ("azure", "gpt-35-turbo-4k Inp", "gpt-3.5-turbo"),
        ("azure", "gpt 4.1 mini Batch Inp glbl", "gpt-4.1-mini"),
        ("azure", "o3 mini 0131 Inp", "o3-mini"),
        ("azure", "Claude Sonnet 4.5 Input Tokens", "claude-sonnet-4-5"),
        ("aws", "USE1-Claude4.5Sonnet-InputTokenCount", "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("aws", "$3 per 1M input tokens for Claude Sonnet 4", "regional.anthropic.claude-sonnet-4-20250514-v1:0"),
        ("aws", "EUC1-Claude3.5SonnetV2-OutputTokens", "regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("aws", "USE1-NovaPro-cache-read-input-token-count", "amazon.nova-pro-v1:0"),
        ("aws", "USE1-Nova2.0Lite-input-tokens", "regional.amazon.nova-2-lite-v1:0"),
        ("aws", "USW2-Llama3-3-70B-input-tokens", "meta.llama3-3-70b-instruct-v1:0"),
        ("aws", "AmazonTitanEmbedV2-Text", "amazon.titan-embed-text-v2:0"),
        ("google", "Gemini 2.5 Flash Text cached input", "gemini-2.5-flash"),
        ("google", "Gemini 2.5 Flash Lite GA Text Input - Predictions", "gemini-2.5-flash-lite"),
        ("google", "Generate content output token count gemini 2.5 pro short", "gemini-2.5-pro"),
        ("google", "Claude Opus 4.1 Output Tokens", "claude-opus-4-1"),
        ("azure", "gpt 5.9 Inp glbl", ""),  # not gpt-5
        ("google", "Custom training N1 core", ""),
        ("aws", "BoxUsage:m7g.large", ""),
    ],
)
def test_a_model_is_found_by_its_words(provider: str, text: str, model: str) -> None:
    assert MODELS.spot(provider, text) == model


def test_no_name_of_the_list_is_taken_for_another_model() -> None:
    from outlay_analytics.reconcile.models import unplaced

    for model in shipped().models():
        if model.provider in ("aws", "azure", "google", "openai", "anthropic") and ":" not in model.id[:3]:
            found = MODELS.spot(model.provider, model.id)
            same = {unplaced(model.id), "-".join(sorted(model.id.split("-")))}
            if found and ".ft" not in model.id:
                assert {unplaced(found), "-".join(sorted(found.split("-")))} & same, (model.id, found)


LEGACY = (
    "lineItem/UsageStartDate,lineItem/UsageEndDate,lineItem/ProductCode,lineItem/LineItemType,lineItem/UsageType,"
    "lineItem/LineItemDescription,lineItem/UnblendedCost,lineItem/CurrencyCode,product/ProductName\n"
)
HOUR = "2026-10-03T05:00:00Z,2026-10-03T06:00:00Z"


def test_a_legacy_report_of_aws_has_slashes_a_marketplace_credits_and_other_services() -> None:
    found = read(
        LEGACY
        + f"{HOUR},AmazonBedrock,Usage,USE1-Claude4.5Sonnet-InputTokenCount,,1.5,USD,Amazon Bedrock\n"
        + f"{HOUR},8dh2k3,Usage,USE1-MP:USE1_InputTokenCount-Units,AWS Marketplace software usage|Million Input Tokens,"
        "0.25,USD,Claude Opus 4.1 (Amazon Bedrock Edition)\n"
        + f"{HOUR},AmazonBedrock,Refund,USE1-Claude4.5Sonnet-InputTokenCount,,-0.5,USD,Amazon Bedrock\n"
        + f"{HOUR},AmazonEC2,Usage,BoxUsage:m5.large,,n/a,USD,Amazon Elastic Compute Cloud\n"
        + f"{HOUR},AmazonBedrock,Usage,USE1-Claude4.5Sonnet-InputTokenCount,,3,EUR,Amazon Bedrock\n"
        + "2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,AmazonBedrock,Tax,,,0.4,USD,Amazon Bedrock\n"
        + "2026-10-01T00:00:00Z,2026-11-01T00:00:00Z,AWSSupportBusiness,Fee,,,29,USD,AWS Support\n"
    )
    sonnet = "regional.anthropic.claude-sonnet-4-5-20250929-v1:0"
    assert found.format == "aws"
    assert found.charges == [
        charge("aws", "regional.anthropic.claude-opus-4-1-20250805-v1:0", "0.25"),
        charge("aws", sonnet, "-0.5", "credit"),
        charge("aws", sonnet, "1.5"),
    ]
    assert found.left_out_lines == {"other services": 1, "in EUR": 1, "tax": 1, "purchases": 1}
    assert found.left_out == {"tax": Decimal("0.4"), "purchases": Decimal(29)}


def google(cost: object, sku: str, service: str = "Vertex AI", **more: object) -> dict[str, object]:
    return {
        "service": {"id": "1", "description": service},
        "sku": {"id": "2", "description": sku},
        "usage_start_time": "2026-10-03 07:00:00 UTC",
        "usage_end_time": "2026-10-03 08:00:00 UTC",
        "cost": cost,
        "currency": "USD",
        "cost_type": "regular",
        "invoice": {"month": "202610"},
        "credits": [],
        **more,
    }


@pytest.mark.parametrize("form", ["lines", "list"])
def test_bigquerys_export_is_read_as_json_with_the_credits_inside_its_rows(form: str) -> None:
    rows = [
        google(
            0.3, "Gemini 2.5 Flash Text Input", credits=[{"name": "Promotion", "amount": -0.1, "type": "PROMOTION"}]
        ),
        google("0.000000000001", "Gemini 2.5 Flash Text Input"),
        google(7, "N1 Predefined Instance Core", "Compute Engine"),
        google(2, "Workbench core", "Vertex AI"),
        google(1, "Gemini 2.5 Flash Text Input", invoice={"month": "202608"}),
        google(0.01, "Rounding", cost_type="rounding_error"),
    ]
    text = json.dumps(rows) if form == "list" else "\n".join(json.dumps(row) for row in rows)
    found = read(text)
    assert found.format == "google"
    assert found.charges == [
        charge("google", "gemini-2.5-flash", "-0.1", "credit"),
        charge("google", "gemini-2.5-flash", "0.300000000001"),
    ]
    assert found.left_out_lines == {"other services": 2, "of other months": 1, "adjustments": 1}


def test_azures_cost_details_are_read_in_usd_whatever_they_are_billed_in() -> None:
    head = "Date,MeterCategory,MeterSubCategory,MeterName,ProductName,ConsumedService,CostInBillingCurrency,"
    found = read(
        head
        + "BillingCurrencyCode,CostInUsd,ChargeType\n"
        + "10/03/2026,Cognitive Services,Azure OpenAI,gpt 4o 0806 Inp glbl,x,MC,0.9,EUR,1,Usage\n"
        + "10/03/2026,Foundry Models,Azure OpenAI,gpt 4o 0806 Batch Outp glbl,x,MC,0.9,EUR,2,Usage\n"
        + "10/03/2026,Cognitive Services,Speech,Standard Text to Speech,x,MC,0.9,EUR,1,Usage\n"
        + "10/03/2026,Virtual Machines,Dv5,D2 v5,x,Microsoft.Compute,0.9,EUR,1,Usage\n"
        + "10/03/2026,Cognitive Services,Azure OpenAI,gpt 4o 0806 Inp glbl,x,MC,-1,EUR,-1,Refund\n"
    )
    assert (found.format, found.left_out_lines) == ("azure", {"other services": 2})
    assert found.charges == [
        charge("azure", "gpt-4o", "-1", "credit"),
        charge("azure", "gpt-4o", "1"),
        charge("azure", "gpt-4o", "2", tier="batch"),
    ]


FOCUS = "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,"
TIMES = "2026-10-03T00:00:00Z,2026-10-04T00:00:00Z"


@pytest.mark.parametrize(
    ("columns", "cells", "provider", "model"),
    [
        ("ServiceName,ServiceProviderName,ServiceCategory,SkuMeter", "Azure OpenAI,Microsoft,AI and Machine Learning,"
         "gpt 4o 0806 Inp glbl", "azure", "gpt-4o"),
        ("ServiceName,ProviderName,SkuPriceDetails", 'Vertex AI,Google,"{""ModelId"": ""gemini-2.5-flash""}"', "google",
         "gemini-2.5-flash"),
        ("ServiceName,ProviderName,x_SkuDescription", "Vertex AI,Google Cloud,Gemini 2.5 Pro Text Input", "google",
         "gemini-2.5-pro"),
        ("ServiceName,ProviderName,ServiceCategory,ChargeDescription", "Claude Opus 4.1 (Amazon Bedrock Edition),AWS,"
         "Other,Million Input Tokens", "aws", "regional.anthropic.claude-opus-4-1-20250805-v1:0"),
        ("ServiceName,ProviderName,ResourceId", "Amazon Bedrock,AWS,arn:aws:bedrock:eu-west-1::foundation-model/"
         "amazon.nova-pro-v1:0", "aws", "arn:aws:bedrock:eu-west-1::foundation-model/amazon.nova-pro-v1:0"),
        ("ServiceName,ProviderName,ResourceName", "OpenAI API,OpenAI,gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("ServiceName,ProviderName,SkuId", "Claude API,Anthropic,claude-haiku-4-5", "anthropic", "claude-haiku-4-5"),
        ("ServiceName,ProviderName,SkuMeter", "Amazon Bedrock,AWS,USE1-Claude99Opus-Input", "aws",
         "USE1-Claude99Opus-Input"),
    ],
)  # fmt: skip
def test_the_model_of_a_focus_line_is_found_wherever_it_stands(
    columns: str, cells: str, provider: str, model: str
) -> None:
    found = read(f"{FOCUS}{columns}\n1,USD,Usage,{TIMES},{cells}\n")
    assert found.charges == [charge(provider, model, "1")]


def test_a_focus_bill_keeps_what_is_comparable_and_counts_the_rest() -> None:
    month = "2026-10-01T00:00:00Z,2026-11-01T00:00:00Z"
    bedrock = "Amazon Bedrock,AWS,AI and Machine Learning,USE1-NovaPro-input-tokens"
    found = read(
        f"{FOCUS}ServiceName,ProviderName,ServiceCategory,SkuMeter\n"
        f"1,USD,Usage,{TIMES},{bedrock}\n"
        f"9,USD,Usage,{month},{bedrock}\n"
        f"-2,USD,Credit,{month},{bedrock}\n"
        f"5,USD,Tax,{month},{bedrock}\n"
        f"6,USD,Purchase,{month},{bedrock}\n"
        f"4,GBP,Usage,{TIMES},{bedrock}\n"
        f"ten,USD,Usage,{TIMES},Amazon Rekognition,AWS,AI and Machine Learning,images\n"
    )
    assert found.charges == [
        charge("aws", "amazon.nova-pro-v1:0", "-2", "credit"),
        charge("aws", "amazon.nova-pro-v1:0", "1"),
    ]
    assert (found.first_day, found.last_day) == (DAY, DAY)
    assert found.left_out_lines == {
        "of more than a day": 1, "tax": 1, "purchases": 1, "in GBP": 1, "other services": 1
    }  # fmt: skip


def test_a_compared_line_whose_amount_cannot_be_read_refuses_the_bill() -> None:
    with pytest.raises(BadBill, match=r"line 2, BilledCost: 'ten'"):
        read(f"{FOCUS}ServiceName\nten,USD,Usage,{TIMES},Amazon Bedrock\n")


def test_a_bill_with_nothing_to_compare_says_why() -> None:
    lines = f"1,USD,Usage,{TIMES},Amazon S3,AWS\n1,EUR,Usage,{TIMES},Amazon Bedrock,AWS\n"
    with pytest.raises(BadBill, match=r"can be compared: 1 line is other services; 1 line is in EUR"):
        read(f"{FOCUS}ServiceName,ProviderName\n{lines}")


@pytest.mark.parametrize(
    ("body", "take"),
    [
        ({"data": [{"start_time": 1790812800, "results": [{"object": "organization.usage.embeddings.result"}]}]},
         "/v1/organization/costs"),
        ({"data": [{"starting_at": "2026-10-01T00:00:00Z", "results": [{"uncached_input_tokens": 5}]}]},
         "/v1/organizations/cost_report"),
        ("start_time,model,num_model_requests,input_tokens\n1790812800,gpt-4o,1,5\n", "/v1/organization/costs"),
        ("usage_date_utc,model,uncached_input_tokens\n2026-10-01,x,5\n", "/v1/organizations/cost_report"),
    ],
)  # fmt: skip
def test_tokens_without_amounts_are_refused_with_the_export_to_take(body: object, take: str) -> None:
    with pytest.raises(BadBill, match=take):
        read(body if isinstance(body, str) else json.dumps(body))


def test_what_anthropic_and_openai_take_off_is_a_credit() -> None:
    report = {"starting_at": "2026-10-03T00:00:00Z", "results": [{"amount": "-250", "currency": "USD"}]}
    assert read(json.dumps({"data": [report]})).charges == [charge("anthropic", "", "-2.5", "credit")]
    lines = "start_time_iso,amount_value,amount_currency,line_item\n2026-10-03T00:00:00Z,-1,usd,"
    assert read(f'{lines}"gpt-4o, input"\n').charges == [charge("openai", "gpt-4o", "-1", "credit")]
    assert read(f'{lines}"GPT-4o mini, input"\n'.replace("-1,", "1,")).charges == [charge("openai", "gpt-4o-mini", "1")]
    assert read(f"{lines}gpt-4o\n".replace("-1,", "1,")).charges == [charge("openai", "gpt-4o", "1")]
    assert read(f"{lines}credit grant\n").charges == [charge("openai", "", "-1", "credit")]


def test_a_line_that_states_its_rate_is_converted_and_others_in_that_currency_are_left_out() -> None:
    rated = google("1.08", "Gemini 2.5 Flash Text Input", currency="EUR", currency_conversion_rate="0.9")
    plain = google("5", "Gemini 2.5 Flash Text Input", currency="EUR")
    found = read(json.dumps([rated, plain]))
    assert found.charges == [charge("google", "gemini-2.5-flash", "1.2")]
    assert found.left_out_lines == {"in EUR": 1}


def test_what_was_counted_is_kept_beside_the_amount() -> None:
    row = {
        "BilledCost": "1.5",
        "BillingCurrency": "USD",
        "ChargePeriodStart": "2026-10-03T00:00:00Z",
        "ServiceName": "Amazon Bedrock",
        "ProviderName": "AWS",
        "SkuMeter": "USE1-Claude4.5Sonnet-InputTokenCount",
        "SubAccountId": "4711",
        "RegionId": "us-east-1",
        "PricingQuantity": "500",
        "PricingUnit": "1K tokens",
    }
    [one] = read(json.dumps([row])).metered
    assert (one.quantity, one.unit, one.account, one.region) == (Decimal(500_000), "tokens", "4711", "us-east-1")


@pytest.mark.parametrize(
    ("text", "meter"),
    [
        ("input", "input"),
        ("input_tokens", "input"),
        ("cached input", "cache_read"),
        ("input_cached_tokens", "cache_read"),
        ("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h"),
        ("cache_creation.ephemeral_5m_input_tokens", "cache_write"),
        ("cache_read_input_tokens", "cache_read"),
        ("input_cache_write_12h_tokens", "cache_write_12h"),
        ("output_tokens", "output"),
        ("USE1-Claude4.5Sonnet-CacheReadInputTokenCount", "cache_read"),
        ("USE1-Claude4.5Sonnet-InputTokenCount", "input"),
        ("gpt 4o 0806 Outp glbl Tokens", "output"),
        ("audio input", ""),
        ("web search tool calls", ""),
    ],
)
def test_a_meter_is_told_by_its_words(text: str, meter: str) -> None:
    assert meter_of(text) == meter


@pytest.mark.parametrize(
    ("quantity", "unit", "counts"),
    [
        ("12", "1000_tokens", (12_000, "tokens")),
        ("12", "tokens", (12, "tokens")),
        ("1.5", "1M Tokens", (1_500_000, "tokens")),
        ("2", "1,000,000 Tokens", (2_000_000, "tokens")),
        ("2", "1K tokens", (2_000, "tokens")),
        ("3", "Million Input Tokens", (3_000_000, "tokens")),
        ("3", "images", (3, "images")),
    ],
)
def test_quantities_are_brought_to_single_tokens(quantity: str, unit: str, counts: tuple[int, str]) -> None:
    assert counted(Decimal(quantity), unit) == (Decimal(counts[0]), counts[1])
