"""A small company's month: seven features, four teams, four providers, and four incidents worth finding.

Shapes come from published measurements of real LLM traffic, not from thin air:
- tokens of chat and code calls: Azure LLM inference trace 2023 (Patel et al., Splitwise, ISCA 2024; CC BY 4.0).
  Conversation: median 1,035 tokens in, 141 out. Code: median 1,454 in, 13 out. Spread of the logarithm 0.9 to 1.3.
- tokens of long-context calls and the share of input that a prefix cache can serve: Mooncake conversation trace (Qin et
  al., FAST 2025; Apache-2.0): median 7,590 in, 356 out, 35% of prefix blocks repeat.
- arrivals: day over night and weekday over weekend as in those services' daily curves, bursts as a gamma-modulated
  Poisson process with a coefficient of variation near the 0.27 of the Azure conversation trace.

Everything follows from one seed; only the dates move with the day the demo is run.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

DAYS = 30
SEED = 20260722
CUSTOMERS = ("acme", "globex", "initech", "umbrella", "hooli", "stark")
# Share of a weekday's calls in each hour, UTC: quiet nights, two humps around lunch.
HOURS = (8, 6, 5, 5, 7, 12, 26, 52, 84, 100, 104, 96, 82, 92, 102, 98, 88, 70, 50, 38, 30, 24, 17, 12)
WEEKEND = 0.34
FITTING = 0.95  # similarity from which on the semantic cache answers the question that was asked
PREFIX = 6144  # tokens of instructions and tools that every support chat begins with


@dataclass(frozen=True)
class Shape:
    """Log-normal token counts: median and spread of the logarithm, for input and output."""

    input_median: int
    input_spread: float
    output_median: int
    output_spread: float


CHAT = Shape(1035, 0.55, 141, 0.6)
CODE = Shape(1454, 0.9, 13, 0.8)
LONG = Shape(7590, 0.5, 356, 0.45)
SHORT = Shape(1400, 0.5, 12, 0.4)


@dataclass(frozen=True)
class Call:
    """One request to a provider, or one answer from the company's own cache."""

    provider: str
    model: str
    started_at: datetime
    duration_ms: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    operation: str = "chat"
    streamed: bool = False
    time_to_first_token_ms: int = 0
    error: str = ""
    attempt: int = 1
    request_id: str = ""
    cascade_tier: int = -1
    cascade_outcome: str = ""
    cascade_confidence: float = 0.0
    cache_kind: str = ""
    cache_hit: bool = False
    cache_similarity: float = 0.0
    prompt_parts: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Person:
    """Who asked, for which customer, in which session."""

    customer: str
    user: str
    session: str


@dataclass(frozen=True)
class Interaction:
    """What one user action caused: the calls under one tracked function."""

    feature: str
    team: str
    who: Person
    prompt: str
    prompt_version: str
    started_at: datetime
    calls: tuple[Call, ...]
    cascade: str = ""
    experiment: str = ""
    arm: str = ""
    route_tier: str = ""
    route_propensity: float | None = None
    scores: tuple[tuple[str, float], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def ended_at(self) -> datetime:
        return max(call.started_at + timedelta(milliseconds=call.duration_ms) for call in self.calls)


@dataclass(frozen=True)
class Incident:
    """Something that went wrong, and what a page should say about it."""

    name: str
    feature: str
    start: datetime
    end: datetime
    driver: str


@dataclass
class Company:
    """The month that ends at `now`. `interactions()` is the same for the same seed and day."""

    now: datetime
    seed: int = SEED
    scale: float = 1.0
    incidents: dict[str, Incident] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.today = self.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self.start = self.today - timedelta(days=DAYS - 1)

        def at(days_ago: int, hour: int, last_weekday: int = 4) -> datetime:
            """An hour of a working day about so long ago: what happens at weekends is small and shows little."""
            day = self.today - timedelta(days=days_ago)
            while day.weekday() > last_weekday:
                day -= timedelta(days=1)
            return day + timedelta(hours=hour)

        swap, outage, storm = at(9, 8, 2), at(5, 7, 3), at(2, 12)
        self.incidents = {
            incident.name: incident
            for incident in (
                Incident("longer prompt", "doc-search", at(11, 9), self.now, "input_tokens"),
                Incident("model swap", "summarize", swap, swap + timedelta(days=2, hours=9), "model_mix"),
                Incident("cache outage", "support-chat", outage, outage + timedelta(days=1, hours=12), "cache_share"),
                Incident("retry storm", "code-review", storm, storm + timedelta(hours=7), "retries"),
            )
        }

    def interactions(self) -> Iterator[Interaction]:
        """Every interaction up to now, in order of time."""
        hour = self.start
        while hour < self.now:
            rng = random.Random(f"{self.seed}:{(hour - self.start) // timedelta(hours=1)}")
            made: list[Interaction] = []
            for make, per_day in FEATURES:
                expected = self.scale * per_day * HOURS[hour.hour] / sum(HOURS)
                expected *= WEEKEND if hour.weekday() >= 5 else 1.0
                for _ in range(_poisson(rng, expected * rng.gammavariate(14.0, 1 / 14.0))):
                    moment = hour + timedelta(microseconds=rng.randrange(3_600_000_000))
                    made.append(make(self, rng, moment))
            yield from sorted((one for one in made if one.ended_at < self.now), key=lambda one: one.started_at)
            hour += timedelta(hours=1)

    def aside(self, moment: datetime) -> random.Random:
        """Chance of one moment's own: what is drawn from it moves nothing else of the month."""
        return random.Random(f"{self.seed}:{(moment - self.start) // timedelta(microseconds=1)}")

    def hit(self, name: str, moment: datetime) -> bool:
        """Whether `moment` lies in the incident called `name`."""
        return self.incidents[name].start <= moment < self.incidents[name].end


def _poisson(rng: random.Random, mean: float) -> int:
    """Knuth's method below 30, the rounded normal above."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def _tokens(rng: random.Random, shape: Shape, growth: float = 1.0) -> tuple[int, int]:
    tokens_in = rng.lognormvariate(math.log(shape.input_median), shape.input_spread) * growth
    tokens_out = rng.lognormvariate(math.log(shape.output_median), shape.output_spread)
    return max(16, min(int(tokens_in), 60_000)), max(1, min(int(tokens_out), 8_000))


def _latency(rng: random.Random, output_tokens: int, ms_per_token: float, first_ms: float) -> tuple[int, int]:
    """Duration and time to first token in milliseconds: a wait, then a steady stream of tokens."""
    first = int(rng.lognormvariate(math.log(first_ms), 0.35))
    return first + int(output_tokens * ms_per_token * rng.uniform(0.8, 1.3)), first


def _who(rng: random.Random) -> Person:
    customer = rng.choices(CUSTOMERS, weights=(34, 22, 16, 12, 10, 6))[0]
    number = int(180 * rng.random() ** 2)
    return Person(customer, f"{customer}-{number:03d}", f"s-{rng.getrandbits(40):010x}")


def support_chat(company: Company, rng: random.Random, moment: datetime) -> Interaction:
    """Streamed chat behind an exact and a semantic cache; a long stable prefix that the provider caches."""
    tokens_in, tokens_out = _tokens(rng, CHAT)
    prefix = PREFIX
    tokens_in += prefix
    duration, first = _latency(rng, tokens_out, 9, 420)
    call = Call("openai", "gpt-5-2025-08-07", moment + timedelta(milliseconds=8), duration, tokens_in, tokens_out)
    draw = rng.random()
    if draw < 0.09:
        call = replace(call, cache_kind="exact", cache_hit=True, duration_ms=6)
    elif draw < 0.21:
        similarity = round(rng.uniform(0.92, 0.995), 4)
        call = replace(call, cache_kind="semantic", cache_hit=True, duration_ms=24, cache_similarity=similarity)
    else:
        warm = rng.random() < 0.86 and not company.hit("cache outage", moment)
        missed = rng.choice(("exact", "semantic"))
        reasoning = int(tokens_out * rng.uniform(0.1, 0.4))
        call = replace(
            call,
            cache_kind=missed,
            cache_similarity=round(rng.uniform(0.3, 0.9), 4) if missed == "semantic" else 0.0,
            cache_read_tokens=prefix if warm else 0,
            streamed=True,
            time_to_first_token_ms=first,
            reasoning_tokens=reasoning,
            prompt_parts=(("system", prefix), ("user", tokens_in - prefix)),
        )
        if rng.random() < 0.012:
            call = replace(call, error="timeout", input_tokens=0, output_tokens=0, cache_read_tokens=0)
            call = replace(call, reasoning_tokens=0, streamed=False, time_to_first_token_ms=0, prompt_parts=())
    version = "12" if moment < company.today - timedelta(days=19) else "13"
    scores = (("helpful", float(rng.random() < 0.83)),) if rng.random() < 0.08 else ()
    aside = company.aside(moment)
    if call.cache_kind == "semantic" and call.cache_hit and aside.random() < 0.4:
        fits = 0.997 if call.cache_similarity >= FITTING else 0.8
        scores = (*scores, ("same question", float(aside.random() < fits)))
    return Interaction(
        "support-chat",
        "support",
        _who(rng),
        prompt="support-reply",
        prompt_version=version,
        started_at=moment,
        calls=(call,),
        scores=scores,
        tags=(("channel", rng.choice(("web", "app", "mail"))),),
    )


def ticket_triage(company: Company, rng: random.Random, moment: datetime) -> Interaction:
    """A cascade: a small model first, a large one when it is not sure."""
    tokens_in, tokens_out = _tokens(rng, SHORT)
    confidence = round(rng.betavariate(7, 2), 4)
    escalated = confidence < 0.62
    duration, _ = _latency(rng, tokens_out, 4, 240)
    first = Call(
        "openai",
        "gpt-5-mini-2025-08-07",
        moment + timedelta(milliseconds=5),
        duration,
        tokens_in,
        tokens_out,
        cascade_tier=0,
        cascade_outcome="escalated" if escalated else "accepted",
        cascade_confidence=confidence,
    )
    calls = [first]
    if escalated:
        start = first.started_at + timedelta(milliseconds=duration + 5)
        _, long_out = _tokens(rng, CHAT)
        duration, _ = _latency(rng, long_out, 14, 700)
        calls.append(
            Call(
                "anthropic",
                "claude-sonnet-4-5-20250929",
                start,
                duration,
                tokens_in + 180,
                long_out,
                cascade_tier=1,
                cascade_outcome="accepted",
                cascade_confidence=round(rng.uniform(0.8, 0.99), 4),
            )
        )
    right = rng.random() < (0.97 if escalated else 0.72 + 0.25 * confidence)
    return Interaction(
        "ticket-triage",
        "support",
        _who(rng),
        prompt="triage",
        prompt_version="4",
        started_at=moment,
        calls=tuple(calls),
        cascade="triage",
        scores=(("correct", float(right)),) if rng.random() < 0.15 else (),
    )


def _retried(rng: random.Random, call: Call) -> list[Call]:
    """The client's timeout was shorter than the answer took: it asked again, and the provider billed every time."""
    request = f"r-{rng.getrandbits(48):012x}"
    copies = []
    start = call.started_at
    for attempt in range(1, rng.choice((3, 4, 5, 6)) + 1):
        copies.append(replace(call, started_at=start, attempt=attempt, request_id=request))
        start += timedelta(milliseconds=call.duration_ms + 400)
    return copies


def doc_search(company: Company, rng: random.Random, moment: datetime) -> Interaction:
    """Retrieval: an embedding, then an answer over documents. One release put far more context into the prompt."""
    grown = company.hit("longer prompt", moment)
    query = rng.randint(8, 60)
    embed = Call(
        "openai",
        "text-embedding-3-small",
        moment + timedelta(milliseconds=4),
        rng.randint(40, 160),
        query,
        0,
        operation="embeddings",
    )
    tokens_in, tokens_out = _tokens(rng, LONG, 1.75 if grown else 1.0)
    duration, first = _latency(rng, tokens_out, 5, 520)
    answer = Call(
        "anthropic",
        "claude-haiku-4-5-20251001",
        embed.started_at + timedelta(milliseconds=embed.duration_ms + 30),
        duration,
        tokens_in,
        tokens_out,
        cache_read_tokens=int(tokens_in * 0.35) if rng.random() < 0.4 else 0,
        streamed=True,
        time_to_first_token_ms=first,
        prompt_parts=(("system", 600), ("context", max(0, tokens_in - 600 - query)), ("user", query)),
    )
    return Interaction(
        "doc-search",
        "search",
        _who(rng),
        prompt="answer",
        prompt_version="8" if grown else "7",
        started_at=moment,
        calls=(embed, answer),
        scores=(("grounded", round(rng.betavariate(9, 2), 3)),) if rng.random() < 0.06 else (),
    )


def code_review(company: Company, rng: random.Random, moment: datetime) -> Interaction:
    """Long inputs with cache writes and reads; for an afternoon the client gave up sooner than a review takes."""
    tokens_in, tokens_out = _tokens(rng, CODE, 3.2)
    tokens_out = tokens_out * 14 + 60
    stable = 4096
    warm = rng.random() < 0.6
    duration, first = _latency(rng, tokens_out, 13, 900)
    call = Call(
        "anthropic",
        "claude-sonnet-4-5-20250929",
        moment + timedelta(milliseconds=12),
        duration,
        tokens_in + stable,
        tokens_out,
        cache_read_tokens=stable if warm else 0,
        cache_write_tokens=0 if warm else stable,
        streamed=True,
        time_to_first_token_ms=first,
    )
    return Interaction(
        "code-review",
        "platform",
        _who(rng),
        prompt="review",
        prompt_version="21",
        started_at=moment,
        calls=tuple(_retried(rng, call)) if company.hit("retry storm", moment) else (call,),
        tags=(("repository", rng.choice(("web", "api", "mobile", "infra"))),),
    )


def summarize(company: Company, rng: random.Random, moment: datetime) -> Interaction:
    """An experiment: which of two models writes the summaries; for two days somebody had set the largest of all.

    Its result is known: the small one is accepted less often, and a quarter cheaper.
    """
    who = _who(rng)
    arm = "small" if sum(map(ord, who.user)) % 2 else "large"
    provider, model = {"small": ("gcp.gemini", "gemini-2.5-flash"), "large": ("mistral_ai", "mistral-large-2512")}[arm]
    if company.hit("model swap", moment):
        arm, provider, model = "", "anthropic", "claude-opus-4-5-20251101"
    tokens_in, tokens_out = _tokens(rng, LONG)
    duration, _ = _latency(rng, tokens_out, 6, 480)
    call = Call(provider, model, moment + timedelta(milliseconds=6), duration, tokens_in, tokens_out)
    good = {"small": 0.70, "large": 0.84}.get(arm, 0.86)
    return Interaction(
        "summarize",
        "growth",
        who,
        prompt="summary",
        prompt_version="3",
        started_at=moment,
        calls=(call,),
        experiment="summary-model" if arm else "",
        arm=arm,
        scores=(("accepted", float(rng.random() < good)),) if rng.random() < 0.5 else (),
    )


def translate(company: Company, rng: random.Random, moment: datetime) -> Interaction:
    """Cheap and steady; a router tries two models, and the dearer is no better, which trade-off and routing tell."""
    tokens_in, _ = _tokens(rng, CHAT, 0.6)
    duration, _ = _latency(rng, tokens_in, 3, 260)
    out = max(1, int(tokens_in * rng.uniform(0.8, 1.1)))
    aside = company.aside(moment)
    tier, model = aside.choice((("cheap", "gemini-2.5-flash-lite"), ("mid", "gemini-2.5-flash")))
    call = Call("gcp.gemini", model, moment + timedelta(milliseconds=5), duration, tokens_in, out)
    return Interaction(
        "translate",
        "growth",
        _who(rng),
        prompt="translate",
        prompt_version="2",
        started_at=moment,
        calls=(call,),
        route_tier=tier,
        route_propensity=0.5,
        scores=(("faithful", float(aside.random() < 0.99)),) if aside.random() < 0.7 else (),
    )


def lab(company: Company, rng: random.Random, moment: datetime) -> Interaction:
    """A model of the company's own that no price list knows: shown as unpriced, never as free."""
    tokens_in, tokens_out = _tokens(rng, CHAT)
    duration, _ = _latency(rng, tokens_out, 20, 150)
    call = Call("vllm", "acme-research-7b", moment + timedelta(milliseconds=3), duration, tokens_in, tokens_out)
    return Interaction(
        "lab",
        "platform",
        _who(rng),
        prompt="probe",
        prompt_version="1",
        started_at=moment,
        calls=(call,),
    )


FEATURES = (
    (support_chat, 900),
    (ticket_triage, 520),
    (doc_search, 270),
    (code_review, 190),
    (summarize, 240),
    (translate, 120),
    (lab, 12),
)
