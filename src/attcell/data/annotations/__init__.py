"""The official annotation files of data sets, read and written; no video is opened.

One module a format: ``ucf101``, ``hmdb51``, ``ccv``, ``thumos14`` (intervals) with ``thumos14_lists`` beside
it, ``thumos14_recognition`` (101 classes), ``sports1m``, ``kinetics`` and ``activitynet``. Each has ``read``,
which gives an ``Annotation``, and ``write``, whose files read back to an equal one. What is wrong in a file
is a DataError with the file and the line; what is odd but official stands in ``Annotation.notes``.

In all of them blank lines, trailing spaces, Windows line ends and a byte order mark are ignored, and classes
whose names differ only in case are refused: they would be one folder on many disks.
"""
