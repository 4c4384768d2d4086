"""Intervals and tests for means, shares and ratios: arithmetic without a store.

Enters: counts and sums.
Leaves: estimates with intervals, verdicts.
May import: query.
"""
