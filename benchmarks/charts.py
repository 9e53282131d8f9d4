"""Charts as SVG that take the colours of the page they stand in, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FAINT = "#010203", "#0a0b0c"
"""Stand-ins for the page's text and for its lines, replaced in the SVG."""

PALETTE = ("#3b7dd8", "#e08a2c", "#3f9f6b", "#b8558f", "#8472c4", "#7d8590")
"""Readable on white and on near black, and told apart by most who see few colours."""

mpl.use("svg")
mpl.rcParams.update(
    {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": FAINT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": FAINT,
        "grid.linewidth": 0.5,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "lines.markersize": 5,
    }
)

Stack = Mapping[str, Sequence[float]]
"""By part, a value for each bar."""


def panels(count: int, width: float = 3.3, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    """A row of panels with one scale upwards."""
    figure = Figure(figsize=(width * count + 1.4, height), layout="constrained")
    axes = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    return figure, list(axes)


def stacked(axes: Axes, labels: Sequence[str], parts: Stack, colours: Mapping[str, str]) -> None:
    """One bar for each label, made of its parts from the bottom up."""
    base = [0.0] * len(labels)
    for part, values in parts.items():
        axes.bar(labels, values, bottom=base, label=part, color=colours[part], width=0.65)
        base = [low + value for low, value in zip(base, values, strict=True)]
    axes.grid(axis="x", visible=False)


def line(
    axes: Axes,
    places: Sequence[float],
    values: Sequence[float],
    label: str,
    colour: str,
    style="o-",
) -> None:
    """One series with its points marked."""
    axes.plot(places, values, style, label=label, color=colour)


def logarithmic(axes: Axes, places: Sequence[float]) -> None:
    """Both ways, with every place named."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(list(places), [f"{place:g}" for place in places])
    axes.minorticks_off()


def legend(figure: Figure, axes: Axes) -> None:
    """What the colours mean, to the right of all panels."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper")


def svg(figure: Figure, name: str, description: str) -> str:
    """The figure as an element of a page, its ids under its name; the same data, the same bytes."""
    with mpl.rc_context({"svg.hashsalt": name}):
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    text = out.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(width|height)="[\d.]+pt"', "", text, count=2)
    text = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = text.replace("<svg ", f'<svg role="img" aria-label="{description}" ', 1)
    return text.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
