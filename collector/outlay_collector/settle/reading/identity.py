"""Who answered: provider, models, the response's id, its tier, and what went wrong; once per distinct set of words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outlay.pricing.regions import host_of, region_of
from outlay_collector.dialects import DIALECTS
from outlay_collector.dialects.naming import is_billed_failure, provider_of
from outlay_collector.settle.facts import Bools, Ints
from outlay_collector.settle.reading.said import Said
from outlay_collector.settle.reading.texts import EMPTY, decoded, distinct, encoded

_USUAL_TIERS = (b"auto", b"default")
"""A tier that is asked for, but leaves it to the provider which one it is."""


@dataclass(frozen=True, eq=False)
class Identity:
    """Who answered, by span: places of texts in the pool, the provider by its number."""

    provider: Ints
    providers: list[bytes]
    request_model: Ints
    response_model: Ints
    response_id: Ints
    service_tier: Ints
    region: Ints
    """By its number."""
    regions: list[bytes]
    error_type: Ints

    def is_of(self, names: Sequence[str]) -> Bools:
        """Which spans are of one of these providers."""
        named = np.array([decoded(provider) in names for provider in self.providers], bool)
        found: Bools = named[self.provider]
        return found

    def excludes(self, dialect: Ints, attribute: str) -> Bools:
        """Whether a dialect's count leaves its part out for the span's provider."""
        found = np.zeros(len(dialect), bool)
        for number in distinct(dialect)[0]:
            who = getattr(DIALECTS[number], attribute)
            if who:
                named = np.array(["*" in who or decoded(provider) in who for provider in self.providers])
                found |= (dialect == number) & named[self.provider]
        return found

    def billed(self, said: Said, failed: Bools) -> Bools:
        """Which failed calls the provider bills, by what is said of the error."""
        found = np.zeros(len(failed), bool)
        rows = np.flatnonzero(failed)
        codes, words = said.pool.words(self.error_type[rows])
        combined = codes * len(self.providers) + self.provider[rows]
        each, code = distinct(combined)
        billed = [
            is_billed_failure(
                decoded(self.providers[number % len(self.providers)]),
                decoded(words[number // len(self.providers)].lower()),
            )
            for number in each
        ]
        found[rows] = np.array(billed, bool)[code]
        return found


def identity_of(
    said: Said, dialect: Ints, tier_in_object: Ints, region_in_object: Ints, failed: Bools, exception: Ints
) -> Identity:
    """Who answered.

    Args:
        said: What spans say.
        dialect: In which dialect.
        tier_in_object: Where the tier that a usage object names stands.
        region_in_object: The same of the region.
        failed: Which spans ended in an error.
        exception: Where the type of an exception among a span's events stands.
    """
    pool = said.pool
    request, response = said.field("request_model"), said.field("response_model")
    provider, providers = _providers(said, pool.first_of(request, response))
    for number in distinct(dialect)[0]:
        if seller := DIALECTS[number].sold_by:
            provider = np.where(dialect == number, len(providers), provider)
            providers.append(encoded(seller))
    region, regions = _regions(said, pool.first_of(said.field("region"), region_in_object), request)
    asked = said.field("request_tier")
    leaves_it = pool.judged(asked, lambda word: word.lower() in _USUAL_TIERS, bool)
    error = said.field("error_type")
    return Identity(
        provider=provider,
        providers=providers,
        request_model=request,
        response_model=response,
        response_id=said.field("response_id"),
        service_tier=pool.first_of(said.field("service_tier"), tier_in_object, np.where(leaves_it, EMPTY, asked)),
        region=region,
        regions=regions,
        error_type=np.where(pool.said(error) | ~failed, error, exception),
    )


def _regions(said: Said, written: Ints, model: Ints) -> tuple[Ints, list[bytes]]:
    """Each span's region by number, and their names."""
    pool = said.pool
    host = pool.first_of(said.own("server_address"), said.own("base_url"), said.own("url"))
    (first, writings), (second, models), (third, urls) = (pool.words(at) for at in (written, model, host))
    by_host: dict[str, int] = {}  # URLs are many, hosts few
    third = np.array([by_host.setdefault(host_of(decoded(url)), len(by_host)) for url in urls])[third]
    hosts = list(by_host)
    each, code = distinct((first * len(models) + second) * len(hosts) + third)
    numbers: dict[bytes, int] = {}
    own = []
    for number in each:
        rest, at_host = divmod(number, len(hosts))
        said_so, named = decoded(writings[rest // len(models)]), decoded(models[rest % len(models)])
        own.append(numbers.setdefault(encoded(region_of(said_so, named, hosts[at_host])), len(numbers)))
    return np.array(own, np.int64)[code], list(numbers)


def _providers(said: Said, model: Ints) -> tuple[Ints, list[bytes]]:
    """Each span's provider by number, and their names."""
    pool = said.pool
    written, writings = pool.words(said.field("provider"))
    model_code, models = pool.words(model)
    host, hosts = pool.words(pool.first_of(said.own("server_address"), said.own("base_url")))
    combined = (written * len(models) + model_code) * len(hosts) + host
    each, code = distinct(combined)
    numbers: dict[bytes, int] = {}
    own = []
    for number in each:
        rest, at_host = divmod(number, len(hosts))
        at_written, at_model = divmod(rest, len(models))
        name = provider_of(
            decoded(writings[at_written].lower()), decoded(models[at_model].lower()), decoded(hosts[at_host])
        )
        own.append(numbers.setdefault(encoded(name), len(numbers)))
    return np.array(own, np.int64)[code], list(numbers)
