"""The official annotation files of data sets, read into an ``Annotation``; no video is opened.

One module a data set: ``ucf101`` (with UCF101-24's boxes), ``hmdb51``, ``ccv``, ``thumos14``, ``sports1m``,
``kinetics``, ``activitynet``, ``weizmann_ut_interaction``; ``reading`` holds ``Annotation`` and what they
share. What is wrong in a file is a DataError with the file and the line; what is odd but official stands in
``Annotation.notes``.

In all of them blank lines, trailing spaces, Windows line ends and a byte order mark are ignored, and classes
whose names differ only in case are refused: they would be one folder on many disks.
"""
