"""What a bill is made of, once read: charges per day, provider, model, tier and kind; and its errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from outlay_analytics.query.errors import BadRequest

SHOWN_PROBLEMS = 10


class BadBill(BadRequest):
    """A file that cannot be read as a bill: says where, what is there and what is expected."""


@dataclass(frozen=True, slots=True)
class Charge:
    """An amount of the bill.

    Attributes:
        day: Day in UTC.
        provider: Family of the provider, as `family` names it.
        model: As billed; empty where the bill does not say.
        service_tier: `standard`, `batch` …; empty where the bill does not say.
        kind: `usage`; `fee` for tools that are billed apart from models; `credit` for what is taken off or paid back.
        usd: What was billed.
        list_usd: The same at list price, None where the bill does not say.
        meter: What was counted, as billed: `cached input`, `output_tokens`; empty where the bill does not say.
        account: Project, workspace or sub-account that it is for.
        key: API key that it is for.
        quantity: How much of it, in `unit`; None where the bill does not say.
        region: Where it ran.
    """

    day: date
    provider: str
    model: str
    service_tier: str
    kind: str
    usd: Decimal
    list_usd: Decimal | None = None
    meter: str = field(default="", compare=False)
    account: str = field(default="", compare=False)
    key: str = field(default="", compare=False)
    quantity: Decimal | None = field(default=None, compare=False)
    unit: str = field(default="", compare=False)
    region: str = field(default="", compare=False)


@dataclass(frozen=True)
class Usage:
    """What a provider counted, beside its bill.

    Attributes:
        provider, model, service_tier, account, key: As of a `Charge`.
        requests: How many, None where it does not say.
        tokens: By cost line: `input` (neither cached nor written), `cache_read`, `cache_write`, `output` …
    """

    day: date
    provider: str
    model: str
    service_tier: str
    account: str
    key: str
    requests: int | None
    tokens: Mapping[str, int]


@dataclass(frozen=True)
class Bill:
    """A file that was read.

    Attributes:
        left_out: USD of lines that are not compared, by reason; without those in another currency.
        left_out_lines: How many lines these are, by reason, those in another currency as well.
        lines: How many lines charge something.
        metered: The charges once more, told apart by meter, account, key and region.
    """

    format: str
    first_day: date
    last_day: date
    charges: Sequence[Charge]
    lines: int
    left_out: Mapping[str, Decimal] = field(default_factory=dict)
    left_out_lines: Mapping[str, int] = field(default_factory=dict)
    metered: Sequence[Charge] = field(default=(), compare=False)


# By what a provider, a service or an issuer is called; the first that occurs in the name.
FAMILIES = (
    ("aws", ("bedrock", "aws", "amazon")),
    ("azure", ("azure", "az.ai", "microsoft")),
    ("google", ("gcp", "google", "vertex", "gemini")),
    ("anthropic", ("anthropic", "claude")),
    ("openai", ("openai",)),
    ("mistral_ai", ("mistral",)),
    ("deepseek", ("deepseek",)),
    ("x_ai", ("x_ai", "xai", "grok")),
    ("cohere", ("cohere",)),
    ("groq", ("groq",)),
    ("perplexity", ("perplexity",)),
    ("openrouter", ("openrouter",)),
    ("together_ai", ("together",)),
    ("fireworks_ai", ("fireworks",)),
    ("moonshot_ai", ("moonshot",)),
    ("oracle", ("oracle", "oci")),
)


def family(name: str) -> str:
    """Who bills for a provider: `aws.bedrock`, `Amazon Bedrock` and `AWS` are all `aws`."""
    lower = name.strip().lower()
    return next((found for found, words in FAMILIES if any(word in lower for word in words)), lower)


class LeftOut:
    """Lines that are not compared: taxes, other services, other months, other currencies. They are counted, and the
    first of each reason is remembered to say why a bill has nothing else."""

    def __init__(self) -> None:
        self.usd: dict[str, Decimal] = {}
        self.lines: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, reason: str, usd: Decimal | None, first: str = "") -> None:
        """`usd` is None where the line says no amount in USD."""
        self.lines[reason] = self.lines.get(reason, 0) + 1
        self._first.setdefault(reason, first)
        if usd is not None:
            self.usd[reason] = self.usd.get(reason, Decimal(0)) + usd

    def take(self, other: LeftOut) -> None:
        """Add what another file left out."""
        for reason, lines in other.lines.items():
            self.lines[reason] = self.lines.get(reason, 0) + lines
            self._first.setdefault(reason, other._first[reason])
        for reason, usd in other.usd.items():
            self.usd[reason] = self.usd.get(reason, Decimal(0)) + usd

    def __str__(self) -> str:
        said = []
        for reason, lines in self.lines.items():
            first = f" ({self._first[reason]})" if self._first[reason] else ""
            said.append(f"{lines} {'line is' if lines == 1 else 'lines are'} {reason}{first}")
        return "; ".join(said)


def gather(format: str, days: Iterable[date], charges: Sequence[Charge], left_out: LeftOut) -> Bill:
    """Sum charges that are alike.

    Args:
        days: Every day of usage that the file covers, days without charges included. A credit of another day, such as
            one for the whole month, is put on the nearest of them.

    Raises:
        BadBill: If nothing is there to compare.
    """
    covered = set(days)
    if not charges and (left_out.lines or not covered):
        why = f": {left_out}" if left_out.lines else ""
        raise BadBill(f"the bill has no charges for model usage that can be compared{why}")
    covered = covered or {charge.day for charge in charges}
    first, last = min(covered), max(covered)
    placed = [replace(charge, day=min(max(charge.day, first), last)) for charge in charges]
    found, metered = (_summed(placed, key) for key in (_likeness, _meter_likeness))
    lines = len(charges) + sum(left_out.lines.values())
    return Bill(format, first, last, found, lines, left_out.usd, left_out.lines, metered)


def _likeness(charge: Charge) -> tuple[Any, ...]:
    """Charges for which this is the same are one; those that state a list price are kept apart from the others."""
    return charge.day, charge.provider, charge.model, charge.service_tier, charge.kind, charge.list_usd is None


def _meter_likeness(charge: Charge) -> tuple[Any, ...]:
    stated = charge.unit, charge.quantity is None
    return *_likeness(charge), charge.meter, charge.account, charge.key, charge.region, *stated


def _summed(charges: Iterable[Charge], likeness: Callable[[Charge], tuple[Any, ...]]) -> list[Charge]:
    sums: dict[tuple[Any, ...], Charge] = {}
    for charge in charges:
        key = likeness(charge)
        before = sums.get(key)
        sums[key] = (
            charge
            if before is None
            else replace(
                before,
                usd=before.usd + charge.usd,
                list_usd=_plus(before.list_usd, charge.list_usd),
                quantity=_plus(before.quantity, charge.quantity),
            )
        )
    return [sums[key] for key in sorted(sums)]


def _plus(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    return None if one is None or other is None else one + other


class Problems:
    """Collects what is wrong with a file, so that one reading tells all of it."""

    def __init__(self) -> None:
        self._found: list[str] = []
        self._count = 0

    def add(self, where: str, column: str, value: object, expected: str) -> None:
        self._count += 1
        if len(self._found) < SHOWN_PROBLEMS:
            shown = f"{str(value)[:60]!r}" if value not in (None, "") else "nothing"
            self._found.append(f"{where}, {column}: {shown} where {expected} is expected")

    def check(self) -> None:
        """Refuse the file if anything was wrong: a bill that is read in part shows a difference that is not there.

        Raises:
            BadBill: Naming the first ten places.
        """
        if self._count:
            more = f"; and {self._count - len(self._found)} more" if self._count > len(self._found) else ""
            raise BadBill(f"the bill was not read, {self._count} wrong: " + "; ".join(self._found) + more)
