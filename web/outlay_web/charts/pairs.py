"""Two or three bars side by side per step: what should be the same, seen beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from outlay_web import format as fmt
from outlay_web.charts import happened
from outlay_web.charts.figure import Figure, Key, canvas
from outlay_web.charts.frame import BOTTOM, TOP, frame, time_labels
from outlay_web.charts.happened import Marker, Stretch
from outlay_web.charts.scale import Bucket, axis
from outlay_web.charts.series import Series, amount_text, twin
from outlay_web.charts.svg import el, join, percent


def paired_bars(
    name: str,
    title: str,
    steps: Sequence[Bucket],
    series: Sequence[Series],
    *,
    markers: Sequence[Marker] = (),
    stretches: Sequence[Stretch] = (),
    step_href: Callable[[Bucket], str] | None = None,
    height: int = 230,
    step_title: str = "Day",
) -> Figure:
    """USD per step, a bar for each series beside the other.

    Args:
        step_href: Where a step is explained.
    """
    values = [[max(float(value or 0), 0.0) for value in one.values] for one in series]
    scale = axis(0, max((value for one in values for value in one), default=0.0))
    tall = height - TOP - BOTTOM
    width = 1 / max(len(steps), 1)
    bar = width * 0.8 / max(len(series), 1)
    layers = []
    for nth, (one, sizes) in enumerate(zip(series, values, strict=True)):
        rects = [
            el(
                "rect",
                x=percent(i * width + width * 0.1 + nth * bar),
                y=tall - scale.share(size) * tall,
                width=percent(bar),
                height=scale.share(size) * tall,
                data_i=i,
            )
            for i, size in enumerate(sizes)
            if size > 0
        ]
        layers.append(el("g", join(rects), class_=f"layer s{one.slot}", data_s=one.label))
    said = [", ".join(f"{one.label} {amount_text('usd', values[n][i])}" for n, one in enumerate(series))
            for i in range(len(steps))]  # fmt: skip
    hits = [
        el("rect", el("title", f"{step.label}: {said[i]}"), class_="hit", x=percent(i * width),
           width=percent(width), y=0, height=tall)
        for i, step in enumerate(steps)
    ]  # fmt: skip
    behind, heads = happened.bands(stretches, markers, len(steps), tall)
    rules = happened.changed_lines(markers, len(steps), tall)
    inside = join([*behind, *layers, *rules, *hits, *heads])
    plot = frame(scale, tall, fmt.usd_short, inside, time_labels(steps, tall))
    totals = [
        f"{one.label} {amount_text('usd', sum(sizes))} in total" for one, sizes in zip(series, values, strict=True)
    ]
    desc = f"{len(steps)} steps; {', '.join(totals)}."
    return Figure(
        name,
        title,
        canvas(title, desc, height, plot, linked=bool(stretches), data_zoom="0"),
        twin(
            name,
            title,
            steps,
            series,
            "usd",
            step_href,
            happened.notes(markers, stretches),
            step_title=step_title,
            total=False,
        ),
        [*(Key(one.label, one.slot) for one in series), *happened.keys(markers, stretches)],
    )
