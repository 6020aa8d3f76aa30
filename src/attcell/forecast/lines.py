"""A plan in lines that a terminal of 40 columns holds too."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from attcell.forecast.arithmetic import Phase, Term, total_seconds
from attcell.forecast.call import Plan

WIDTH = 40


def plan_lines(plan: Plan) -> list[str]:
    """What was measured, what each command takes with the arithmetic, and the sum on all machines."""
    lines = [f"plan of {plan.name or 'a recipe'}", *_wrapped(*_videos(plan)), "", "parts, each alone:"]
    for part in plan.parts:
        lines += _wrapped(f"{part.name}: {_number(part.rate)} {part.unit}", indent="  ")
    for phase in plan.phases:
        lines += ["", *_phase(phase)]
    return [*lines, "", *_sum(plan)]


def _videos(plan: Plan) -> list[str]:
    videos, sample, machine = plan.videos, plan.sample, plan.machine
    parts = {"train": videos.train, "validate by": videos.val, "test": videos.test}
    named = ", ".join(f"{len(of):,} to {name}" for name, of in parts.items() if of)
    missing = videos.num - len(videos.here)
    told = [f"{videos.num:,} videos: {named}"]
    if missing:
        told.append(
            f"{missing:,} of them are not here, and count as the mean of the {len(videos.here):,} that are"
        )
    told.append(
        f"mean length: {sample.mean_frames:,.0f} frames, of {sample.num_looked_at} looked at; measured: "
        f"{len(sample.records)}, of {sum(sample.frames) / len(sample.frames):,.0f} in the mean"
    )
    return [*told, f"on {machine.cores} cores and {machine.gpu or 'no GPU'}; ± is a 95 % interval"]


def _phase(phase: Phase) -> list[str]:
    lines = [phase.name if not phase.terms else f"{phase.name}: {_result(phase)}"]
    for term in phase.terms:
        lines += [f"  {term.count:,} {term.unit}", *(f"    {line}" for line in _products(term))]
    return lines + _wrapped(*phase.notes, indent="  ")


def _result(phase: Phase) -> str:
    size = f", {in_bytes(phase.bytes)}" if phase.bytes else ""
    return f"{_within(phase.seconds(), phase.spread())}{size}"


def _products(term: Term) -> list[str]:
    each = f"× {_within(term.pace.seconds, term.pace.spread)} = {in_time(term.seconds())}"
    return [each] + (
        [f"× {in_bytes(term.bytes)} = {in_bytes(term.count * term.bytes)}"] if term.bytes else []
    )


def _sum(plan: Plan) -> list[str]:
    """A table of hours, and what divides them."""
    counts = sorted({1, plan.machines})
    timed = [phase for phase in plan.phases if phase.terms]
    rows = [(phase.name, [phase.seconds(of) for of in counts]) for phase in timed]
    totals = [total_seconds(timed, of) for of in counts]
    head = f"{'machines':13}" + "".join(f"{of:>12,}" for of in counts)
    lines = [head, *(_row(name, times) for name, times in [*rows, ("in all", [of for of, _ in totals])])]
    lines.append(f"{'±':13}" + "".join(f"{in_time(spread):>12}" for _, spread in totals))
    gpus = plan.machine.num_gpus
    if gpus:
        lines.append(f"{'GPUs':13}" + "".join(f"{gpus * of:>12,}" for of in counts))
        hours = [gpus * of * seconds / 3600 for of, (seconds, _) in zip(counts, totals, strict=True)]
        lines.append(f"{'GPU hours':13}" + "".join(f"{of:>12,.2f}" for of in hours))
    if plan.bytes:
        lines.append(f"{'disk':13}{in_bytes(plan.bytes):>12}")
    return lines + _wrapped(*_what_divides(plan))


def _what_divides(plan: Plan) -> list[str]:
    told = [] if plan.machine.num_gpus else ["without a GPU here, the hours are those of processors alone"]
    units = [term.unit for phase in plan.phases for term in phase.terms if not term.divides]
    whole = dict.fromkeys("starts" if unit == "start" else unit for unit in units)
    if plan.machines > 1:
        told.append(
            "machines are taken to be like this one, with a disk each that is as quick; what they tell one "
            "another is not counted" + (f", and {', '.join(whole)} are not shared" if whole else "")
        )
    return told


def _row(name: str, times: Sequence[float]) -> str:
    return f"{name:13}" + "".join(f"{in_time(seconds):>12}" for seconds in times)


def _wrapped(*texts: str, indent: str = "") -> list[str]:
    return [
        line
        for text in texts
        for line in textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ")
    ]


def _within(seconds: float, spread: float) -> str:
    """A time and its interval, in one unit."""
    factor, unit = _unit(seconds)
    return f"{_number(seconds / factor)} {unit} ± {_number(spread / factor)}"


def in_time(seconds: float) -> str:
    """In seconds, or in hours from an hour on."""
    factor, unit = _unit(seconds)
    return f"{_number(seconds / factor)} {unit}"


def _unit(seconds: float) -> tuple[float, str]:
    if seconds >= 3600:
        return 3600.0, "h"
    if seconds >= 120:
        return 60.0, "min"
    return (1.0, "s") if seconds >= 0.1 or seconds == 0 else (1e-3, "ms")


def in_bytes(number: float) -> str:
    """In kB, MB, GB or TB, of powers of ten."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if number >= factor:
            return f"{_number(number / factor)} {unit}"
    return f"{_number(number / 1e3)} kB"


def _number(value: float) -> str:
    """Three digits, or all before the point."""
    if not math.isfinite(value):
        return "?"
    digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2 if value >= 0.0995 or value == 0 else 3
    return f"{value:,.{digits}f}"
