"""What is unusual: incidents in spend and its drivers.

Enters: hourly series.
Leaves: incidents with what was expected and why.
May import: explain, query, statistics.
"""

from outlay_analytics.anomalies.detector import score

__all__ = ["score"]
