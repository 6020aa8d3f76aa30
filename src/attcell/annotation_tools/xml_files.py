"""XML, also from strangers: a file with a document type is refused, so that no entity can be defined."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from attcell._files import write_text
from attcell._terminal import one_line
from attcell.errors import CallError, DataError

_MOST_LEVELS = 100


def parse(path: Path, content: bytes) -> ElementTree.Element:
    """The root of an XML file.

    Raises:
        DataError: it is no XML, has a document type, or is nested too deeply.
    """
    builder, depth = ElementTree.TreeBuilder(), 0

    def refuse(*_: object) -> None:
        raise DataError(f"{path} has a DOCTYPE, which annotation tools do not write; take it out")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MOST_LEVELS:
            raise DataError(f"{path} is nested more than {_MOST_LEVELS} levels deep; export it anew")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
        return builder.close()
    except (expat.ExpatError, ValueError, LookupError) as error:  # an encoding may be unknown
        raise DataError(f"{path} is not XML ({error}); export it anew") from error


def write(path: Path, root: ElementTree.Element) -> None:
    """Write a tree, whole or not at all.

    Raises:
        CallError: a name holds letters that XML cannot hold.
    """
    for element in root.iter():
        for text in (element.text or "", *element.attrib.values()):
            if any(not _is_allowed(letter) for letter in text):
                raise CallError(f"{one_line(text)!r} holds letters that XML cannot hold; rename it")
    ElementTree.indent(root, " ")
    text = ElementTree.tostring(root, encoding="unicode")
    write_text(path, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n')


def child(parent: ElementTree.Element, tag: str, text: str = "", **attributes: str) -> ElementTree.Element:
    """A new last child."""
    made = ElementTree.SubElement(parent, tag, attributes)
    made.text = text or None
    return made


def _is_allowed(letter: str) -> bool:
    code = ord(letter)
    return code in (9, 10) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
