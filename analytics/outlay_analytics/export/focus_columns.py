"""The columns of FOCUS (FinOps Open Cost and Usage Specification), Cost and Usage, as Outlay fills them.

Source: https://github.com/FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, versions 1.2 and 1.4, CC BY 4.0. Columns that
begin with `x_` are Outlay's own; those of models and tokens are what 1.5 prepares, to be renamed when it is released.
"""

from __future__ import annotations

from collections.abc import Mapping

from outlay_analytics.export.rows import Kind, columns

VERSIONS = ("1.2", "1.4")
AT_1_2: dict[str, Kind] = {
    **columns(
        "AvailabilityZone BillingAccountId BillingAccountName BillingAccountType BillingCurrency CapacityReservationId "
        "CapacityReservationStatus ChargeCategory ChargeClass ChargeDescription ChargeFrequency "
        "CommitmentDiscountCategory CommitmentDiscountId CommitmentDiscountName CommitmentDiscountStatus "
        "CommitmentDiscountType CommitmentDiscountUnit ConsumedUnit InvoiceId InvoiceIssuerName PricingCategory "
        "PricingCurrency PricingUnit ProviderName PublisherName RegionId RegionName ResourceId ResourceName "
        "ResourceType ServiceCategory ServiceName ServiceSubcategory SkuId SkuMeter SkuPriceId SubAccountId "
        "SubAccountName SubAccountType",
        "text",
    ),
    **columns(
        "BilledCost CommitmentDiscountQuantity ConsumedQuantity ContractedCost ContractedUnitPrice EffectiveCost "
        "ListCost ListUnitPrice PricingCurrencyContractedUnitPrice PricingCurrencyEffectiveCost "
        "PricingCurrencyListUnitPrice PricingQuantity",
        "decimal",
    ),
    **columns("BillingPeriodEnd BillingPeriodStart ChargePeriodEnd ChargePeriodStart", "instant"),
    **columns("SkuPriceDetails Tags", "json"),
}
SINCE = columns(
    "AllocatedMethodId AllocatedResourceId AllocatedResourceName HostProviderName InvoiceDetailId ServiceProviderName",
    "text",
) | columns("AllocatedMethodDetails AllocatedTags CommitmentProgramEligibilityDetails ContractApplied", "json")
REMOVED = ("ProviderName", "PublisherName")
OWN: dict[str, Kind] = {
    **columns(
        "x_Environment x_Service x_Feature x_Customer x_ServiceTier x_ModelDeveloper x_ModelFamily x_ModelId "
        "x_ModelVersion x_TokenDirection x_CacheAction",
        "text",
    ),
    **columns("x_InputTokens x_OutputTokens x_CacheReadTokens x_CacheWriteTokens x_Requests", "count"),
    "x_PriceVersion": "text",
}


def focus_columns(version: str) -> Mapping[str, Kind]:
    """The columns of a version in the order of their names, then Outlay's own."""
    kinds = dict(AT_1_2)
    if version != "1.2":
        kinds = {name: kind for name, kind in (kinds | SINCE).items() if name not in REMOVED}
    return {name: kinds[name] for name in sorted(kinds)} | OWN
