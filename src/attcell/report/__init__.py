"""What people look at: the HTML page (``page``), pictures (``figures``), and the lines that commands print.

Nothing is computed here that a metric is: values come from ``metrics``, ``results`` and ``inference``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attcell.report.figures.paper import write_pictures
    from attcell.report.page.page import write_report

__all__ = ["write_pictures", "write_report"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is first asked for."""
    if name == "write_report":
        from attcell.report.page.page import write_report

        return write_report
    if name == "write_pictures":
        from attcell.report.figures.paper import write_pictures

        return write_pictures
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
