"""ELAN: an .eaf file for each video, times in milliseconds.

Actions stand on the tier ``actions``, their classes as values from a controlled vocabulary; actions that
overlap, on ``actions 2`` and so on. A score is a child annotation on the tier ``score``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit
from xml.etree.ElementTree import Element

from attcell.annotation_tools import xml_files
from attcell.annotation_tools.records import SURE, LabelledVideo, Opened, Rates, Read, Wanted
from attcell.annotation_tools.xml_files import child
from attcell.errors import DataError
from attcell.types import Detection

_OWN_NAME = "attcell-video"  # a property of the document that keeps the video's name
_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_MIME = {".mp4": "video/mp4", ".m4v": "video/mp4", ".mpg": "video/mpeg", ".mpeg": "video/mpeg"}


def write(out: Path, wanted: Wanted) -> list[Path]:
    """Write the one video; the file."""
    (video,) = wanted.videos
    xml_files.write(out, _document(video, wanted.labels, wanted.prefix))
    return [out]


def _document(video: LabelledVideo, labels: Sequence[str], prefix: str) -> Element:
    root = Element("ANNOTATION_DOCUMENT", {
        "AUTHOR": "attcell", "DATE": "1970-01-01T00:00:00+00:00", "FORMAT": "3.0", "VERSION": "3.0",
        "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance", "xsi:noNamespaceSchemaLocation": _SCHEMA,
    })  # fmt: skip
    lanes = _lanes(video.actions)
    header = child(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    path = PurePosixPath(video.video)
    child(
        header,
        "MEDIA_DESCRIPTOR",
        MEDIA_URL=_url(
            f"{prefix}{video.video}" if prefix or video.path is None else str(video.path.absolute())
        ),
        MIME_TYPE=_MIME.get(path.suffix.lower(), "video/*"),
        RELATIVE_MEDIA_URL=f"./{quote(path.name)}",
    )
    child(header, "PROPERTY", video.video, NAME=_OWN_NAME)
    child(header, "PROPERTY", str(2 * len(video.actions)), NAME="lastUsedAnnotationId")
    order, count = child(root, "TIME_ORDER"), 0
    for number, lane in enumerate(lanes, 1):
        ending = "" if number == 1 else f" {number}"
        tier = child(root, "TIER", LINGUISTIC_TYPE_REF="action", TIER_ID=f"actions{ending}")
        scores = child(
            root, "TIER", LINGUISTIC_TYPE_REF="score", PARENT_REF=f"actions{ending}", TIER_ID=f"score{ending}"
        )
        for action in lane:
            _add(order, tier, scores, action, count)
            count += 1
    order[:] = sorted(order, key=lambda slot: int(slot.attrib["TIME_VALUE"]))
    _close(root, labels)
    return root


def _add(order: Element, tier: Element, scores: Element, action: Detection, count: int) -> None:
    first, last = f"ts{2 * count + 1}", f"ts{2 * count + 2}"
    for name, seconds in ((first, action.start_seconds), (last, action.end_seconds)):
        child(order, "TIME_SLOT", TIME_SLOT_ID=name, TIME_VALUE=str(max(0, round(seconds * 1000))))
    own, of_score = f"a{2 * count + 1}", f"a{2 * count + 2}"
    alignable = child(
        child(tier, "ANNOTATION"),
        "ALIGNABLE_ANNOTATION",
        ANNOTATION_ID=own,
        TIME_SLOT_REF1=first,
        TIME_SLOT_REF2=last,
    )
    child(alignable, "ANNOTATION_VALUE", action.label)
    below = child(child(scores, "ANNOTATION"), "REF_ANNOTATION", ANNOTATION_ID=of_score, ANNOTATION_REF=own)
    child(below, "ANNOTATION_VALUE", f"{action.score:.6g}")


def _close(root: Element, labels: Sequence[str]) -> None:
    """The kinds of tiers, the language and the classes."""
    child(root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="action", TIME_ALIGNABLE="true",
          GRAPHIC_REFERENCES="false", CONTROLLED_VOCABULARY_REF="classes")  # fmt: skip
    child(root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID="score", TIME_ALIGNABLE="false",
          GRAPHIC_REFERENCES="false", CONSTRAINTS="Symbolic_Association")  # fmt: skip
    child(root, "LANGUAGE", LANG_DEF="http://cdb.iso.org/lg/CDB-00130975-001", LANG_ID="und",
          LANG_LABEL="undetermined (und)")  # fmt: skip
    child(root, "CONSTRAINT", DESCRIPTION="1-1 association with a parent annotation",
          STEREOTYPE="Symbolic_Association")  # fmt: skip
    vocabulary = child(root, "CONTROLLED_VOCABULARY", CV_ID="classes")
    child(vocabulary, "DESCRIPTION", LANG_REF="und")
    for number, label in enumerate(labels):
        entry = child(vocabulary, "CV_ENTRY_ML", CVE_ID=f"class{number}")
        child(entry, "CVE_VALUE", label, DESCRIPTION="", LANG_REF="und")


def _lanes(actions: Sequence[Detection]) -> list[list[Detection]]:
    """The actions on as few tiers as needed: on one tier none may overlap. At least one tier."""
    lanes: list[list[Detection]] = [[]]
    for action in sorted(actions, key=lambda of: (of.start_seconds, of.end_seconds)):
        free = next(
            (lane for lane in lanes if not lane or lane[-1].end_seconds <= action.start_seconds), None
        )
        if free is None:
            lanes.append(free := [])
        free.append(action)
    return lanes


def _url(name: str) -> str:
    """ELAN looks for a path that is not absolute beside its own file."""
    return name if "://" in name else f"file://{quote(name)}" if name.startswith("/") else quote(name)


def tells(opened: Opened) -> bool:
    """Whether a file is one of ELAN's."""
    return isinstance(opened.value, Element) and opened.value.tag == "ANNOTATION_DOCUMENT"


def read(opened: Opened, rates: Rates) -> Read:
    """The one video of a file. Of every tier without a parent each annotation with two times is an action; an
    empty value means the tier's name.

    Raises:
        DataError: it names no video, or an annotation has no times.
    """
    root, path = opened.value, opened.path
    if not tells(opened):
        raise DataError(f"{path} is no file of ELAN; it needs an ANNOTATION_DOCUMENT")
    slots = {of.get("TIME_SLOT_ID"): of.get("TIME_VALUE") for of in root.iter("TIME_SLOT")}
    scores = {
        of.get("ANNOTATION_REF"): of.findtext("ANNOTATION_VALUE")
        for tier in root.iter("TIER")
        if tier.get("TIER_ID", "").split(" ")[0] == "score"
        for of in tier.iter("REF_ANNOTATION")
    }
    unit = root.find("HEADER").get("TIME_UNITS", "milliseconds") if root.find("HEADER") is not None else ""
    if unit not in ("milliseconds", ""):
        raise DataError(f"{path}: its times are in {unit}; expected milliseconds")
    actions = tuple(_read_tiers(path, root, slots, scores))
    return Read((LabelledVideo(_name(path, root), actions),))


def _read_tiers(
    path: Path, root: Element, slots: Mapping[str | None, str | None], scores: Mapping[str | None, str | None]
) -> Iterator[Detection]:
    for tier in root.iter("TIER"):
        if tier.get("PARENT_REF"):
            continue
        for of in tier.iter("ALIGNABLE_ANNOTATION"):
            place = f"{path}: annotation {of.get('ANNOTATION_ID')} on tier {tier.get('TIER_ID')}"
            start, end = (_seconds(place, slots.get(of.get(f"TIME_SLOT_REF{side}"))) for side in (1, 2))
            label = (of.findtext("ANNOTATION_VALUE") or "").strip() or tier.get("TIER_ID", "")
            yield Detection(label, start, end, _score(scores.get(of.get("ANNOTATION_ID"))))


def _seconds(place: str, told: str | None) -> float:
    try:
        return int(told or "") / 1000
    except ValueError:
        raise DataError(f"{place}: it has no time; set its begin and end in ELAN") from None


def _score(told: str | None) -> float:
    try:
        score = float(told or SURE)
    except ValueError:
        return SURE  # a person may have written anything there
    return score if math.isfinite(score) else SURE


def _name(path: Path, root: Element) -> str:
    for of in root.iter("PROPERTY"):
        if of.get("NAME") == _OWN_NAME and of.text:
            return of.text
    for of in root.iter("MEDIA_DESCRIPTOR"):
        for key in ("RELATIVE_MEDIA_URL", "MEDIA_URL"):
            url = of.get(key)
            if url:
                return unquote(urlsplit(url).path if "://" in url else url).rsplit("/", 1)[-1]
    raise DataError(f"{path} names no video; link one to it in ELAN (Edit, Linked Files)")
