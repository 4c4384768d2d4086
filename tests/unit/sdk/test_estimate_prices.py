"""An estimate with prices of one's own: exact, and strict about what they do not say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import outlay
from outlay.errors import PriceNotFound

USAGE = {"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 100, "reasoning_tokens": 40}
D = Decimal


def test_own_prices_need_no_list() -> None:
    plan = outlay.estimate(
        "local",
        "llama-of-our-own",
        USAGE,
        requests_per_month=1_000_000,
        prices={"input_usd_per_mtok": "0.05", "output_usd_per_mtok": 0.1, "cache_read_usd_per_mtok": D("0.01")},
    )
    assert plan.lines == {"input": D("0.00003"), "cache_read": D("0.000004"), "output": D("0.00001")}
    assert (plan.cost_per_request_usd, plan.cost_per_month_usd) == (D("0.000044"), D("44"))


def test_a_cascade_from_a_local_model_to_a_listed_one_says_what_it_saves() -> None:
    usage = {"input_tokens": 1000, "output_tokens": 100}
    plan = outlay.estimate(
        "local",
        "llama",
        usage,
        cascade={"provider": "openai", "model": "gpt-4o", "escalation_rate": 0.25},
        prices={"input_usd_per_mtok": "0.10", "output_usd_per_mtok": "0.10"},
    )
    assert (plan.cheap_usd, plan.expensive_usd) == (D("0.00011"), D("0.0035"))
    assert plan.cost_per_request_usd == D("0.00011") + D("0.0035") / 4
    assert plan.saving_usd == D("0.0035") - plan.cost_per_request_usd
    turned = outlay.estimate(
        "openai",
        "gpt-4o-mini",
        usage,
        cascade={"model": "ours", "escalation_rate": 1, "prices": {"input_usd_per_mtok": 1, "output_usd_per_mtok": 2}},
    )
    assert turned.expensive_usd == D("0.0012")


def test_a_local_model_that_costs_nothing_costs_nothing() -> None:
    free = {"input_usd_per_mtok": 0, "output_usd_per_mtok": 0}
    assert outlay.estimate("local", "llama", USAGE, prices=free).cost_per_request_usd == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"input_usd_per_mtk": 1}, "prices has no 'input_usd_per_mtk'; did you mean 'input_usd_per_mtok'"),
        ({"input_usd_per_mtok": -1}, "input_usd_per_mtok must be an amount of at least 0, not -1"),
        ({"input_usd_per_mtok": float("nan")}, "must be an amount"),
        ({"input_usd_per_mtok": "cheap"}, "must be an amount"),
        ({}, "prices name no price"),
    ],
)
def test_prices_that_mean_nothing_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        outlay.estimate("local", "llama", USAGE, prices=wrong)


def test_what_own_prices_do_not_say_is_an_error_and_not_free() -> None:
    with pytest.raises(PriceNotFound, match="the prices given for local llama lack one that its usage needs"):
        outlay.estimate("local", "llama", USAGE, prices={"input_usd_per_mtok": 1})
    with pytest.raises(PriceNotFound, match="prices= takes your own"):
        outlay.estimate("local", "llama", USAGE)
    for more in ({"batch_share": 0.5}, {"service_tier": "flex"}):
        with pytest.raises(ValueError, match="no batch and no service tier"):
            outlay.estimate("local", "llama", USAGE, prices={"input_usd_per_mtok": 1, "output_usd_per_mtok": 1}, **more)
