"""Found actions as pre-labels in the files of annotation tools, and corrected ones back.

Every format is one entry of :mod:`attcell.annotation_tools.registry`. Between them stands one record, a
:class:`attcell.annotation_tools.records.LabelledVideo`.
"""
