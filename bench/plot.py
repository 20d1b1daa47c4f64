"""The picture of a run: how far each ratio is from its target."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.comparisons import Result

mpl.use("Agg")

TARGETS = "Against the targets"
MET, MISSED, OTHER = "#2a7f62", "#c4472b", "#8a8f98"


def draw(path: Path, results: Sequence[Result]) -> None:
    """Write a PNG with the CPU per delivery of the fan-out and of signals, and every result beside
    its target."""
    fan_out = [result for result in results if result.label.startswith("room of 500")]
    signals = [result for result in results if result.label.endswith("CPU each")]
    judged = [result for result in results if result.limit is not None]
    groups = {"One room of 500, 128-byte messages": fan_out, "Signals, 5,000 a second": signals}
    panels = [(title, rows) for title, rows in (*groups.items(), (TARGETS, judged)) if rows]
    if not panels:
        return
    figure = Figure(
        figsize=(7.5 * len(panels), 2 + 0.35 * max(len(judged), 9)), layout="constrained"
    )
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for (title, rows), ax in zip(panels, axes, strict=True):
        if title == TARGETS:
            _draw_targets(ax, rows)
        else:
            _draw_cpu(ax, title, rows, log=rows is fan_out)
        ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _draw_cpu(ax: Axes, title: str, results: Sequence[Result], *, log: bool) -> None:
    """Bars in groups: what stands between the commas of the labels."""
    groups: dict[str, dict[str, float]] = {}
    for result in results:
        bars = groups.setdefault(result.label.split(",")[1].strip(), {})
        bars["hubbub"] = result.value
        if result.against is not None and result.other is not None:
            bars[result.against] = result.other
    names = list(dict.fromkeys(name for bars in groups.values() for name in bars))
    colours = dict(
        zip(sorted(names, key=lambda name: name != "hubbub"), (MET, OTHER, "#d9a441"), strict=False)
    )
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        places = [group + (index - (len(names) - 1) / 2) * width for group in range(len(groups))]
        heights = [bars.get(name, 0.0) for bars in groups.values()]
        drawn = ax.bar(places, heights, width * 0.92, label=name, color=colours[name])
        ax.bar_label(drawn, fmt="%.3g", fontsize=8, padding=2)
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter("{x:g}")
    ax.margins(y=0.1)
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set_ylabel("server CPU per delivery, µs" + (" (log)" if log else ""))
    ax.set_title(title, loc="left", fontsize=11)
    ax.legend(
        frameon=False, fontsize=8, ncols=len(names), loc="upper left", bbox_to_anchor=(0, -0.07)
    )


def _draw_targets(ax: Axes, results: Sequence[Result]) -> None:
    shares = []
    for result in results:
        assert result.limit is not None
        share = result.limit / result.ratio if result.at_least else result.ratio / result.limit
        shares.append(share * 100)
    colours = [MET if result.met else MISSED for result in results]
    places = range(len(results))
    labels = [
        result.label if result.against is None else f"{result.label}\nagainst {result.against}"
        for result in results
    ]
    drawn = ax.barh(places, shares, 0.7, color=colours)
    ax.bar_label(drawn, fmt="%.0f %%", fontsize=8, padding=3)
    ax.axvline(100, color="black", linewidth=1)
    ax.set_yticks(places, labels, fontsize=8)
    ax.set_ylim(max(len(results), 4) - 0.5, -0.5)
    ax.margins(x=0.12)
    ax.set_xlabel("share of the target, %: left of the line is met")
    ax.set_title(TARGETS, loc="left", fontsize=11)
