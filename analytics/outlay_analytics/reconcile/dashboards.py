"""Exports of dashboards: a table with a day, a model and an amount, whatever these columns are called.

OpenRouter's activity, as its API (`date`, `model`, `usage`) and its dashboard (`created_at`, `model_permaslug`,
`cost_total`) have it, is known by its columns; its amounts are USD. Others say their currency in a column or in the
amount's name (`cost_usd`); where they do not, their lines are left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from outlay_analytics.reconcile.columns import fold

DAYS = ("date", "day", "usagedate", "usagedateutc", "utcdate", "dateutc", "createdat", "timestamp", "starttime", "time")
MODELS = ("model", "modelname", "modelid", "modelpermaslug")
AMOUNTS = ("costusd", "amountusd", "totalcostusd", "costinusd", "usd", "spendusd", "costtotal", "totalcost", "cost",
           "amount", "spend", "usage")  # fmt: skip
CURRENCIES = ("currency", "amountcurrency", "costcurrency")
PROVIDERS = ("provider", "vendor")
ACCOUNTS = ("workspaceid", "workspace", "projectid", "project", "organizationid", "team")
KEYS = ("apikeyid", "apikeyname", "apikey", "keyname")
OPENROUTER = "modelpermaslug"


@dataclass(frozen=True)
class Dashboard:
    """Where such a table has what; empty where it has it not.

    Attributes:
        seller: Who bills, where the table is one company's.
        others: The part that others bill, as the calls used keys of their own.
    """

    format: str
    day: str
    model: str
    amounts: Sequence[str]
    currency: str
    provider: str
    account: str
    key: str
    seller: str = ""
    others: str = ""

    def in_usd(self, amount: str, value: object = None) -> bool:
        """Whether an amount is USD without a column that says so: by the name of its own, its sign, or who bills."""
        signs = f"{amount} {value}".lower()
        return "usd" in signs or "$" in signs or self.seller == "openrouter"


def dashboard_columns(names: Iterable[str]) -> Dashboard | None:
    """The columns of such a table, None where it has no day, model or amount."""
    by_fold = {fold(name): name for name in reversed(list(names))}

    def first(known: Sequence[str]) -> str:
        return next((by_fold[key] for key in known if key in by_fold), "")

    own = OPENROUTER in by_fold
    amounts = [by_fold[key] for key in AMOUNTS if key in by_fold and (key != "usage" or own)]
    day, model = first(DAYS), first(MODELS)
    if not day or not model or not amounts:
        return None
    return Dashboard(
        "openrouter" if own else "dashboard",
        day,
        model,
        amounts,
        first(CURRENCIES),
        "" if own else first(PROVIDERS),
        first(ACCOUNTS),
        first(KEYS),
        "openrouter" if own else "",
        by_fold.get("byokusageinference", "") if own else "",
    )
