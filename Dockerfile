# Echolens on the CPU (VARIANT=cpu) or on a CUDA device (VARIANT=gpu). It listens beyond loopback, so it starts only with a
# key: see docker-compose.yml and docs/operations.md. BASE may be another image of the same Python and Debian release.
ARG BASE=python:3.11-slim-bookworm

# Everything that is installed goes into one virtual environment, which is all that the second stage takes.
FROM ${BASE} AS build
ARG VARIANT=cpu
# pip's settings of the place where the image is built, if it needs any; nothing of them stays in the image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG INSTALL="python -m pip --python /opt/echolens/bin/python install --no-cache-dir --disable-pip-version-check --root-user-action ignore"
RUN case "$VARIANT" in cpu|gpu) ;; *) echo "VARIANT=$VARIANT given, cpu or gpu expected" >&2; exit 1 ;; esac \
 && python -m venv --without-pip /opt/echolens

# The dependencies come first, in a layer of their own: a change of the code leaves them be.
WORKDIR /src
COPY pyproject.toml constraints.txt ./
RUN python -c "import sys, tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; e = p['optional-dependencies']; \
print(*p['dependencies'], *e[sys.argv[1]], sep='\n')" "$VARIANT" > dependencies.txt \
 && $INSTALL -c constraints.txt -r dependencies.txt

# Run once at the end: it shows that all of it loads, and leaves the compiled modules, which a read-only start cannot write.
COPY README.md LICENSE ./
COPY app app
COPY echolens echolens
COPY model model
COPY index index
RUN $INSTALL --no-deps . && cd / && NUMBA_CACHE_DIR=/tmp/numba /opt/echolens/bin/echolens openapi > /dev/null

FROM ${BASE}
RUN groupadd --gid 10001 echolens \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin echolens \
 && install -d -o echolens -g echolens /data /snapshots
COPY --from=build /opt/echolens /opt/echolens

# The root file system may be read-only: what is written goes to /data (the library, its models), /snapshots and /tmp.
ENV PATH=/opt/echolens/bin:$PATH ECHOLENS_DATA=/data ECHOLENS_HOST=0.0.0.0 ECHOLENS_PORT=8000 \
    HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /data
USER 10001:10001
VOLUME ["/data", "/snapshots"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# A start takes some seconds: Python loads the model, and where footage is there the index.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=8)"]
CMD ["echolens", "serve"]
