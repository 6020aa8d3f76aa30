"""``attcell serve``: a model as a service over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from attcell._log import logger
from attcell.cli.common.options import ModelName, model_or_default


def serve(
    model: ModelName = None,
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets other machines in; there is no password.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where it listens.")] = 8000,
    megabytes: Annotated[float, typer.Option(help="The most of an uploaded video.")] = 200,
    seconds: Annotated[float, typer.Option(help="The most of work on one video.")] = 120,
    upload_seconds: Annotated[float, typer.Option(help="The most until an upload has come.")] = 60,
    waiting: Annotated[int, typer.Option(help="Requests that may wait; more are sent away.")] = 16,
) -> None:
    """Answer over HTTP: POST a video to /v1/predict, /v1/detect (JSON) or /v1/report (a page).

    Needs the extra serve. /docs describes it all, /v1/model the model; /health and /metrics are for whoever
    watches it. Videos are deleted when they are answered.

    Example: attcell serve --model runs/demo/model --port 8000
    """
    from attcell._checks import refuse_without
    from attcell.serving.limits import Limits
    from attcell.serving.service import serve_http, service

    limits = Limits(megabytes, seconds, upload_seconds, waiting)
    refuse_without("servers", "serve", "fastapi", "python_multipart", "uvicorn")
    from attcell.inference.model import load
    from attcell.inference.run import best_device

    name = model_or_default(model)
    app = service(load(name).to(best_device()), name, limits)
    logger.info(f"serving {name} at http://{host}:{port}; POST a video to /v1/predict; Ctrl-C ends it")
    serve_http(app, host, port)
