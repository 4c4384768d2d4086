"""What the table of each cloud's bill calls its columns, and which of its lines speak of models.

Sources, read in November 2026: FOCUS 1.0 to 1.4 (focus.finops.org, columns of Cost and Usage); AWS Cost and Usage
Report 2.0 and the legacy one (docs.aws.amazon.com/cur: `line_item_usage_type` is `lineItem/UsageType` there); Cost
Management's usage details (learn.microsoft.com/azure/cost-management-billing, all agreement types); Cloud Billing's
export to BigQuery (docs.cloud.google.com/billing: standard and detailed usage cost).

Names are compared without case, dots, slashes and underscores: exports of one report differ in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

AI_CATEGORY = "AI and Machine Learning"
CLOUDS = ("aws", "azure", "google")
# What lines are called that charge no usage; what is not named here is usage.
KINDS: Mapping[str, str] = {
    "tax": "tax",
    "credit": "credit",
    "refund": "credit",
    "edpdiscount": "credit",
    "privateratediscount": "credit",
    "bundleddiscount": "credit",
    "discount": "credit",
    "purchase": "purchases",
    "fee": "purchases",
    "rifee": "purchases",
    "savingsplanrecurringfee": "purchases",
    "savingsplanupfrontfee": "purchases",
    "savingsplannegation": "purchases",
    "unusedreservation": "purchases",
    "unusedsavingsplan": "purchases",
    "adjustment": "adjustments",
    "roundingadjustment": "adjustments",
    "roundingerror": "adjustments",
}
# Words in the name of a service: one that sells models only, and one that sells them among other things.
MODEL_SERVICES = re.compile(
    r"bedrock|openai|generative ?language|gemini|claude|anthropic|mistral|cohere|llama|grok|deepseek|xai", re.IGNORECASE
)
MIXED_SERVICES = re.compile(
    r"vertex|foundry|cognitive|ai services|machine learning|marketplace|ai platform|saas", re.IGNORECASE
)


@dataclass(frozen=True)
class Columns:
    """The columns of one kind of table; of several names the first that is filled counts.

    Attributes:
        provider: Who issues it; empty where `sellers` say so.
        needed: A file with all of these is of this kind.
        usd: Amounts in USD whatever the currency of the bill; they win over `amount`.
        listed: The amount at list price; `listed_usd` beside `usd`.
        models: Columns whose value may be a model's name as it is.
        texts: Columns whose words may name a model, the surest first; resources are named by people and come last.
        meter, accounts, region: What was counted, for whom and where.
        quantities: How much was used and its unit, what was consumed before what was priced.
        rate: Units of the line's currency for one USD.
        taken_off: Amounts beside the cost that are taken off it.
    """

    format: str
    provider: str
    needed: Sequence[str]
    start: Sequence[str]
    end: Sequence[str]
    amount: Sequence[str]
    currency: Sequence[str]
    kind: Sequence[str]
    services: Sequence[str]
    texts: Sequence[str]
    models: Sequence[str] = ()
    resources: Sequence[str] = ()
    usd: Sequence[str] = ()
    listed: Sequence[str] = ()
    listed_usd: Sequence[str] = ()
    period: Sequence[str] = ()
    sellers: Sequence[str] = ()
    category: Sequence[str] = ()
    correction: Sequence[str] = ()
    details: Sequence[str] = ()
    credits: Sequence[str] = ()
    tier: Sequence[str] = ()
    meter: Sequence[str] = ()
    accounts: Sequence[str] = ()
    region: Sequence[str] = ()
    quantities: Sequence[tuple[Sequence[str], Sequence[str]]] = ()
    rate: Sequence[str] = ()
    taken_off: Sequence[str] = ()
    month_first: bool = False  # writes 10/01/2026 for the first of October


def fold(name: str) -> str:
    """`lineItem/UsageType`, `line_item_usage_type` and `LineItemUsageType` are one column."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


FOCUS = Columns(
    format="focus",
    provider="",
    needed=("BilledCost", "ChargePeriodStart"),
    start=("ChargePeriodStart",),
    end=("ChargePeriodEnd",),
    amount=("BilledCost",),
    currency=("BillingCurrency",),
    kind=("ChargeCategory",),
    services=("ServiceName",),
    texts=("SkuMeter", "ChargeDescription"),
    models=("x_Model", "SkuId"),
    resources=("ResourceName", "ResourceId"),
    listed=("ListCost",),
    period=("BillingPeriodStart",),
    sellers=("ServiceProviderName", "ProviderName", "InvoiceIssuerName"),
    category=("ServiceCategory",),
    correction=("ChargeClass",),
    details=("SkuPriceDetails",),
    tier=("x_ServiceTier",),
    usd=("x_BilledCostInUsd",),
    listed_usd=("x_ListCostInUsd",),
    meter=("SkuMeter", "ChargeDescription"),
    accounts=("SubAccountId", "SubAccountName", "BillingAccountId"),
    region=("RegionId", "RegionName"),
    quantities=((("ConsumedQuantity",), ("ConsumedUnit",)), (("PricingQuantity",), ("PricingUnit",))),
)
AWS = Columns(
    format="aws",
    provider="aws",
    needed=("line_item_usage_start_date", "line_item_unblended_cost"),
    start=("line_item_usage_start_date",),
    end=("line_item_usage_end_date",),
    amount=("line_item_unblended_cost",),
    currency=("line_item_currency_code",),
    kind=("line_item_line_item_type",),
    services=("product_product_name", "product_servicename", "product_service_name", "line_item_product_code",
              "line_item_legal_entity"),
    texts=("line_item_usage_type", "product_usagetype", "product_model", "line_item_line_item_description",
           "line_item_operation"),
    resources=("line_item_resource_id",),
    listed=("pricing_public_on_demand_cost",),
    period=("bill_billing_period_start_date",),
    details=("product",),
    meter=("line_item_usage_type",),
    accounts=("line_item_usage_account_id",),
    region=("product_region_code", "product_region"),
    quantities=((("line_item_usage_amount",), ("pricing_unit",)),),
)  # fmt: skip
AZURE = Columns(
    format="azure",
    provider="azure",
    needed=("Date", "MeterName"),
    start=("Date", "UsageDate", "UsageDateTime", "UsageStartDate"),
    end=("UsageEndDate",),
    amount=("CostInBillingCurrency", "PreTaxCost", "Cost", "ExtendedCost"),
    currency=("BillingCurrencyCode", "BillingCurrency", "Currency"),
    kind=("ChargeType",),
    services=("MeterSubCategory", "MeterCategory", "ServiceName", "ConsumedService", "ServiceFamily", "PublisherType"),
    texts=("MeterName", "Meter", "ProductName", "Product", "MeterSubCategory"),
    resources=("ResourceName", "ResourceId", "InstanceId"),
    usd=("CostInUsd", "CostUSD", "PreTaxCostUSD"),
    listed=("PayGCostInBillingCurrency",),
    listed_usd=("PayGCostInUsd",),
    period=("BillingPeriodStartDate",),
    meter=("MeterName", "Meter"),
    accounts=("SubscriptionId", "SubscriptionGuid"),
    region=("ResourceLocation", "MeterRegion"),
    quantities=((("Quantity",), ("UnitOfMeasure",)),),
    month_first=True,
)
GOOGLE = Columns(
    format="google",
    provider="google",
    needed=("usage_start_time", "cost", "currency"),
    start=("usage_start_time",),
    end=("usage_end_time",),
    amount=("cost",),
    currency=("currency",),
    kind=("cost_type",),
    services=("service.description",),
    texts=("sku.description",),
    resources=("resource.name",),
    listed=("cost_at_list",),
    period=("invoice.month",),
    credits=("credits",),
    meter=("sku.description",),
    accounts=("project.id",),
    region=("location.region",),
    quantities=((("usage.amount",), ("usage.unit",)),),
    rate=("currency_conversion_rate",),
)
# The cost table of the console, whose amounts say their currency in their names.
GOOGLE_CONSOLE = Columns(
    format="google",
    provider="google",
    needed=("Service description", "SKU description", "Usage start date"),
    start=("Usage start date",),
    end=("Usage end date",),
    amount=("Cost ($)", "Cost (USD)", "Cost", "Cost (€)", "Cost (EUR)", "Cost (£)", "Cost (GBP)"),
    currency=("Currency",),
    kind=("Cost type",),
    services=("Service description",),
    texts=("SKU description",),
    meter=("SKU description",),
    accounts=("Project ID", "Project name"),
    quantities=((("Usage amount",), ("Usage unit",)),),
    taken_off=("Discounts ($)", "Promotions and others ($)", "Savings programs ($)", "Negotiated savings ($)"),
)
KINDS_OF_TABLES = (FOCUS, AWS, GOOGLE, GOOGLE_CONSOLE, AZURE)


def columns_of(names: Iterable[str]) -> Columns | None:
    """The kind of table that has these columns, None when none has."""
    folded = {fold(name) for name in names}
    for one in KINDS_OF_TABLES:
        if one is AZURE:
            if _any(folded, one.start) and _any(folded, (*one.amount, *one.usd)) and _any(folded, one.texts[:2]):
                return one
        elif {fold(name) for name in one.needed} <= folded:
            return one
    return None


def _any(folded: set[str], names: Iterable[str]) -> bool:
    return any(fold(name) in folded for name in names)
