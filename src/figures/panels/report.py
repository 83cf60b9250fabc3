"""What a page needs beside figures: tables of text."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from src.figures.style import FAINT


def text_table(
    axis: Axes, table: pd.DataFrame, widths: Sequence[float] = (), words: int = 1
) -> None:
    """A table of text, its first columns, `words` of them, to the left and the rest to the right.

    `widths` are those of the columns, as shares of the axis; by default as their texts need. Rows
    fill the height of the axis.
    """
    axis.set_axis_off()
    if not widths:
        long = [3 + max(len(str(text)) for text in (name, *table[name])) for name in table]
        widths = [length / sum(long) for length in long]
    cells = axis.table(
        table.astype(str).to_numpy(), colLabels=list(table), colWidths=widths, bbox=(0, 0, 1, 1)
    )
    cells.auto_set_font_size(False)
    cells.set_fontsize(8.5)
    for (row, column), cell in cells.get_celld().items():
        cell.visible_edges, cell.PAD = "B", 0.02
        cell.set(edgecolor=FAINT, linewidth=0.6 if row else 1.2)
        side, weight = "left" if column < words else "right", None if row else "bold"
        cell.set_text_props(ha=side, weight=weight)
