"""``attcell score attention``: does attention lie where and when the action is, from files alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def attention(
    file: Annotated[Path, typer.Argument(help="What attcell predict --json wrote.")],
    truth: Annotated[
        Path, typer.Option(help="A generated set, UCF101-24's finalAnnots.mat, or a JSON of boxes.")
    ],
    fps: Annotated[float | None, typer.Option(help="Frames a second, where the truth does not tell.")] = None,
    json_path: Annotated[
        str | None, typer.Option("--json", help="Write the figures to this file, or - for stdout.")
    ] = None,
) -> None:
    """The pointing game, and the attention's mass inside the actors' boxes, for each stream and their mean.

    Example: attcell predict videos/test/*/*.mp4 --model runs/mine/model --json looks.json

    Example: attcell score attention looks.json --truth videos
    """
    import math
    from dataclasses import asdict

    from attcell.data.box_truth import read_boxes, video_named
    from attcell.data.looks import read_looks
    from attcell.engine.localising import attention_figures, streams_of
    from attcell.errors import CallError, DataError
    from attcell.files import check_outputs, write_json
    from attcell.progress import say
    from attcell.report.attention_table import attention_lines

    if fps is not None and not 0 < fps < 1000:
        raise CallError(f"--fps is {fps}; give frames a second, above 0")
    check_outputs([Path(path) for path in (json_path,) if path not in (None, "-")], [file])
    looks, failed = read_looks(file)
    known = read_boxes(truth, fps)
    found, bad = [], [f"{video}: {reason}" for video, reason in failed.items()]
    for look in looks:
        name = video_named(look.video, known)
        if name is None:
            bad.append(f"{look.video} is no video of {truth}; it is left out")
        elif not look.spatial_attention:
            bad.append(f"{look.video}: the network has no attention over regions; it is left out")
        else:
            found.append((look, known[name]))
    for message in bad:
        say(f"attcell: {message}")
    if not found:
        raise DataError(
            f"{file}: no video has both attention and boxes in {truth}; there is nothing to score"
        )
    figures = {name: attention_figures(found, name) for name in streams_of(found)}
    if json_path != "-":
        print("\n".join(attention_lines(figures, len(found), len(bad), str(truth))))
    if json_path is not None:
        rows = {
            name: {key: None if math.isnan(value) else value for key, value in asdict(of).items()}
            for name, of in figures.items()
        }
        write_json(json_path, {"videos": len(found), "left_out": bad, "streams": rows})
    if bad:
        raise typer.Exit(1)
