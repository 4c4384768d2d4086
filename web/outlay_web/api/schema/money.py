"""Answers of `api/prices.py`, `api/bills.py` and `api/reconcile.py`: prices, repricing, estimates, bills."""

from __future__ import annotations

from outlay.pricing.units import PRICE_KEYS
from outlay_analytics.reconcile.reasons import REASONS
from outlay_collector.prices import witness
from outlay_web.api.schema.answer import Answer, Answers
from outlay_web.api.schema.parameters import ORIGINS
from outlay_web.api.schema.parts import COST_STATES, NEXT_CURSOR
from outlay_web.api.schema.shapes import (
    COUNT,
    DAY,
    INSTANT,
    NUMBER,
    RATIO,
    TEXT,
    USD,
    YES_NO,
    by_key,
    each,
    either,
    listed,
    maybe,
    one_of,
    part,
    record,
)

PRICE = record(
    {
        **each("provider model service_tier region hours source checked", TEXT),
        "min_input_tokens": COUNT,
        **each("valid_from valid_until", maybe(INSTANT)),
        "origin": one_of(ORIGINS),
        **each(
            "input_usd_per_mtok cache_read_usd_per_mtok cache_write_usd_per_mtok cache_write_1h_usd_per_mtok "
            "output_usd_per_mtok reasoning_usd_per_mtok list_input_usd_per_mtok list_output_usd_per_mtok",
            maybe(USD),
        ),
        "other_usd_per_million": by_key(USD),
        "is_list": YES_NO,
        "borrowed": listed(TEXT),
    }
)
PRICES = record(
    {
        "prices": listed(PRICE),
        **each("price_version catalogue catalogue_warning", maybe(TEXT)),
        "known_since": maybe(INSTANT),
        "catalogue_checked": maybe(DAY),
        "catalogue_age_days": maybe({"type": "integer"}),
        "next_cursor": NEXT_CURSOR,
    }
)
UNPRICED = record(
    {
        **each("provider request_model response_model", TEXT),
        "reason": one_of(("unknown_model", "no_price_yet", "part_without_price")),
        **each("calls input_tokens output_tokens", COUNT),
        **each("first_at last_at", INSTANT),
    }
)
MISSING = record({"prices": listed(UNPRICED), "heals": part("Heals"), "next_cursor": NEXT_CURSOR})
REPORTED = record(
    {
        "prices": listed(
            record(
                {
                    **each("provider model", TEXT),
                    "reason": one_of(tuple(witness.REASONS)),
                    "calls": COUNT,
                    **each("reported_usd difference_usd", USD),
                    "computed_usd": maybe(USD),
                }
            )
        ),
        "calls": record(each("reported differing cached_input_unknown", COUNT)),
        "next_cursor": NEXT_CURSOR,
    }
)
GIVEN_PRICES = record(
    {"price_version": TEXT, "prices": listed({"type": "object", "description": "As given."}), "heals": part("Heals")}
)

CHANGE = {**each("calls newly_priced", COUNT), **each("before_usd after_usd change_usd", USD)}
REPRICED = record(
    {
        "dry_run": YES_NO,
        "id": maybe(TEXT),
        **each("start end", INSTANT),
        "price_version": TEXT,
        **CHANGE,
        "rows": listed(record({"day": DAY, **each("feature provider model", TEXT), **CHANGE, "closed": YES_NO})),
    }
)
REPRICING = record(
    {
        "id": TEXT,
        **each("start end created_at", INSTANT),
        "price_version": TEXT,
        "state": one_of(("applying", "applied", "undoing", "undone")),
        **CHANGE,
        "adjustment_usd": USD,
    }
)

ESTIMATE = record(
    {
        "calls": listed(
            record(
                {
                    "cost_usd": maybe(USD),
                    "cost_lines": by_key(USD),
                    "cost_state": one_of(COST_STATES),
                    **each("matched_model price_version", maybe(TEXT)),
                }
            )
        )
    },
    {
        **each("cost_per_month_usd cascade_cost_per_month_usd", maybe(USD)),
        "break_even_escalation_rate": maybe(NUMBER),
    },
)

BILL = record(
    {
        **each("bill name format", TEXT),
        **each("first_day last_day", DAY),
        "billed_usd": USD,
        "lines": COUNT,
        "left_out": by_key(USD),
        "left_out_lines": by_key(COUNT),
        "imported_at": INSTANT,
    }
)
AMOUNTS = {
    **each("billed_usd computed_usd residual_usd", USD),
    **each(" ".join(f"{reason}_usd" for reason in REASONS), USD),
}
PROPOSAL = record(
    {
        **each("provider model", TEXT),
        "discount": USD | {"description": "Share off the list price, 0 to 1, exact."},
        "paid_ratio": USD | {"description": "What was billed of what was computed, exact."},
        "valid_from": DAY,
    }
)
RECONCILED = record(
    {
        "bill": BILL,
        "currency": one_of(("USD",)),
        **each("billed_usd computed_usd residual_usd", USD),
        "coverage": maybe(RATIO),
        "residual": listed(record({"reason": one_of(REASONS), "usd": USD, "calls": maybe(COUNT)})),
        "days": listed(record({"day": DAY, **AMOUNTS})),
        "rows": listed(
            record(
                {
                    "day": DAY,
                    **each("provider model", TEXT),
                    **AMOUNTS,
                    **each("calls unpriced_calls no_usage_calls estimated_calls failed_calls", COUNT),
                    **each("providers models", listed(TEXT)),
                }
            )
        ),
        "left_out": by_key(maybe(USD) | {"description": "Null for lines that are not in USD."}),
        "left_out_lines": by_key(COUNT),
        "proposals": listed(PROPOSAL),
        "meters": listed(
            record(
                {
                    **each("provider model meter", TEXT),
                    **each("billed_usd computed_usd", USD),
                    "billed_tokens": maybe(COUNT | {"description": "Null where the bill does not say."}),
                    "tokens": COUNT,
                }
            )
        ),
        "accounts": listed(
            record({"provider": TEXT, **each("account key", TEXT), "billed_usd": USD, "missing": YES_NO})
        ),
        "missing": listed(
            record({"provider": TEXT, **each("account key", TEXT | {"description": "As billed."}), "usd": USD})
        ),
        "witnesses": record(each("client provider bill all", maybe(RATIO | {"description": "Of the calls' cost."}))),
        "gaps": listed(
            record(
                {
                    "witness": one_of(("client", "provider", "bill")) | {"description": "Who alone knows of it."},
                    **each("provider model", TEXT),
                    "usd": USD,
                    "calls": maybe(COUNT),
                }
            )
        ),
    }
)

ACCOUNT = record(
    {
        **each("name provider source project", TEXT),
        "key": maybe(TEXT | {"description": "Where it is: a variable or a file."}),
        "state": one_of(("never", "done", "failed")),
        "error": maybe(TEXT),
        **each("tried_at done_at retry_at", maybe(INSTANT)),
        **each("failures days lines", COUNT),
        **each("first_day last_day", maybe(DAY)),
        "billed_usd": maybe(USD),
        "today_usd": maybe(USD | {"description": "Of the present day so far; null before it was pulled."}),
        "left_out": by_key(USD),
        "left_out_lines": by_key(COUNT),
        "notes": listed(TEXT),
    }
)

ACCEPTED = record(
    {
        "price_version": TEXT,
        "prices": listed(
            record(
                {
                    **each("provider model service_tier source", TEXT),
                    "valid_from": INSTANT,
                    "min_input_tokens": COUNT,
                },
                {"region": TEXT, **each(" ".join(name for name in PRICE_KEYS if name.endswith("_mtok")), USD)},
            )
        ),
        "reprice": TEXT | {"description": "The command that prices the calls of the bill's days anew."},
        "refused": listed(TEXT | {"description": "Why a discount was not put in force."}),
    }
)

ANSWERS: Answers = {
    "GET /bills": Answer(record({"bills": listed(ACCOUNT)})),
    "POST /bills/accept": Answer(ACCEPTED, (404,)),
    "POST /bills/pull": Answer(record({"bills": listed(ACCOUNT), "failed": by_key(TEXT)})),
    "GET /prices": Answer(either(PRICES, MISSING, REPORTED)),
    "PUT /prices": Answer(GIVEN_PRICES),
    "POST /reprice": Answer(REPRICED, (409,)),
    "GET /reprice": Answer(record({"repricings": listed(REPRICING)})),
    "POST /reprice/undo": Answer(record({"undone": TEXT}), (409,)),
    "POST /estimate": Answer(ESTIMATE),
    "POST /reconcile": Answer(RECONCILED),
    "GET /reconcile": Answer(either(record({"bills": listed(BILL)}), RECONCILED), (404,)),
    "DELETE /reconcile/{bill}": Answer(record({"deleted": TEXT}), (404,)),
}
