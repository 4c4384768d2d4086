"""Small tools over sorted arrays: runs of equal values, and rows by id."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from outlay_collector.settle.facts import UNKNOWN, Bools, Ids, Ints

Array = npt.NDArray[Any]
NO = UNKNOWN
"""A row that is none."""


def first_of_run(*values: Array) -> Bools:
    """Where a value, of one array or several side by side, differs from the one before it."""
    size = len(values[0])
    first = np.zeros(size, bool)
    first[:1] = True
    for each in values:
        first[1:] |= each[1:] != each[:-1]
    return first


def each_once(values: Array) -> Array:
    """Each value once, ascending: as `np.unique`, which hashes them and takes many times as long."""
    ordered = np.sort(values)
    return ordered[first_of_run(ordered)]


def is_among(values: Array, others: Array) -> Bools:
    """Whether each value is one of others: as `np.isin`, for many of both."""
    each = each_once(others)
    if not len(each):
        return np.zeros(len(values), bool)
    found: Bools = each[np.minimum(np.searchsorted(each, values), len(each) - 1)] == values
    return found


def last_of_run(values: Array) -> Bools:
    """Where a value differs from the one after it."""
    last = np.zeros(len(values), bool)
    last[-1:] = True
    last[:-1] = values[1:] != values[:-1]
    return last


def any_in_runs(flags: Bools, starts: Ints) -> Bools:
    """Per run, by where the runs start, whether any of its flags is set."""
    return np.logical_or.reduceat(flags, starts) if len(starts) else np.zeros(0, bool)


def sizes_of(starts: Ints, total: int) -> Ints:
    """How long each run is."""
    return np.diff(np.append(starts, total)).astype(np.int64)


def number_in_run(first: Bools) -> Ints:
    """Each element's place in its run, from 0; `first` marks where runs start."""
    places = np.arange(len(first))
    return places - np.maximum.accumulate(np.where(first, places, 0))


def latest_place(instants: Ints, first: Bools) -> Ints:
    """Place of the latest so far in each element's run; `first` marks where runs start."""
    if not len(instants):
        return np.zeros(0, np.int64)
    # Instants by their order, so that a later run always begins above an earlier one.
    order = np.argsort(instants, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    places: Ints = order[np.maximum.accumulate(rank + (np.cumsum(first) - 1) * len(order)) % len(order)]
    return places


def latest_in_run(instants: Ints, first: Bools) -> Ints:
    """The latest so far in each element's run."""
    return instants[latest_place(instants, first)]


def rows_of(ids: Ids, wanted: Ids) -> Ints:
    """Row of each wanted id, or NO.

    Ids are unsigned and row numbers are not: in one expression numpy would make floats of both, so here they part.
    """
    if not len(ids) or not len(wanted):
        return np.full(len(wanted), NO, np.int64)
    order = np.argsort(ids)
    ordered = ids[order]
    at = np.minimum(np.searchsorted(ordered, wanted), len(ids) - 1)
    return np.where((wanted != 0) & (ordered[at] == wanted), order[at], NO)
