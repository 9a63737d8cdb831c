"""Charts of what not every page has: scaling by threads, single ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from voxmark_reports.charts import LOG, Chart, colour_of, data, finish, numbered, row_height


def scaling_chart(rows: Sequence[dict[str, Any]]) -> Chart | None:
    if not rows:
        return None
    rows = [{**row, "series": f"{row['report']}: {row['series']}"} for row in rows]
    indices = numbered(row["series"] for row in rows)
    most = max(row["threads"] for row in rows)
    # From the fewest threads of each series on: that is what it is compared with.
    fewest = {min(r["threads"] for r in rows if r["series"] == series) for series in indices}
    ideal = [
        {"threads": threads, "speed_up": threads / least, "fewest": least}
        for least in sorted(fewest)
        for threads in (least, most)
    ]
    ticks = sorted({row["threads"] for row in rows})
    x = alt.X("threads:Q", title="threads", axis=alt.Axis(format="d", values=ticks))
    y = alt.Y("speed_up:Q", title="times as fast as the fewest threads")
    line = (
        alt.Chart(data(rows))
        .mark_line(point=True)
        .encode(
            x=x,
            y=y,
            color=colour_of("series", indices),
            tooltip=[
                "series:N",
                "threads:Q",
                alt.Tooltip("speed_up:Q", format=".2f"),
                alt.Tooltip("efficiency:Q", format=".0%"),
            ],
        )
    )
    dashed = alt.Chart(data(ideal)).mark_line(strokeDash=[4, 4], opacity=0.5, color="gray")
    return Chart(
        "scaling",
        "Scaling by threads",
        "Dashed: twice the threads, twice as fast.",
        finish(dashed.encode(x=x, y=y, detail="fewest:N") + line, 300),
    )


def op_chart(rows: Sequence[dict[str, Any]]) -> Chart | None:
    """Op-level benches: the longest ops, backends side by side."""
    if not rows:
        return None
    longest: dict[str, float] = {}
    for row in rows:
        longest[row["op"]] = max(longest.get(row["op"], 0), row["milliseconds"])
    shown = sorted(longest, key=lambda op: -longest[op])[:25]
    rows = [row for row in rows if row["op"] in shown]
    indices = numbered(row["backend"] for row in rows)
    chart = (
        alt.Chart(data(rows))
        .mark_point(filled=True, size=70, opacity=0.85)
        .encode(
            x=alt.X("milliseconds:Q", title="ms", scale=LOG),
            y=alt.Y("op:N", sort=shown, title=None),
            color=colour_of("backend", indices),
            tooltip=[
                "op:N",
                "backend:N",
                "implementation:N",
                alt.Tooltip("milliseconds:Q", format=".4g"),
            ],
        )
    )
    return Chart(
        "ops",
        "Single ops",
        "Milliseconds of an op, the longest first.",
        finish(chart, row_height(len(shown))),
    )
