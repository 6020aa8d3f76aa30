"""Files of results: what attcell writes of videos, read and written, fused, measured, and put into tables.

``scores`` (JSON, CSV, NumPy), ``fusion`` and ``recognition_metrics``; ``predictions``; ``detections`` and
``detection_metrics``; ``runs``, their ``run_table``, and ``run_table_text`` of it. Every table that attcell
writes goes through ``tables``.
"""
