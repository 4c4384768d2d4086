"""Bodies that the API takes; an unknown field is refused, since ignoring it would do something else than was asked."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Name = Annotated[str, Field(min_length=1, max_length=256)]
Usd = Annotated[Decimal, Field(ge=0, le=Decimal(10) ** 15, max_digits=27, decimal_places=12)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ScoreBody(Body):
    """An evaluation of a trace or span."""

    trace_id: Annotated[str, Field(pattern="^[0-9a-fA-F]{32}$"), AfterValidator(str.lower)]
    span_id: Annotated[str, Field(pattern="^([0-9a-fA-F]{16})?$"), AfterValidator(str.lower)] | None = None
    name: Name
    value: Annotated[float, Field(ge=-1e15, le=1e15)] | None = None
    label: Annotated[str, Field(max_length=1024)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> ScoreBody:
        if self.value is None and not self.label:
            raise ValueError("value, or a label where there is no number, is required")
        return self


class BudgetBody(Body):
    """A budget: an amount per period, or in a window, for a part of spend or for any one of a dimension's values."""

    amount_usd: Usd
    period: str = "month"
    per: str = ""
    window: str = ""
    scope: dict[str, str | list[str]] = Field(default_factory=dict)
    timezone: str = "UTC"
    notify: list[Any] = Field(default_factory=list)


class RuleBody(Body):
    """A rule: what is watched, from which value on it fires, over which window; see docs/alerts.md for its kinds."""

    kind: Annotated[str, Field(max_length=64)]
    threshold: Annotated[Decimal, Field(gt=0, le=Decimal(10) ** 12, max_digits=27, decimal_places=12)]
    window: Annotated[str, Field(max_length=16)] = "24h"
    per: Annotated[str, Field(max_length=256)] = ""
    budget: Annotated[str, Field(max_length=100)] = ""
    severity: Literal["warning", "critical"] = "warning"
    scope: dict[str, str | list[str]] = Field(default_factory=dict)
    notify: list[Any] = Field(default_factory=list)


class PreviewBody(RuleBody):
    """A rule that need not be kept."""

    name: Annotated[str, Field(max_length=100)] = "preview"


class WindowBody(Body):
    """A stretch of history: RFC 3339 or relative instants."""

    start: Annotated[str, Field(min_length=1, max_length=64)]
    end: Annotated[str, Field(min_length=1, max_length=64)] = "now"


class RepriceBody(WindowBody):
    """`reopen`: also change closed books; the difference is kept as an adjustment."""

    dry_run: bool = False
    reopen: bool = False


class UndoBody(Body):
    id: Name
    reopen: bool = False


class CloseBody(Body):
    """`reopen`: open the books of a closed month again."""

    reopen: bool = False
    month: Annotated[str, Field(pattern=r"^(19[7-9]\d|20\d\d)-(0[1-9]|1[0-2])$")]


class KeyBody(Body):
    project: Name = "default"
    role: str = "project"


class RevokeBody(Body):
    prefix: Name


class AckBody(Body):
    by: Annotated[str, Field(max_length=200)] = ""


class SilenceBody(Body):
    """`until`: RFC 3339; empty for a day; a time in the past ends a silence."""

    until: Annotated[str, Field(max_length=64)] = ""
    by: Annotated[str, Field(max_length=200)] = ""
    comment: Annotated[str, Field(max_length=1000)] = ""


class TestBody(Body):
    """Channels as in a budget's `notify`."""

    notify: Annotated[list[str], Field(max_length=20)] = Field(default_factory=list)


class IncidentEventBody(Body):
    """`kind`: acknowledged, resolved, reopened, owner (its name as `text`) or note (its `text`)."""

    kind: Literal["acknowledged", "resolved", "reopened", "owner", "note"]
    text: Annotated[str, Field(max_length=4000)] = ""
    by: Annotated[str, Field(max_length=200)] = ""


class MarkerBody(Body):
    """What was changed: `at` RFC 3339, now without it; `scope` as in budgets, everything without it."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    at: Annotated[str, Field(max_length=64)] = ""
    scope: dict[str, str | list[str]] = Field(default_factory=dict)
    by: Annotated[str, Field(max_length=200)] = ""


class RevenueBody(Body):
    """Rows of `[[revenue]]` as in outlay.toml; `valid_from` is a date as text, the project is the key's."""

    revenue: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=10_000)]


class PricesBody(Body):
    """Rows of `[[prices]]` as in outlay.toml."""

    prices: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=10_000)]


PARTS_OF = (
    (("cache_read_tokens", "cache_write_tokens"), "input_tokens"),
    (("cache_write_1h_tokens",), "cache_write_tokens"),
    (("reasoning_tokens",), "output_tokens"),
)


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

    @model_validator(mode="after")
    def _parts_fit(self) -> UsageBody:
        for parts, whole in PARTS_OF:
            given = {name: getattr(self, name) or 0 for name in parts}
            total = getattr(self, whole) or 0
            if sum(given.values()) > total:
                named = " + ".join(f"{name} ({count})" for name, count in given.items() if count)
                raise ValueError(f"{named} cannot exceed {whole} ({total}), which includes them")
        return self


class EstimateCall(Body):
    provider: Name
    model: Name
    at: datetime | None = None
    service_tier: Annotated[str, Field(max_length=64)] = ""
    region: Annotated[str, Field(max_length=64)] = ""
    usage: UsageBody


class ModelBody(Body):
    provider: Name
    model: Name


class CascadeEstimate(Body):
    """The same calls by a cheap model first, then by an expensive one: models by name, or with their provider."""

    cheap: Name | ModelBody
    expensive: Name | ModelBody
    escalation_rate: Annotated[Decimal, Field(ge=0, le=1)]


class EstimateBody(Body):
    calls: Annotated[list[EstimateCall], Field(max_length=1000)] = Field(default_factory=list)
    requests_per_month: Annotated[int, Field(ge=0, le=10**12)] | None = None
    cascade: CascadeEstimate | None = None


Shown = Annotated[str, Field(max_length=1024)]
SHARE: dict[str, Any] = {"type": ["number", "string"], "description": "0 to 1."}
MODEL: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "properties": {"provider": {"type": "string"}, "model": {"type": "string"}},
            "required": ["provider", "model"],
        },
    ]
}
# What `analytics` reads and refuses by name (`questions/changes.py`); here for those who read the document.
CHANGE: dict[str, Any] = {
    "type": "object",
    "minProperties": 1,
    "maxProperties": 1,
    "properties": {
        "replace_model": {"type": "object", "properties": {"from": {"type": "string"}, "to": MODEL}},
        "price_discount": SHARE,
        "batch_share": SHARE,
        "cache_hit_ratio": SHARE,
        "cascade": {"type": "object", "properties": {"cheap": MODEL, "expensive": MODEL, "escalation_rate": SHARE}},
        "shorter_prompt": {"type": "object", "properties": {"share": SHARE, "part": {"type": "string"}}},
        "max_output_tokens": {"type": "integer", "minimum": 1},
    },
}


class SimulateBody(Body):
    """A window, filters, and changes that are made one after the other."""

    start: Annotated[str, Field(max_length=64)] | None = None
    end: Annotated[str, Field(max_length=64)] | None = None
    filters: Annotated[dict[str, Annotated[list[Shown], Field(max_length=1000)]], Field(max_length=50)] = Field(
        default_factory=dict
    )
    changes: Annotated[list[Any], Field(max_length=100, json_schema_extra={"items": CHANGE})] = Field(
        default_factory=list
    )
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
