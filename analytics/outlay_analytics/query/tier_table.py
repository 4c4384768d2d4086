"""`[model_tiers]` of outlay.toml as it is written."""

from __future__ import annotations

from pydantic import StrictStr
from pydantic.dataclasses import dataclass as table

from outlay_collector.prices.tables import STRICT


@table(config=STRICT, frozen=True)
class ModelTiersTable:
    """`[model_tiers]` of outlay.toml: names of models by tier, `*` standing for anything."""

    frontier: tuple[StrictStr, ...] = ()
    mid: tuple[StrictStr, ...] = ()
    cheap: tuple[StrictStr, ...] = ()
    local: tuple[StrictStr, ...] = ()
