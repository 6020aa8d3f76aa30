"""Figures drawn by matplotlib: ``paper`` (of rows in ``grid``), ``gates`` of TAN, ``charts`` of metrics."""
