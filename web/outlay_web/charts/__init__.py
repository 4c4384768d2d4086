"""Charts drawn on the server as SVG: no script is needed to read a page, print it, or read it with colors off.

Every chart comes as a `Figure`: the drawing with title and description, a legend, and the same numbers as a `Table`
that also exports as CSV. Colors are classes (`s1` … `s8` fill, `k1` … `k8` stroke) of the style sheet, light and dark.

Enters: numbers.
Leaves: SVG and tables.
May import: nothing.
"""

from outlay_web.charts.bars import stacked_bars
from outlay_web.charts.drivers import Step, driver_waterfall
from outlay_web.charts.figure import OTHER, Figure, Key
from outlay_web.charts.happened import Marker, Stretch
from outlay_web.charts.heatmap import hour_heatmap
from outlay_web.charts.line import Band, Limit, Line, line_chart
from outlay_web.charts.pairs import paired_bars
from outlay_web.charts.scale import Bucket, buckets
from outlay_web.charts.scatter import Point, scatter
from outlay_web.charts.series import Series
from outlay_web.charts.spark import budget_bar, span_bar, sparkline
from outlay_web.charts.table import Cell, Column, Table, delta, share_bar, swatch

__all__ = [
    "OTHER",
    "Band",
    "Bucket",
    "Cell",
    "Column",
    "Figure",
    "Key",
    "Limit",
    "Line",
    "Marker",
    "Point",
    "Series",
    "Step",
    "Stretch",
    "Table",
    "buckets",
    "budget_bar",
    "delta",
    "driver_waterfall",
    "hour_heatmap",
    "line_chart",
    "paired_bars",
    "scatter",
    "share_bar",
    "span_bar",
    "sparkline",
    "stacked_bars",
    "swatch",
]
