# One image for each role that runs our Python: `--build-arg GROUP=train` (Ray head, MLflow), `serving` or `core`
# (the keeper of the connectors).
FROM python:3.11-slim-bookworm
ARG GROUP
WORKDIR /millrace
COPY requirements/${GROUP}.txt requirements.txt
RUN pip install --no-cache-dir --require-hashes -r requirements.txt \
    && useradd --create-home --uid 1000 millrace \
    && install --directory --owner=millrace /packages \
    # A volume that is new takes its owner from here: a replica's spool.
    && install -d -o 1000 -m 700 /spool
COPY include include
COPY infra infra
COPY expectations expectations
COPY serving serving
COPY spark_jobs spark_jobs
COPY pyproject.toml pyproject.toml
# `--build-arg COMMIT=$(git rev-parse --short=12 HEAD)`: /metrics tells it.
ARG COMMIT=""
ENV MILLRACE_COMMIT=${COMMIT}
ENV PYTHONPATH=/millrace:/millrace/include PYTHONUNBUFFERED=1
USER 1000
