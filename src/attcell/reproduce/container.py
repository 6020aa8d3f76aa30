"""What a video file gives away without a look at its pictures: a floor under every figure on real clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
import numpy as np
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from attcell.engine.material import refuse_unopened
from attcell.records import VideoRecord

_CLASSIFIERS: list[Any] = [
    *(KNeighborsClassifier(neighbours) for neighbours in (1, 3, 5)),
    LinearSVC(random_state=0, max_iter=20_000),
]


def container_accuracy(train: Sequence[VideoRecord], test: Sequence[VideoRecord]) -> float:
    """Accuracy in percent by width, height and length alone, as the files' headers claim them.

    The classifier, nearest neighbours or a linear SVM, is chosen by leaving out each training group in turn.

    Args:
        train: videos with their groups, such as actors; without each group there are at least five.
        test: videos of other groups.

    Raises:
        DataError: videos that cannot be opened, by name.
    """
    refuse_unopened((*train, *test))
    pipeline = Pipeline([("scale", StandardScaler()), ("classify", _CLASSIFIERS[0])])
    search = GridSearchCV(pipeline, {"classify": _CLASSIFIERS}, cv=LeaveOneGroupOut())
    search.fit(header_features(train), _labels(train), groups=[record.group for record in train])
    return 100 * float(np.mean(search.predict(header_features(test)) == _labels(test)))


def header_features(records: Sequence[VideoRecord]) -> np.ndarray:
    """(N, 3) logarithms of width, height and number of frames, as the files' headers claim them."""
    rows = []
    for record in records:
        with av.open(str(record.path)) as container:
            stream = container.streams.video[0]
            rows.append([stream.width, stream.height, max(1, stream.frames)])
    return np.log(np.array(rows, dtype=float))


def _labels(records: Sequence[VideoRecord]) -> np.ndarray:
    return np.array([record.label for record in records])
