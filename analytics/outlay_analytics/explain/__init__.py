"""Why spend changed: drivers that add up, the slices that hold the change, sentences, exemplars.

Enters: two windows.
Leaves: one explanation.
May import: query, questions.
"""

from outlay_analytics.explain.drilldown import drill
from outlay_analytics.explain.tables import decompose

__all__ = ["decompose", "drill"]
