# One file, an image a target: worker (the default), gateway, training, mlflow. `docker compose build` builds them all.
#
# Packages are installed in a stage and a layer of their own, so a change of code rebuilds and ships a few hundred
# kilobytes. Every process runs as user 10001 without a shell in between, writes nothing outside /tmp and volumes, and
# ends in order on SIGTERM.

ARG PYTHON=python:3.11.15-slim-bookworm

FROM ${PYTHON} AS python
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN groupadd --gid 10001 nlp \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin nlp
# What training makes and what comes from a registry: a new volume there belongs to the user.
RUN install --directory --owner=nlp --group=nlp /var/lib/nlp /var/lib/nlp/bundles
# Without pip of its own: nothing can be installed into an image that runs.
RUN python -m venv --without-pip /opt/venv

# The packages. Downloads are kept between builds; no compiler is needed, for all of them are wheels. A container with
# a read-only file system could not keep what it compiles, so what is imported at the start is compiled here, by being
# imported; compiling all that is installed would make the images a fifth larger.

FROM python AS worker-packages
COPY requirements.txt requirements-tracing.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-compile --only-binary :all: \
    -r requirements.txt -r requirements-tracing.txt
RUN PYTHONDONTWRITEBYTECODE= python -c 'import aiohttp.web, aiokafka.admin, faust, onnxruntime, prometheus_client, \
pydantic_settings, tokenizers'

FROM python AS gateway-packages
COPY requirements-gateway.txt requirements-tracing.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-compile --only-binary :all: \
    -r requirements-gateway.txt -r requirements-tracing.txt
RUN PYTHONDONTWRITEBYTECODE= python -c 'import aiokafka.admin, fastapi, prometheus_client, pydantic_settings, uvicorn'

FROM python AS training-packages
COPY requirements-training.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-compile -r requirements-training.txt
RUN PYTHONDONTWRITEBYTECODE= python -c 'import datasets, mlflow, onnx, onnxruntime, torch, transformers'

FROM python AS mlflow-packages
COPY requirements-mlflow.txt .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/venv/bin/python install --no-compile --only-binary :all: -r requirements-mlflow.txt
RUN PYTHONDONTWRITEBYTECODE= python -c 'import mlflow.cli, mlflow.server.fastapi_app'

# The code, compiled too; by hashes that nobody checks, because the times of the files differ from build to build.
FROM python AS code
WORKDIR /app
COPY deploy/healthcheck.py .
COPY schemas schemas
COPY telemetry telemetry
COPY worker worker
COPY deadletters deadletters
COPY gateway gateway
COPY training training
RUN python -m compileall -q --invalidation-mode unchecked-hash . && chmod -R u=rwX,go=rX .

FROM python AS models
WORKDIR /app
COPY models models
RUN chmod -R u=rwX,go=rX models

# Labels come last: they change with every commit, and nothing has to be built anew for them.

FROM python AS training
# torch.compile translates the model to C++ and compiles it.
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY --from=training-packages /opt/venv /opt/venv
WORKDIR /app
# What is trained, what is fetched and what torch compiles stays in a volume.
ENV HF_HOME=/var/lib/nlp/huggingface \
    TORCHINDUCTOR_CACHE_DIR=/var/lib/nlp/torch \
    GIT_PYTHON_REFRESH=quiet
RUN ln --symbolic /var/lib/nlp var
COPY --from=code /app/schemas schemas
COPY --from=code /app/telemetry telemetry
COPY --from=code /app/worker worker
COPY --from=code /app/training training
COPY --from=models /app/models models
USER 10001:10001
STOPSIGNAL SIGTERM
CMD ["python", "-m", "training.pipeline"]
ARG VERSION=0 REVISION=unknown CREATED=unknown
LABEL org.opencontainers.image.title="Streaming NLP: training" \
      org.opencontainers.image.description="Fine-tunes, exports, quantizes and scores the model bundle" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.created=${CREATED} \
      org.opencontainers.image.base.name=docker.io/library/python:3.11.15-slim-bookworm

FROM python AS mlflow
COPY --from=mlflow-packages /opt/venv /opt/venv
RUN install --directory --owner=nlp --group=nlp /var/lib/mlflow
COPY --from=code /app/healthcheck.py /app/healthcheck.py
WORKDIR /tmp
# Runs and registered models in the database, their files beside it; clients reach both through the server. No job
# runner: nothing here asks for one, and it is four processes.
ENV MLFLOW_BACKEND_STORE_URI=sqlite:////var/lib/mlflow/mlflow.db \
    MLFLOW_ARTIFACTS_DESTINATION=/var/lib/mlflow/artifacts \
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
    MLFLOW_DISABLE_TELEMETRY=true
USER 10001:10001
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=5 \
    CMD ["python", "-IS", "/app/healthcheck.py", "5000", "/health"]
CMD ["mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "1"]
ARG VERSION=0 REVISION=unknown CREATED=unknown
LABEL org.opencontainers.image.title="Streaming NLP: MLflow" \
      org.opencontainers.image.description="MLflow's tracking server and model registry, of the clients' version" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.created=${CREATED} \
      org.opencontainers.image.base.name=docker.io/library/python:3.11.15-slim-bookworm

FROM python AS gateway
COPY --from=gateway-packages /opt/venv /opt/venv
WORKDIR /app
COPY --from=code /app/healthcheck.py ./
COPY --from=code /app/schemas schemas
COPY --from=code /app/telemetry telemetry
COPY --from=code /app/gateway gateway
ENV NLP_GATEWAY_HOST=0.0.0.0 \
    NLP_GATEWAY_PORT=8000
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=5 \
    CMD ["python", "-IS", "/app/healthcheck.py", "8000", "/health/ready"]
CMD ["python", "-m", "gateway"]
ARG VERSION=0 REVISION=unknown CREATED=unknown
LABEL org.opencontainers.image.title="Streaming NLP: gateway" \
      org.opencontainers.image.description="HTTP by request and reply over Kafka" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.created=${CREATED} \
      org.opencontainers.image.base.name=docker.io/library/python:3.11.15-slim-bookworm

FROM python AS worker
COPY --from=worker-packages /opt/venv /opt/venv
WORKDIR /app
# What the worker reads of the bundle, without the weights it was made from.
ARG BUNDLE=models/minilm
COPY --from=models /app/${BUNDLE}/manifest.json /app/${BUNDLE}/metrics.json /app/${BUNDLE}/README.md \
    /app/${BUNDLE}/tokenizer.json /app/${BUNDLE}/model.quant.onnx bundle/
COPY --from=code /app/healthcheck.py ./
COPY --from=code /app/schemas schemas
COPY --from=code /app/telemetry telemetry
COPY --from=code /app/worker worker
COPY --from=code /app/deadletters deadletters
ENV NLP_WORKER_BUNDLE=/app/bundle \
    NLP_WORKER_BUNDLE_CACHE=/var/lib/nlp/bundles \
    NLP_WORKER_HTTP_HOST=0.0.0.0 \
    NLP_WORKER_HTTP_PORT=6066
USER 10001:10001
EXPOSE 6066
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=5 \
    CMD ["python", "-IS", "/app/healthcheck.py", "6066", "/health/ready"]
CMD ["python", "-m", "worker"]
ARG VERSION=0 REVISION=unknown CREATED=unknown
LABEL org.opencontainers.image.title="Streaming NLP: worker" \
      org.opencontainers.image.description="Texts from Kafka topics to enriched records; creates topics, replays dead letters" \
      org.opencontainers.image.version=${VERSION} \
      org.opencontainers.image.revision=${REVISION} \
      org.opencontainers.image.created=${CREATED} \
      org.opencontainers.image.base.name=docker.io/library/python:3.11.15-slim-bookworm
