# The service in an image: `docker build --tag tenantry .`; the default command serves, `worker` routes and indexes.
FROM python:3.13-slim-trixie AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/tenantry
# The dependencies first: they change less often than the code. Each is checked against its locked hash.
COPY requirements/run.txt requirements/dev.txt requirements/
RUN /opt/tenantry/bin/python -m pip install --require-hashes --only-binary :all: --requirement requirements/run.txt
# What builds the wheel is locked, too, and does not get into the image.
RUN python -m venv /opt/build \
    && awk '/^[a-z]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted' requirements/dev.txt > build.txt \
    && /opt/build/bin/python -m pip install --require-hashes --only-binary :all: --requirement build.txt
COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY dashboards dashboards
COPY keyvault keyvault
COPY streams streams
RUN /opt/build/bin/python -m hatchling build --target wheel --directory dist \
    && /opt/tenantry/bin/python -m pip install --no-deps --no-index dist/*.whl

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="Tenantry" org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --system --gid 10001 tenantry \
    && useradd --system --uid 10001 --gid tenantry --no-create-home --home-dir /data --shell /usr/sbin/nologin tenantry \
    && install --directory --owner tenantry --group tenantry --mode 0700 /data
COPY --from=build /opt/tenantry /opt/tenantry
ENV PATH=/opt/tenantry/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    TENANTRY_DATA=/data TENANTRY_HOST=0.0.0.0 TENANTRY_PORT=8080
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ['TENANTRY_PORT']}/healthz\", timeout=4)"]
ENTRYPOINT ["tenantry"]
CMD ["serve"]
