"""The progress bar of a long command, on stderr, where that is a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


def progress_bar(width: int) -> Progress:
    """A bar with what runs now, in `width` columns, the time it took and the time left."""
    console = Console(stderr=True)
    return Progress(TextColumn(f"{{task.description:<{width}}}"), BarColumn(), TextColumn(
        "{task.percentage:3.0f} %"), TimeElapsedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal)
