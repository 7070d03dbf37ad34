# Echolens on the CPU. It listens beyond loopback, so it starts only with a key: see docker-compose.yml and docs/operations.md.
FROM python:3.11-slim-bookworm

# pip's settings of the place where the image is built, if it needs any (--build-arg); nothing of them stays in it.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

RUN groupadd --gid 10001 echolens \
 && useradd --uid 10001 --gid 10001 --home-dir /tmp --no-create-home --shell /usr/sbin/nologin echolens \
 && install -d -o echolens -g echolens /data

# The dependencies come first, in a layer of their own: a change of the code leaves them be.
WORKDIR /src
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; e = p['optional-dependencies']; \
print(*p['dependencies'], *e['cpu'], *e['litert'], sep='\n')" > dependencies.txt \
 && python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore -c constraints.txt -r dependencies.txt

# Run once at the end: it shows that all of it loads, and leaves the compiled modules, which a read-only start cannot write.
COPY README.md LICENSE ./
COPY app app
COPY model model
COPY index index
RUN python -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --no-deps . && rm -rf build ./*.egg-info \
 && echolens --help > /dev/null

# The root file system may be read-only: what is written goes to /data (the library) and /tmp.
ENV ECHOLENS_DATA=/data ECHOLENS_HOST=0.0.0.0 ECHOLENS_PORT=8000 \
    HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /data
USER echolens
VOLUME /data
EXPOSE 8000
# Python takes some seconds to load the model; a first start with the demonstration takes a minute or two.
HEALTHCHECK --interval=15s --timeout=10s --start-period=300s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=8)"]
CMD ["echolens", "serve"]
