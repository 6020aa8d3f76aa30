# attcell on the CPU; on NVIDIA GPUs with TORCH_INDEX=https://download.pytorch.org/whl/cu128 and docker run --gpus all
FROM python:3.12-slim

ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

ENV PIP_NO_CACHE_DIR=1 ATTCELL_CACHE=/cache/attcell HF_HOME=/cache/huggingface TORCH_HOME=/cache/torch

RUN pip install "torch>=2.8,<3" "torchvision>=0.23,<0.30" --index-url "${TORCH_INDEX}"

COPY pyproject.toml README.md LICENSE /src/
COPY src /src/src
RUN pip install /src && rm -r /src

RUN useradd --create-home --uid 1000 attcell && mkdir -p /cache /work && chown 1000 /cache /work
USER 1000
VOLUME /cache
WORKDIR /work
ENTRYPOINT ["attcell"]
CMD ["--help"]
