# One image, three commands: serve, work, migrate.
#
#   docker build --tag rolecall .
#   docker run --rm --env ROLECALL_DATABASE_URL=… --publish 127.0.0.1:8787:8787 rolecall serve

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/rolecall
ENV PATH=/opt/rolecall/bin:$PATH
WORKDIR /src
# Dependencies change less often than code, so they are a layer of their own.
COPY requirements/run.txt requirements/run.txt
RUN pip install --require-hashes --requirement requirements/run.txt
COPY pyproject.toml README.md LICENSE piccolo_conf.py ./
COPY api api
COPY services services
COPY meta_tools meta_tools
COPY db db
RUN pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN groupadd --system --gid 10001 rolecall \
  && useradd --system --uid 10001 --gid rolecall --home-dir /var/lib/rolecall --create-home rolecall
COPY --from=build /opt/rolecall /opt/rolecall
ENV PATH=/opt/rolecall/bin:$PATH \
  PYTHONUNBUFFERED=1 \
  ROLECALL_HOST=0.0.0.0 \
  ROLECALL_DATA_DIR=/var/lib/rolecall/data
USER rolecall
WORKDIR /var/lib/rolecall
EXPOSE 8787
# A worker serves nothing, so compose.yaml switches this off for it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ.get(\"ROLECALL_PORT\", \"8787\")}/health', timeout=4)"]
# SIGTERM: finish requests, give executions back, end with 0. Allow 30 seconds for it.
STOPSIGNAL SIGTERM
ENTRYPOINT ["rolecall"]
CMD ["serve"]
