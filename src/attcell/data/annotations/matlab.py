"""Struct arrays of MATLAB's files."""

from __future__ import annotations

from pathlib import Path

from attcell.errors import CallError, DataError


def struct_array(file: Path, name: str, instead: str = "") -> list[dict]:
    """The elements of a struct array of a file, each as a dict.

    Args:
        file: a .mat file.
        name: of the array.
        instead: what else may be given, for the message on a damaged file.

    Raises:
        CallError: no such file.
        DataError: it is no MATLAB file that SciPy reads, or has no such array.
    """
    if not file.is_file():
        raise CallError(f"{file}: no such file; give an annotation file")
    from scipy.io import loadmat

    try:
        content = loadmat(file, simplify_cells=True, variable_names=[name])
    except Exception as error:  # what SciPy raises for a damaged file is of many kinds
        raise DataError(
            f"{file} is no MATLAB file of a version before 7.3 ({error}); save it in MATLAB with -v7{instead}"
        ) from error
    found = content.get(name)
    entries = found if isinstance(found, list) else [found]  # a single one comes alone
    if not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f"{file} has no struct array {name}; get the official file")
    return entries
