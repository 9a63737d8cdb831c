"""The page's section on several ranks and several copies: rows, tables, charts."""

from __future__ import annotations

from collections.abc import Sequence

from voxmark_reports import charts_ranks
from voxmark_reports.case_fields import LEADING
from voxmark_reports.cases import Case, shared_members
from voxmark_reports.charts import Chart, numbered
from voxmark_reports.charts_ranks import Row
from voxmark_reports.figures import Figure
from voxmark_reports.page import Section, paragraph
from voxmark_reports.scaling import (
    KINDS,
    STRONG,
    WEAK,
    Gain,
    Scaling,
    by_copies,
    each_rank,
    gain,
    layouts,
    model_seconds,
    rank_times,
    scalings,
)
from voxmark_reports.tables import Table
from voxmark_reports.text import (
    bytes_text,
    change_text,
    counted,
    percent,
    seconds_text,
    significant,
)

MOST_SENTENCES = 6


class _Names:
    """What cases and their groups are called in this section: by what tells them apart."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        cases = [figure.case for figure in figures]
        leading = {n for n in LEADING if len({repr(case.spec.get(n)) for case in cases}) == 1}
        self._same = shared_members(cases) | leading
        self._several = len({figure.report for figure in figures}) > 1
        self.shared = ""  # by all
        if cases:
            words = cases[0].words(frozenset(cases[0].spec.keys() - self._same))
            backend = [cases[0].backend] if "backend" in self._same else []
            self.shared = ", ".join([*backend, *words])

    def of(self, report: str, case: Case, *leave_out: str, also: Sequence[str] = ()) -> str:
        backend = [] if "backend" in self._same else [case.backend]
        of_one = [name for name in ("ranks", "copies") if name not in case.spec]
        words = [*backend, *case.words(self._same.union(leave_out, of_one)), *also]
        label = ", ".join(words) or case.backend
        return f"{report}: {label}" if self._several else label


def _relevant(figures: Sequence[Figure]) -> list[Figure]:
    """Those of several ranks or copies, and those that they are compared with."""
    rows = []
    for report, cases in _by_report(figures).items():
        groups = [list(own.by_ranks.values()) for own in scalings(cases)]
        groups += [*layouts(cases), *by_copies(cases), [case for case in cases if case.ranks > 1]]
        rows += [(report, case.key()) for group in groups for case in group]
    return [figure for figure in figures if (figure.report, figure.case.key()) in set(rows)]


def _by_report(figures: Sequence[Figure]) -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for figure in figures:
        found.setdefault(figure.report, []).append(figure.case)
    return found


def _row(report: str, series: str, case: Case) -> Row:
    step = case.median("step_seconds") or 0.0
    return {
        "report": report,
        "series": series,
        "ranks": case.ranks,
        "threads": case.spec["threads"],
        "copies": case.copies,
        "images_per_step": case.images,
        "step_seconds": step,
        "images_per_second": case.copies * case.images / step,
        **_model(case, step),
    }


def _model(case: Case, step: float) -> Row:
    model = model_seconds(case)
    return {} if model is None else {"model_seconds": model, "model_off": model / step - 1}


def _with_gain(row: Row, name: str, found: Gain, share: float, ideal: float) -> Row:
    """`share`: of the gain that the figure is."""
    row[name] = share * found.factor
    row[f"{name}_ideal"] = ideal
    if found.interval:
        row[f"{name}_low"], row[f"{name}_high"] = (share * end for end in found.interval)
    return row


# ---- Rows ----


def _series(names: _Names, report: str, own: Scaling) -> str:
    if own.kind == WEAK:
        return names.of(report, own.most, "ranks")
    return names.of(report, own.most, "ranks", "batch", also=[counted(own.most.images, "image")])


def scaling_rows(figures: Sequence[Figure], names: _Names) -> list[Row]:
    """Weak, then strong; each series begins with its fewest ranks."""
    rows = []
    for report, cases in _by_report(figures).items():
        for own in scalings(cases):
            series = _series(names, report, own)
            for ranks, case in own.by_ranks.items():
                times = ranks / own.first.ranks
                found = gain(own.first, case) if case is not own.first else Gain(1.0, None)
                row = {**_row(report, series, case), "kind": own.kind, "at": ranks}
                row["fewest"] = own.first.ranks
                _with_gain(row, "speed_up", found, 1.0, times)
                _with_gain(row, "efficiency", found, 1 / times, 1.0)
                if model := row.get("model_seconds"):
                    row["speed_up_model"] = row["speed_up"] * row["step_seconds"] / model
                    row["efficiency_model"] = row["speed_up_model"] / times
                rows.append(row)
    return sorted(rows, key=lambda row: KINDS.index(row["kind"]))


def layout_rows(figures: Sequence[Figure], names: _Names) -> list[Row]:
    rows = []
    for report, cases in _by_report(figures).items():
        for group in layouts(cases):
            most = group[-1]
            cores = most.ranks * most.spec["threads"]
            also = [counted(most.images, "image"), counted(cores, "core")]
            series = names.of(report, most, "ranks", "threads", "batch", also=also)
            for case in group:
                found = gain(group[0], case) if case is not group[0] else Gain(1.0, None)
                layout = f"{case.ranks}x{case.spec['threads']}"
                row = {**_row(report, series, case), "layout": layout}
                row["label"] = f"{layout}: {series}"
                rows.append(_with_gain(row, "speed_up", found, 1.0, 1.0))
    return rows


def copies_rows(figures: Sequence[Figure], names: _Names) -> list[Row]:
    rows = []
    for report, cases in _by_report(figures).items():
        for group in by_copies(cases):
            first = group[0]
            series = names.of(report, first, "copies")
            start = _row(report, series, first)["images_per_second"]
            for case in group:
                times = case.copies / first.copies
                found = gain(first, case) if case is not first else Gain(1.0, None)
                row = {**_row(report, series, case), "at": case.copies}
                # Its own name holds the median already: here with interval and ideal.
                _with_gain(row, "images_per_second", found, start, start * times)
                rows.append(_with_gain(row, "efficiency", found, 1 / times, 1.0))
    return rows


def step_rows(figures: Sequence[Figure], names: _Names) -> list[Row]:
    """Of cases of several ranks that tell of them; those of one batch and one number of threads
    stand together."""
    rows = []
    for figure in figures:
        case = figure.case
        times = rank_times(case) if case.ranks > 1 else None
        if times is not None:
            series = names.of(figure.report, case, "ranks", "threads")
            rows.append(
                {
                    **_row(figure.report, series, case),
                    "label": f"{case.ranks}x{case.spec['threads']}: {series}",
                    **{name: getattr(times, name) for name in _TIMES},
                    "exposed_share": times.exposed / times.step,
                    "bytes_sent": times.bytes_sent,
                }
            )
    order = {series: place for place, series in enumerate(dict.fromkeys(r["series"] for r in rows))}
    return sorted(rows, key=lambda row: (order[row["series"]], row["threads"], row["ranks"]))


_TIMES = ("compute", "exposed", "statistics", "loss", "gradients", "slower_rank", "hidden")


def rank_rows(figures: Sequence[Figure], names: _Names) -> list[Row]:
    """A row per rank."""
    rows = []
    for figure in figures:
        if figure.case.ranks == 1:
            continue
        for rank in each_rank(figure.case):
            rows.append(
                {
                    "case": names.of(figure.report, figure.case),
                    "rank": rank.number,
                    "host": rank.host,
                    "cpus": rank.cpus,
                    **rank.times,
                    "peak_bytes": rank.peak_bytes,
                    "host_peak_bytes": rank.host_peak_bytes,
                    "planned_bytes": figure.case.median("planned_bytes"),
                }
            )
    return rows


# ---- Tables ----


def _factor(value: float) -> str:
    return f"{significant(value, 3)}x"


def _short(value: float) -> str:
    return significant(value, 3)


_MODEL_SHOWN = {"model_seconds": seconds_text, "model_off": lambda value: change_text(1 + value)}


def _model_columns(rows: Sequence[Row]) -> list[tuple[str, str]]:
    if not any("model_seconds" in row for row in rows):
        return []
    return [("model_seconds", "step by the model"), ("model_off", "model over measured")]


def scaling_table(rows: Sequence[Row]) -> Table:
    columns = [
        ("kind", "scaling"),
        ("series", "case"),
        ("ranks", "ranks"),
        ("threads", "threads each"),
        ("images_per_step", "images/step"),
        ("step_seconds", "s/step"),
        ("images_per_second", "images/s"),
        ("speed_up", "speed-up"),
        ("speed_up_low", "low"),
        ("speed_up_high", "high"),
        ("efficiency", "efficiency"),
        ("efficiency_low", "low"),
        ("efficiency_high", "high"),
        *_model_columns(rows),
    ]
    shown = {"speed_up": _factor, "speed_up_low": _short, "speed_up_high": _short, **_MODEL_SHOWN}
    shown |= dict.fromkeys(("efficiency", "efficiency_low", "efficiency_high"), percent)
    return Table("ranks-scaling", "Scaling by ranks", columns, list(rows), shown)


def layout_table(rows: Sequence[Row]) -> Table:
    columns = [
        ("series", "case"),
        ("layout", "ranks x threads"),
        ("step_seconds", "s/step"),
        ("images_per_second", "images/s"),
        ("speed_up", "times as fast"),
        ("speed_up_low", "low"),
        ("speed_up_high", "high"),
    ]
    shown = {"speed_up": _factor, "speed_up_low": _short, "speed_up_high": _short}
    title = "Ranks against threads, on as many cores"
    return Table("ranks-threads", title, columns, list(rows), shown)


def copies_table(rows: Sequence[Row]) -> Table:
    columns = [
        ("series", "case"),
        ("copies", "copies"),
        ("threads", "threads each"),
        ("step_seconds", "s/step"),
        ("images_per_second", "images/s in sum"),
        ("images_per_second_low", "low"),
        ("images_per_second_high", "high"),
        ("efficiency", "of ideal"),
        ("efficiency_low", "low"),
        ("efficiency_high", "high"),
    ]
    shown = dict.fromkeys(("efficiency", "efficiency_low", "efficiency_high"), percent)
    return Table("copies", "Several copies at once", columns, list(rows), shown)


def step_table(rows: Sequence[Row]) -> Table:
    columns = [
        ("series", "case"),
        ("ranks", "ranks"),
        ("threads", "threads each"),
        ("step_seconds", "step"),
        ("compute", "compute"),
        ("exposed", "exposed"),
        ("exposed_share", "of the step"),
        ("statistics", "statistics"),
        ("loss", "loss"),
        ("gradients", "gradients"),
        ("slower_rank", "of these for a slower rank"),
        ("hidden", "hidden"),
        ("bytes_sent", "sent by each"),
        *_model_columns(rows),
    ]
    shown = dict.fromkeys(("step_seconds", *_TIMES), seconds_text)
    shown |= {"exposed_share": percent, "bytes_sent": bytes_text, **_MODEL_SHOWN}
    title = "Seconds of a step of several ranks, medians over ranks"
    return Table("ranks-step", title, columns, list(rows), shown)


_RANK_SECONDS = {
    "step_seconds": "step",
    "statistics_seconds": "statistics",
    "loss_seconds": "loss",
    "gradients_seconds": "gradients",
    "slower_rank_seconds": "of these for a slower rank",
    "hidden_seconds": "hidden",
}


def rank_table(rows: Sequence[Row]) -> Table:
    sizes = {
        "bytes_sent": "sent",
        "peak_bytes": "peak",
        "planned_bytes": "planned",
        "host_peak_bytes": "peak of all on its host",
    }
    columns = [
        *((name, name) for name in ("case", "rank", "host", "cpus")),
        *_RANK_SECONDS.items(),
        *sizes.items(),
    ]
    shown = dict.fromkeys(_RANK_SECONDS, seconds_text) | dict.fromkeys(sizes, bytes_text)
    return Table("ranks-each", "Each rank", columns, list(rows), shown)


# ---- The section ----


def _sentence(rows: Sequence[Row]) -> str:
    """Of one series, about its most ranks."""
    last = rows[-1]
    interval = (
        f"95% interval: {_short(last['speed_up_low'])} to {_short(last['speed_up_high'])}"
        if last.get("speed_up_low")
        else "no interval: one process"
    )
    return (
        f"{last['kind'].capitalize()} scaling, {last['series']}: {last['ranks']} ranks train"
        f" {_short(last['speed_up'])} times as fast as {last['fewest']} ({interval}), an efficiency"
        f" of {percent(last['efficiency'])}."
    )


def sentences(rows: Sequence[Row]) -> list[str]:
    """One per series."""
    series: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        series.setdefault((row["kind"], row["series"]), []).append(row)
    return [_sentence(own) for own in series.values()]


_HOW = {
    WEAK: "Each rank has as many images, whatever their number. ",
    STRONG: "All ranks together have as many images, whatever their number. ",
}


_MODEL = " Dotted: what a model predicts from computing alone and the limits of messages."


def _scaling_charts(rows: Sequence[Row], colours: dict[str, int]) -> list[Chart | None]:
    charts = []
    for kind in KINDS:
        own = [row for row in rows if row["kind"] == kind]
        charts.append(
            charts_ranks.lines_chart(
                f"ranks-{kind}",
                f"{kind.capitalize()} scaling",
                _HOW[kind] + "Images per second over those of the fewest ranks; bars are 95% "
                "intervals, missing where there was one process."
                + (_MODEL if any("model_seconds" in row for row in own) else ""),
                own,
                "ranks",
                ("speed_up", "times as fast as the fewest ranks", ".3f"),
                colours,
            )
        )
        charts.append(
            charts_ranks.lines_chart(
                f"ranks-{kind}-efficiency",
                f"Efficiency, {kind} scaling",
                "The speed-up over what as many times the ranks would ideally give.",
                own,
                "ranks",
                ("efficiency", "efficiency", ".1%"),
                colours,
                height=170,
            )
        )
    return charts


def section(all_figures: Sequence[Figure]) -> Section:
    found = Section("ranks", "Ranks and copies")
    figures = _relevant(all_figures)
    names = _Names(figures)
    scaled, laid_out = scaling_rows(figures, names), layout_rows(figures, names)
    steps, copied = step_rows(figures, names), copies_rows(figures, names)
    colours = numbered(row["series"] for row in (*scaled, *laid_out, *copied))
    told = sentences(scaled)
    if names.shared:
        found.add(paragraph(f"All of these: {names.shared}.", "dim"))
    found.add(*map(paragraph, told[:MOST_SENTENCES]))
    if len(told) > MOST_SENTENCES:
        found.add(
            paragraph(f"... and {len(told) - MOST_SENTENCES} more in the table below.", "dim")
        )
    if not scaled and any(figure.case.ranks > 1 for figure in figures):
        found.add(
            paragraph(
                "No scaling can be told: it takes cases that differ in ranks alone, with as many"
                " --threads for each rank, and as many --batch or --global-batch."
            )
        )
    found.add(*_scaling_charts(scaled, colours), scaling_table(scaled))
    found.add(charts_ranks.step_chart(steps), step_table(steps))
    found.add(charts_ranks.layout_chart(laid_out, colours), layout_table(laid_out))
    found.add(rank_table(rank_rows(figures, names)))
    found.add(
        charts_ranks.lines_chart(
            "copies",
            "Several copies at once",
            "Independent processes, each with threads of its own: images per second in sum; bars "
            "are 95% intervals, missing where there was one process.",
            copied,
            "copies",
            ("images_per_second", "images per second in sum", ".4g"),
            colours,
        ),
        copies_table(copied),
    )
    return found
