# Echolens on the CPU (VARIANT=cpu; linux/amd64 and linux/arm64) or on a CUDA device (VARIANT=gpu; linux/amd64). It listens
# beyond loopback, so it starts only with a key: see docker-compose.yml and docs/operations.md. BASE may be another image
# of the same Python and Debian release.
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ARG VARIANT=cpu
# Further extras of pyproject.toml, such as EXTRAS=figures.
ARG EXTRAS=
# Where the CPU variant takes PyTorch from. Empty: where PyTorch publishes its CPU builds, which uv knows, since pip finds the
# CUDA build, 5 GB more; `none`: what pip's settings find; or the address of a mirror. docs/decisions/0021-containers.md
ARG TORCH_INDEX=
# pip's settings of the place where the image is built, if it needs any; nothing of them stays in the image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG INSTALL="python -m pip --python /opt/echolens/bin/python install --no-cache-dir --disable-pip-version-check --root-user-action ignore"
RUN case "$VARIANT" in cpu|gpu) ;; *) echo "VARIANT=$VARIANT given, cpu or gpu expected" >&2; exit 1 ;; esac \
 && python -m venv --without-pip /opt/echolens

# Three layers, from what seldom changes to what always does: PyTorch, the other packages, Echolens. An upgrade of the code
# moves a few megabytes.
WORKDIR /src
COPY constraints.txt constraints-gpu.txt ./
# The CPU variant keeps no pin of the CUDA build: `torch===` would refuse 2.13.0+cpu.
RUN if [ "$VARIANT" = cpu ]; then : > constraints-gpu.txt; fi \
 && torch="$(cat constraints-gpu.txt constraints.txt | grep --max-count 1 ^torch=)" \
 && case "$VARIANT$TORCH_INDEX" in \
      gpu*|cpunone) $INSTALL --no-deps "$torch" ;; \
      cpu) python -m venv /tmp/uv && /tmp/uv/bin/pip install --quiet uv \
        && /tmp/uv/bin/uv pip install --no-cache --python /opt/echolens/bin/python --no-deps --torch-backend cpu "$torch" ;; \
      *) $INSTALL --no-deps --index-url "$TORCH_INDEX" "$torch" ;; \
    esac \
 && rm -rf /opt/echolens/lib/python3*/site-packages/torch/include /opt/echolens/lib/python3*/site-packages/torch/test

COPY pyproject.toml ./
RUN python -c "import sys, tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; e = p['optional-dependencies']; \
print(*p['dependencies'], *(d for name in sys.argv[1:] for d in e[name]), sep='\n')" "$VARIANT" $EXTRAS > dependencies.txt \
 && $INSTALL --root /layers/packages --no-warn-script-location -c constraints.txt -c constraints-gpu.txt -r dependencies.txt \
 && cd /layers/packages/opt/echolens/lib/python3*/site-packages && find scipy sklearn sympy networkx -name tests -prune -exec rm -rf {} +

COPY README.md LICENSE ./
COPY app app
COPY echolens echolens
COPY model model
COPY index index
RUN $INSTALL --root /layers/echolens --no-warn-script-location --no-deps .

FROM ${BASE}
ARG BASE
ARG VARIANT=cpu
RUN groupadd --gid 10001 echolens \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin echolens \
 && install -d -m 0777 -o echolens -g echolens /data /snapshots
COPY --from=build /opt/echolens /opt/echolens
COPY --from=build /layers/packages/ /
COPY --from=build /layers/echolens/ /

# The root file system may be read-only: what is written goes to /data (the library, its models), /snapshots and /tmp.
ENV PATH=/opt/echolens/bin:$PATH ECHOLENS_DATA=/data ECHOLENS_HOST=0.0.0.0 ECHOLENS_PORT=8000 \
    HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba CUDA_CACHE_PATH=/data/cache/cuda PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /data
# Any user will do: a new volume takes the rights of /data, and may be written to by whoever `--user` names.
USER 10001:10001
# All of it loads, and PyTorch and FAISS are both built for the CPU, or both for CUDA.
RUN echolens openapi > /dev/null && rm -rf /tmp/numba \
 && python -c "import sys, faiss, torch; cuda, gpu = torch.version.cuda, hasattr(faiss, 'StandardGpuResources'); \
expected = sys.argv[1] == 'gpu'; sys.exit(f'VARIANT={sys.argv[1]} given, but PyTorch came with {cuda=} and FAISS with {gpu=}: \
see TORCH_INDEX above and constraints-gpu.txt' if (bool(cuda), gpu) != (expected, expected) else 0)" "$VARIANT"

VOLUME ["/data", "/snapshots"]
EXPOSE 8000
STOPSIGNAL SIGTERM
# A start takes some seconds: Python loads the model, and where footage is there the index.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=8)"]
CMD ["echolens", "serve"]

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Echolens" \
      org.opencontainers.image.description="Search sight by sound and sound by sight in footage that nobody has labelled" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="${BASE}"
