"""What a call with these span attributes costs at list price; loaded only where somebody asks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from outlay import semconv
from outlay.usage import usage_of_attributes


def cost_of(attributes: Mapping[str, Any], start_ns: int) -> Decimal | None:
    """USD, or None when the model, its price or the usage is unknown.

    Args:
        attributes: Attributes of a span of ours.
        start_ns: When the call started.
    """
    from outlay.pricing import cost
    from outlay.pricing.regions import region_of

    found = cost(
        usage_of_attributes(attributes),
        str(attributes.get(semconv.PROVIDER) or ""),
        str(attributes.get(semconv.RESPONSE_MODEL) or attributes.get(semconv.REQUEST_MODEL) or ""),
        datetime.fromtimestamp(start_ns / 1e9, UTC),
        service_tier=str(attributes.get(semconv.SERVICE_TIER) or attributes.get(semconv.SERVICE_TIER_ANTHROPIC) or ""),
        region=region_of(
            str(attributes.get(semconv.REGION) or ""),
            str(attributes.get(semconv.REQUEST_MODEL) or ""),
            str(attributes.get(semconv.SERVER_ADDRESS) or ""),
        ),
        request_model=str(attributes.get(semconv.REQUEST_MODEL) or ""),
    )
    return None if found is None else found.usd
