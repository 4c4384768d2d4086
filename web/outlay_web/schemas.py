"""Bodies that the API takes; an unknown field is refused, since ignoring it would do something else than was asked."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=256)]
Usd = Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 15, max_digits=27, decimal_places=12)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ScoreBody(Body):
    """An evaluation of a trace or span."""

    trace_id: Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$")]
    span_id: Annotated[str, Field(pattern="^([0-9a-fA-F]{16})?$")] = ""
    name: Name
    value: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None
    label: Annotated[str, Field(max_length=1024)] = ""


class BudgetBody(Body):
    """A budget: an amount per period for a part of spend."""

    amount_usd: Usd
    period: str = "month"
    scope: dict[str, str | list[str]] = Field(default_factory=dict)
    timezone: str = "UTC"
    notify: list[Any] = Field(default_factory=list)


class WindowBody(Body):
    """A stretch of history: RFC 3339 or relative instants."""

    start: str
    end: str
    project: str | None = None


class RepriceBody(WindowBody):
    dry_run: bool = False


class CloseBody(Body):
    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class KeyBody(Body):
    project: Name = "default"
    role: str = "project"


class RevokeBody(Body):
    prefix: Name


class SilenceBody(Body):
    until: str = "24h"


class PricesBody(Body):
    """Rows as in outlay.toml."""

    prices: list[dict[str, Any]] = Field(default_factory=list)
    discounts: list[dict[str, Any]] = Field(default_factory=list)
    aliases: list[dict[str, Any]] = Field(default_factory=list)


class UsageBody(Body):
    """Token counts of a call, as `/calls` has them."""

    input_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    cache_read_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    cache_write_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    cache_write_1h_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    output_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    reasoning_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    input_audio_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    output_audio_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    input_image_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    output_image_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    cache_read_audio_tokens: Annotated[int, Field(ge=0, le=1 << 40)] | None = None
    web_searches: Annotated[int, Field(ge=0, le=1 << 40)] | None = None


class EstimateCall(Body):
    provider: Name
    model: Name
    at: datetime | None = None
    service_tier: Annotated[str, Field(max_length=64)] = ""
    usage: UsageBody


class CascadeEstimate(Body):
    """Indexes into `calls`, or whole calls: the cheap and the expensive attempt."""

    cheap: EstimateCall
    expensive: EstimateCall
    escalation_rate: Annotated[float, Field(ge=0, le=1)]


class EstimateBody(Body):
    calls: Annotated[list[EstimateCall], Field(max_length=1000)] = Field(default_factory=list)
    requests_per_month: Annotated[int, Field(ge=0, le=10**12)] | None = None
    cascade: CascadeEstimate | None = None
