# attcell on the CPU; on NVIDIA GPUs by --build-arg TORCH_BACKEND=cu128 and docker run --gpus all
FROM python:3.12-slim

ARG TORCH_BACKEND=cpu

ENV UV_NO_CACHE=1 ATTCELL_CACHE=/cache/attcell HF_HOME=/cache/huggingface TORCH_HOME=/cache/torch

COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN pip install --no-cache-dir "uv>=0.9,<1" \
    && uv pip install --system --torch-backend="${TORCH_BACKEND}" /src \
    && rm -r /src

RUN useradd --create-home --uid 1000 attcell && mkdir -p /cache /work && chown 1000 /cache /work
USER 1000
VOLUME /cache
WORKDIR /work
ENTRYPOINT ["attcell"]
CMD ["--help"]
