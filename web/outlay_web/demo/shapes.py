"""How much traffic there is, how long it is and how long it takes, drawn as measured on real LLM services.

- tokens of chat and code calls: Azure LLM inference trace 2023 (Patel et al., Splitwise, ISCA 2024; CC BY 4.0).
  Conversation: median 1,035 tokens in, 141 out. Code: median 1,454 in, 13 out. Spread of the logarithm 0.9 to 1.3.
- tokens of long-context calls and the share of input that a prefix cache can serve: Mooncake conversation trace (Qin et
  al., FAST 2025; Apache-2.0): median 7,590 in, 356 out, 35% of prefix blocks repeat.
- arrivals: day over night and weekday over weekend as in those services' daily curves, bursts as a gamma-modulated
  Poisson process with a coefficient of variation near the 0.27 of the Azure conversation trace.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from outlay_web.demo.interactions import Person

CUSTOMERS = ("acme", "globex", "initech", "umbrella", "hooli", "stark")
# Share of a weekday's calls in each hour, UTC: quiet nights, two humps around lunch.
HOURS = (8, 6, 5, 5, 7, 12, 26, 52, 84, 100, 104, 96, 82, 92, 102, 98, 88, 70, 50, 38, 30, 24, 17, 12)
WEEKEND = 0.34


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


def poisson(rng: random.Random, mean: float) -> int:
    """Knuth's method below 30, the rounded normal above."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def tokens(rng: random.Random, shape: Shape, growth: float = 1.0) -> tuple[int, int]:
    tokens_in = rng.lognormvariate(math.log(shape.input_median), shape.input_spread) * growth
    tokens_out = rng.lognormvariate(math.log(shape.output_median), shape.output_spread)
    return max(16, min(int(tokens_in), 60_000)), max(1, min(int(tokens_out), 8_000))


def latency(rng: random.Random, output_tokens: int, ms_per_token: float, first_ms: float) -> tuple[int, int]:
    """Duration and time to first token in milliseconds: a wait, then a steady stream of tokens."""
    first = int(rng.lognormvariate(math.log(first_ms), 0.35))
    return first + int(output_tokens * ms_per_token * rng.uniform(0.8, 1.3)), first


def who(rng: random.Random) -> Person:
    customer = rng.choices(CUSTOMERS, weights=(34, 22, 16, 12, 10, 6))[0]
    number = int(180 * rng.random() ** 2)
    return Person(customer, f"{customer}-{number:03d}", f"s-{rng.getrandbits(40):010x}")
