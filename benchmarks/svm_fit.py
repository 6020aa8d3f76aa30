"""How long the choice of the linear SVM's C takes, beside LinearSVC on rotated and on plain representations.

Representations are generated: 32,768 numbers, as many as VLAD's of the paper, that are above 0 and hard to
tell apart. One fold of five, all settings of the choice. LinearSVC takes each class by itself, so that it is
given a few classes only, and its time is multiplied. Processor time is compared, since other work on the
machine would count in wall time.

    uv run python -m benchmarks.svm_fit
    uv run python -m benchmarks.svm_fit --whole --videos 9537    # UCF101's size: all folds, and the last fit
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import LinearSVC

from attcell._log import messages_on_stderr
from attcell.data.folds import make_folds
from attcell.training import svm_fit
from attcell.training.svm_fit import CHOICES, SVMChoice, choose_and_fit

AT_ONCE = 500  # videos that are generated at once


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--numbers", type=int, default=32_768)
    parser.add_argument("--classes", type=int, default=101)
    parser.add_argument("--theirs", type=int, default=1, help="classes that LinearSVC is given")
    parser.add_argument("--whole", action="store_true", help="all folds and the last fit, without LinearSVC")
    options = parser.parse_args()
    rows, truth = generated(options.videos, options.numbers, options.classes)
    print(f"{options.videos} videos × {options.numbers} numbers, {options.classes} classes", flush=True)
    if options.whole:
        whole(rows, truth)
    else:
        one_fold(rows, truth, options.theirs)


def generated(videos: int, numbers: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Representations that are hard to tell apart, (N, dim) float32, and one class for each, (N, A)."""
    generator = np.random.default_rng(0)
    labels = np.arange(videos) % classes
    centres = 0.1 * generator.standard_normal((classes, numbers), dtype=np.float32)
    rows = np.empty((videos, numbers), np.float32)
    for start in range(0, videos, AT_ONCE):
        some = rows[start : start + AT_ONCE]
        generator.standard_normal(out=some, dtype=np.float32)
        some += centres[labels[start : start + AT_ONCE]]
        np.maximum(some, 0, out=some)
    return rows, np.eye(classes, dtype=bool)[labels]


def whole(rows: np.ndarray, truth: np.ndarray) -> None:
    """All that a row of a table takes after its representations are there."""
    wall, processor = time.perf_counter(), time.process_time()
    with messages_on_stderr():
        choice, _, figure = choose_and_fit(rows, truth, (), 0)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    assert figure.value is not None
    print(
        f"{len(CHOICES)} settings, {figure.validation}, and the last fit: {wall:.0f} s, {processor:.0f} s of "
        f"processor time, {torch.get_num_threads()} threads, at most {peak_gib():.1f} GiB of memory with the "
        f"{rows.nbytes / 2**30:.1f} GiB of representations; {choice}, accuracy {100 * figure.value:.2f} %"
    )


def one_fold(rows: np.ndarray, truth: np.ndarray, theirs: int) -> None:
    """attcell's solver on all classes beside LinearSVC on some, with the difference of their margins."""
    left_out = make_folds(truth, (), 0).left_out[0]
    kept = np.setdiff1d(np.arange(len(rows)), left_out)
    before = time.process_time()
    fitted = svm_fit._margins(rows, truth, kept, left_out, torch.device("cpu"))
    ours = {choice: margins for choice, margins, _ in fitted}
    spent = time.process_time() - before
    print(f"attcell, all classes: {spent:.1f} s of processor time", flush=True)
    share = truth.shape[1] / theirs
    for name, is_rotated in (("rotated into the videos' span", True), ("in all dimensions", False)):
        before = time.process_time()
        found, fits = linear_svc(rows, truth[:, :theirs], kept, left_out, is_rotated=is_rotated)
        once = time.process_time() - before - fits  # what is done to the videos, for all classes
        taken = once + fits * share
        farthest = max(np.abs(found[choice] - ours[choice][:, :theirs]).max() for choice in CHOICES)
        print(
            f"LinearSVC {name}: {once:.1f} s, and {fits:.1f} s for {theirs} of the classes, times {share:g}: "
            f"{taken:.0f} s, {taken / spent:.0f} times attcell's; margins differ by {farthest:.1e} at most",
            flush=True,
        )


def linear_svc(
    rows: np.ndarray, truth: np.ndarray, kept: np.ndarray, left_out: np.ndarray, *, is_rotated: bool
) -> tuple[dict[SVMChoice, np.ndarray], float]:
    """Margins of the videos that are left out, by scikit-learn's LinearSVC, and what the fits alone took."""
    fits = 0.0
    scaler = StandardScaler().fit(rows[kept].astype(np.float64))
    learnt, others = (scaler.transform(rows[places].astype(np.float64)) for places in (kept, left_out))
    margins = {choice: np.empty((len(left_out), truth.shape[1])) for choice in CHOICES}
    for unit_length in (False, True):
        if unit_length:
            learnt, others = normalize(learnt), normalize(others)
        basis = np.linalg.qr(learnt.T).Q if is_rotated else None
        inputs, asked = (learnt, others) if basis is None else (learnt @ basis, others @ basis)
        for choice in (one for one in CHOICES if one.unit_length == unit_length):
            for label in range(truth.shape[1]):
                svm = LinearSVC(C=choice.c, dual=True, tol=1e-5, max_iter=20_000, random_state=0)
                before = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", ConvergenceWarning)
                    svm.fit(inputs, truth[kept, label])
                fits += time.process_time() - before
                margins[choice][:, label] = svm.decision_function(asked)
    return margins, fits


def peak_gib() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
