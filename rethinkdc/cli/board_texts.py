"""Tables as Markdown and as LaTeX: for pages and papers, with their footnotes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from rethinkdc.texts import escape_latex, escape_markdown


def markdown(
    title: str, columns: Mapping[str, Sequence[str]], notes: Iterable[str], left: Collection[str] = ("method",)
) -> str:
    """A GitHub table below its title, and above its notes; the columns of ``left`` are set to the left."""
    rule = ["---" if name in left else "--:" for name in columns]
    rows = [" | ".join(map(escape_markdown, line)) for line in (columns, *zip(*columns.values(), strict=True))]
    table = "\n".join(f"| {row} |" for row in (rows[0], " | ".join(rule), *rows[1:]))
    listed = "".join(f"\n- {escape_markdown(note)}" for note in notes)
    return f"**{escape_markdown(title)}**\n\n{table}" + (f"\n{listed}" if listed else "")


def latex(title: str, columns: Mapping[str, Sequence[str]], notes: Iterable[str]) -> str:
    """A table environment of ``booktabs``, its notes below the rules; the column ``method`` is set to the left."""
    align = "".join("l" if name == "method" else "r" for name in columns)
    rows = [" & ".join(map(escape_latex, line)) + r" \\" for line in (columns, *zip(*columns.values(), strict=True))]
    listed = [rf"\par {escape_latex(note)}" for note in notes]
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(title)}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        rows[0],
        r"\midrule",
        *rows[1:],
        r"\bottomrule",
        r"\end{tabular}",
        *([r"\par\footnotesize\raggedright", *listed] if listed else []),
        r"\end{table}",
    ]
    return "\n".join(lines)
