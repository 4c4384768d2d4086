"""What may be asked "what if" about: each change is one small value, read from `{name: value}` and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from outlay_analytics.query.errors import SHOWN, BadRequest

MAX_CHANGES = 10
MAX_TOKENS = 1 << 40


@dataclass(frozen=True)
class Model:
    """A model by name, of a provider where that is said."""

    name: str
    provider: str = ""


@dataclass(frozen=True)
class ReplaceModel:
    """Calls to one model go to another."""

    source: str
    target: Model


@dataclass(frozen=True)
class PriceDiscount:
    """Everything costs less by a share: 0.1 is ten per cent off."""

    share: Decimal


@dataclass(frozen=True)
class BatchShare:
    """A share of the calls of the standard tier goes to the batch tier."""

    share: Decimal


@dataclass(frozen=True)
class CacheHitRatio:
    """This share of each call's input is read from the provider's cache."""

    ratio: Decimal


@dataclass(frozen=True)
class Cascade:
    """Every call goes to a cheap model first, a share of them then to an expensive one as well."""

    cheap: Model
    expensive: Model
    escalation_rate: Decimal


@dataclass(frozen=True)
class ShorterPrompt:
    """A part of the prompt is shorter by a share; all of the input where no part is named."""

    share: Decimal
    part: str = ""


@dataclass(frozen=True)
class MaxOutput:
    """Answers end after so many tokens."""

    tokens: int


Change = ReplaceModel | PriceDiscount | BatchShare | CacheHitRatio | Cascade | ShorterPrompt | MaxOutput
NAMES = (
    "replace_model",
    "price_discount",
    "batch_share",
    "cache_hit_ratio",
    "cascade",
    "shorter_prompt",
    "max_output_tokens",
)


def parse_changes(given: Sequence[Any]) -> list[Change]:
    """The changes of a request, in order.

    Raises:
        BadRequest: Names the change, its value and what is allowed.
    """
    if len(given) > MAX_CHANGES:
        raise BadRequest(f"at most {MAX_CHANGES} changes at once, not {len(given)}")
    return [_change(one) for one in given]


def _change(given: Any) -> Change:
    if not isinstance(given, Mapping) or len(given) != 1:
        raise BadRequest(f"a change is one of {', '.join(NAMES)} with its value, not {str(given)[:SHOWN]!r}")
    ((name, value),) = given.items()
    if name == "replace_model":
        fields = _fields(name, value, ("from", "to"))
        source, target = _text(f"{name}.from", fields["from"]), _model(f"{name}.to", fields["to"])
        if source == target.name and not target.provider:
            raise BadRequest(f"replace_model: from and to are both {source[:SHOWN]!r}")
        return ReplaceModel(source, target)
    if name == "price_discount":
        return PriceDiscount(_share(name, value))
    if name == "batch_share":
        return BatchShare(_share(name, value))
    if name == "cache_hit_ratio":
        return CacheHitRatio(_share(name, value))
    if name == "cascade":
        fields = _fields(name, value, ("cheap", "expensive", "escalation_rate"))
        cheap, expensive = (_model(f"{name}.{end}", fields[end]) for end in ("cheap", "expensive"))
        if cheap == expensive:
            raise BadRequest(f"cascade: cheap and expensive are both {cheap.name[:SHOWN]!r}")
        return Cascade(cheap, expensive, _share(f"{name}.escalation_rate", fields["escalation_rate"]))
    if name == "shorter_prompt":
        fields = _fields(name, value, ("share",), ("part",))
        part = _text(f"{name}.part", fields["part"]) if fields.get("part") is not None else ""
        return ShorterPrompt(_share(f"{name}.share", fields["share"]), part)
    if name == "max_output_tokens":
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_TOKENS:
            raise BadRequest(f"{name} must be a whole number of 1 or more, not {str(value)[:SHOWN]!r}")
        return MaxOutput(value)
    raise BadRequest(f"there is no change {str(name)[:SHOWN]!r}; there are: {', '.join(NAMES)}")


def _fields(name: str, value: Any, needed: Sequence[str], optional: Sequence[str] = ()) -> Mapping[str, Any]:
    allowed = {*needed, *optional}
    if not isinstance(value, Mapping) or not set(needed) <= set(value) <= allowed:
        shown = ", ".join([*needed, *(f"{one} (optional)" for one in optional)])
        raise BadRequest(f"{name} takes {shown}; not {str(value)[:SHOWN]!r}")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 256:
        raise BadRequest(f"{name} must be a name, not {str(value)[:SHOWN]!r}")
    return value


def _model(name: str, value: Any) -> Model:
    if isinstance(value, Mapping):
        fields = _fields(name, value, ("provider", "model"))
        return Model(_text(f"{name}.model", fields["model"]), _text(f"{name}.provider", fields["provider"]))
    return Model(_text(name, value))


def _share(name: str, value: Any) -> Decimal:
    """A share of 0 to 1, to millionths."""
    try:
        share = Decimal("NaN") if isinstance(value, bool) or value is None else Decimal(str(value))
    except InvalidOperation:
        share = Decimal("NaN")
    if not share.is_finite() or not 0 <= share <= 1:
        raise BadRequest(f"{name} must lie between 0 and 1, not {str(value)[:SHOWN]!r}")
    return share.quantize(Decimal("0.000001"))
