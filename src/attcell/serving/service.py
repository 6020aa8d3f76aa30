"""A model as a service over HTTP: a video comes in, JSON or a page goes out."""

from __future__ import annotations

import socket
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from attcell._checks import refuse_without
from attcell.errors import CallError
from attcell.serving.limits import Limits, Refused
from attcell.serving.upload import FIELD, received
from attcell.serving.work import Works

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

    from attcell.inference.model import Model
    from attcell.inference.ready import ReadyModel
    from attcell.types import Prediction

_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}
_REFUSALS: dict[int | str, dict[str, str]] = {
    400: {"description": "the form is no form with one video"},
    408: {"description": "the upload took too long"},
    413: {"description": "the video is too large"},
    415: {"description": "another content type"},
    422: {"description": "no video that can be read"},
    503: {"description": "too many requests wait"},
    504: {"description": "the work took too long"},
}


class ClassScore(BaseModel):
    """A class, and its score."""

    label: str
    score: float


class PredictedVideo(BaseModel, extra="allow"):
    """What ``Prediction.to_dict()`` holds; the fields that are not named here too."""

    video: str = Field(description="the name that the sender gave the file")
    top: list[ClassScore]
    labels: list[str]
    scores: list[float]
    duration_seconds: float
    segments_seconds: list[list[float]]
    temporal_attention: list[float]
    spatial_attention: dict[str, Any]
    notes: list[str]


class FoundAction(BaseModel):
    """A found action in time."""

    label: str
    start_seconds: float
    end_seconds: float
    score: float


class DetectedVideo(BaseModel):
    """The actions in a video, best first."""

    video: str
    duration_seconds: float
    detections: list[FoundAction]


class ModelCard(BaseModel):
    """What the service answers with."""

    model: str
    kind: str
    labels: list[str]
    limits: dict[str, float]


class Health(BaseModel):
    """The service answers."""

    status: str = "ok"


class _Counts:
    """What has been answered, for Prometheus."""

    def __init__(self) -> None:
        self.answers: Counter[tuple[str, int]] = Counter()
        self.seconds = 0.0

    def text(self, places: int) -> str:
        """In Prometheus' format."""
        lines = ["# TYPE attcell_requests_total counter"]
        for (path, status), number in sorted(self.answers.items()):
            lines.append(f'attcell_requests_total{{path="{path}",status="{status}"}} {number}')
        lines += ["# TYPE attcell_request_seconds_total counter"]
        lines += [f"attcell_request_seconds_total {self.seconds:.6f}"]
        lines += ["# TYPE attcell_requests_in_progress gauge", f"attcell_requests_in_progress {places}"]
        return "\n".join(lines) + "\n"


def service(model: Model | ReadyModel, name: str, limits: Limits | None = None) -> FastAPI:
    """The service as an application of ASGI, which any server of ASGI runs.

    Args:
        model: what answers; it works on one video at a time.
        name: of the model, which clients are told.
        limits: of a request; by default those of :class:`~attcell.serving.limits.Limits`.

    Raises:
        CallError: the extra ``serve`` is not installed.
    """
    refuse_without("servers", "serve", "fastapi", "python_multipart")
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse

    limits = limits or Limits()
    works, counts = Works(model, limits), _Counts()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        works.close()

    app = FastAPI(title="attcell", description="Actions in videos.", lifespan=lifespan, redoc_url=None)

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return JSONResponse({"detail": error.reason}, error.status, {**error.headers, "Connection": "close"})

    app.add_exception_handler(Refused, refused)
    _add_counting(app, counts)
    _add_facts(app, works, name, counts)
    _add_videos(app, works)
    return app


def _add_counting(app: FastAPI, counts: _Counts) -> None:
    import fastapi

    async def count(request: fastapi.Request, call: Callable[[Any], Awaitable[Response]]) -> Response:
        began = time.monotonic()
        answer = await call(request)
        route = request.scope.get("route")
        if route is not None and request.method == "POST":  # never a path that a client made up
            counts.answers[route.path, answer.status_code] += 1
            counts.seconds += time.monotonic() - began
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    app.middleware("http")(count)


def _add_facts(app: FastAPI, works: Works, name: str, counts: _Counts) -> None:
    from fastapi.responses import PlainTextResponse

    from attcell.inference.model import Model

    model = works.model
    kind = model.recipe.model.kind if isinstance(model, Model) else "ready"
    card = ModelCard(model=name, kind=kind, labels=list(model.labels), limits=asdict(works.limits))

    async def told() -> ModelCard:
        return card

    async def health() -> Health:
        return Health()

    async def metrics() -> Any:
        return PlainTextResponse(counts.text(works.places), media_type="text/plain; version=0.0.4")

    app.get("/v1/model", response_model=ModelCard, summary="The model and its classes")(told)
    app.get("/health", response_model=Health, summary="Whether the service answers")(health)
    app.get("/metrics", response_class=PlainTextResponse, summary="Numbers for Prometheus")(metrics)


def _add_videos(app: FastAPI, works: Works) -> None:
    import fastapi
    from fastapi.responses import HTMLResponse, JSONResponse

    async def worked(request: fastapi.Request, work: Callable[[Path, str], Any]) -> Any:
        """What the work gives of the video that a request holds; the video is deleted then."""
        with works.place(), tempfile.TemporaryDirectory(prefix="attcell-serve-") as folder:
            path = Path(folder) / "video"
            title = await received(request.stream(), request.headers, path, works.limits)
            return await works.done(lambda: work(path, title))

    async def predict(request: fastapi.Request) -> Any:
        return JSONResponse(
            await worked(request, lambda *video: _predicted(works.predicted(*video), video[1]))
        )

    async def detect(request: fastapi.Request) -> Any:
        return JSONResponse(await worked(request, lambda *video: _detected(works.detected(*video), video[1])))

    async def report(request: fastapi.Request) -> Any:
        def page(path: Path, title: str) -> str:
            return works.page(works.predicted(path, title, pictures=True), title)

        # Nothing in the page has the rights of the service's own pages.
        headers = {"Content-Security-Policy": "sandbox allow-scripts allow-downloads"}
        return HTMLResponse(await worked(request, page), headers=headers)

    for handle in (predict, detect, report):  # FastAPI looks names of types up in the file, not in here
        handle.__annotations__["request"] = fastapi.Request
    for path, handle, shape, summary in (
        ("/v1/predict", predict, PredictedVideo, "The class of a video, with the attention"),
        ("/v1/detect", detect, DetectedVideo, "The actions in a video"),
    ):
        app.post(path, response_model=shape, summary=summary, openapi_extra=_FORM, responses=_REFUSALS)(
            handle
        )
    options: dict[str, Any] = {"openapi_extra": _FORM, "responses": _REFUSALS}
    app.post("/v1/report", response_class=HTMLResponse, summary="The page of a video", **options)(report)


def _predicted(found: Prediction, title: str) -> dict[str, Any]:
    return replace(found, video=title).to_dict()


def _detected(found: Prediction, title: str) -> dict[str, Any]:
    rows = [asdict(one) for one in found.detections or ()]
    actions = [{key: of for key, of in row.items() if key != "video_id"} for row in rows]
    return {"video": title, "duration_seconds": found.duration_seconds, "detections": actions}


def serve_http(app: FastAPI, host: str, port: int) -> None:
    """Answer until Ctrl-C or SIGTERM.

    Raises:
        CallError: the extra ``serve`` is not installed, or nothing can listen at this address.
    """
    refuse_without("servers", "serve", "uvicorn")
    import uvicorn

    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        door = socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CallError(f"nothing can listen at {host}:{port} ({reason}); name another --port") from None
    # A client that says nothing holds no more than a connection, of which there is a bounded number.
    config = uvicorn.Config(app, log_level="warning", limit_concurrency=256, timeout_keep_alive=5)
    with door:
        uvicorn.Server(config).run(sockets=[door])
