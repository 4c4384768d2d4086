"""What will be spent, with intervals that say how sure that is.

Enters: a series of spend.
Leaves: forecasts, projections of periods, their own past error.
May import: query, statistics.
"""

from outlay_analytics.forecast.seasonal import forecast

__all__ = ["forecast"]
