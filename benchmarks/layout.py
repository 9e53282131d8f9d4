"""How a page of results is laid out: sections of a chart, its figures, and their origin."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = dict[str, Any]

STYLE = """
:root { color-scheme: light dark; --ink: #1d2328; --faint: #d3d8dd; --paper: #fff;
  --soft: #f4f6f8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --faint: #3a4249; --paper: #14181b; --soft: #1d2226; }
}
body { margin: 2rem auto; max-width: 66rem; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
svg { width: 100%; height: auto; max-height: 26rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; font-size: .9rem; }
dt { font-weight: 600; } dd { margin: 0; }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } }
.of { font-size: .85rem; opacity: .75; }
details { margin: .5rem 0; } summary { cursor: pointer; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; } thead { background: var(--soft); }
"""


def page(title: str, terms: Mapping[str, str], sections: Iterable[str]) -> str:
    """One page that needs nothing from elsewhere, and follows the reader's light or dark.

    At its top it says what its `terms` mean.
    """
    meanings = "".join(
        f"<dt>{html.escape(term)}</dt><dd>{html.escape(meaning)}</dd>"
        for term, meaning in terms.items()
    )
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<meta name='viewport' content='width=device-width'><title>{html.escape(title)}</title>"
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>"
        f"<dl>{meanings}</dl>{''.join(sections)}</body></html>\n"
    )


def section(title: str, words: str, chart: str, table: str, data: dict[str, Any]) -> str:
    """A chart, what to see in it (a paragraph a line), its figures, and where they are from."""
    machine, commit = data["machine"], str(data["commit"])
    source = (
        f"{machine['processor']}, {machine['cores']} cores; commit {commit[:12]}; "
        f"{data['measured'][:10]}; seed {data['seed']}"
    )
    if commit.endswith("-dirty"):
        source += "; with changes that were not committed"
    told = "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in words.split("\n"))
    return (
        f"<section><h2>{html.escape(title)}</h2>{told}<figure>{chart}</figure>"
        f"<details><summary>The figures</summary><div class='wide'>{table}</div></details>"
        f"<p class='of'>{html.escape(source)}</p></section>"
    )


def tabled(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; floats with three digits that count or all before the point, a dash for None."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return f"{value:.3g}" if abs(value) < 1e3 else f"{value:,.0f}"
        return "–" if value is None else html.escape(str(value))

    head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{cell(value)}</td>' for value in row)}</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def chosen(rows: list[Row], **wanted: object) -> list[Row]:
    """The results with these values, by number of parties."""
    found = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return sorted(found, key=lambda row: row["parties"])
