"""What is told of many signs: of each incident the most telling one, and what belongs together as one."""

from __future__ import annotations

from collections.abc import Sequence

from outlay_analytics.anomalies.watching import CHANNELS, Incident, Where

TOGETHER_H = 6  # hours within which what begins for one cause is one incident
HELD = 0.5  # of the dollars of an incident: what narrower parts must hold together to stand for it


def most_telling(found: Sequence[Incident]) -> list[Incident]:
    """One incident each: the most specific channel of a series, and the narrowest scope that holds most of it."""
    by_channel: list[Incident] = []
    for incident in sorted(found, key=lambda incident: CHANNELS.index(incident.channel)):
        mine = [other for other in by_channel if other.scope == incident.scope and other.overlaps(incident)]
        if not any(other.stands_for(incident) for other in mine):
            by_channel = [other for other in by_channel if other not in mine] + [incident]
    wholes = [one for one in by_channel if not any(_part_of(one, other) for other in by_channel)]
    told = [part for whole in wholes for part in _narrowest(whole, by_channel, HELD * whole.impact)]
    return list(dict.fromkeys(told))


def _narrowest(whole: Incident, signs: Sequence[Incident], least: float) -> list[Incident]:
    """The parts of an incident that together hold `least` dollars, as narrow as they may be; itself where none do.

    Where a feature's calls cost more and one of its models only has more of them, they moved there: that is the
    feature's incident, of which the model alone would tell more requests.
    """
    inside = [one for one in signs if _part_of(one, whole)]
    if whole.scope and whole.channel != "spend":
        inside = [one for one in inside if one.channel != "spend"]
    largest = [one for one in inside if not any(_part_of(one, other) for other in inside)]
    held = sum(one.impact for one in largest)
    if not largest or held < least:
        return [whole]
    return [part for one in largest for part in _narrowest(one, signs, least * one.impact / held)]


def _part_of(part: Incident, whole: Incident) -> bool:
    """Whether a sign is about a narrower part of what another one is about, at the same time."""
    narrower = len(part.scope) > len(whole.scope) and part.scope[: len(whole.scope)] == whole.scope
    return narrower and part.overlaps(whole)


def together(told: Sequence[Incident]) -> list[tuple[Incident, ...]]:
    """Incidents that are one: those of the same channel that began within `TOGETHER_H` hours, largest part first."""
    groups: list[list[Incident]] = []
    for one in sorted(told, key=lambda one: -one.impact):
        for group in groups:
            if group[0].channel == one.channel and abs(group[0].first - one.first) <= TOGETHER_H:
                group.append(one)
                break
        else:
            groups.append([one])
    return [tuple(group) for group in groups]


def shared(parts: Sequence[Incident]) -> Where:
    """What the scopes of all parts have in common."""
    common: list[tuple[str, str]] = []
    for pair in parts[0].scope:
        if not all(pair in part.scope for part in parts):
            break
        common.append(pair)
    return tuple(common)
