# The production image. It needs the variables of .env.example. Its disk may be read-only, except for /tmp.
#
#   docker build --tag task-api .
#   docker run --rm --env-file .env task-api python manage.py migrate    # once for each release, before it serves
#   docker run --publish 127.0.0.1:8000:8000 --stop-timeout 35 --env-file .env task-api
#
#   docker run … task-api python -m config.granian                       # the other server: docs/granian.md
#
# (--env-file takes each value as it stands, quotes included.)
# No replica migrates at its start: ten would do it at once, and each would need the right to change tables.

# By digest, so that the tested image is the one that runs. Dependabot updates it.
FROM python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b AS base

FROM base AS build
COPY requirements-granian.txt /requirements.txt
RUN python -m venv --without-pip /venv \
    && python -m pip --python /venv/bin/python install --no-cache-dir --only-binary :all: \
        --require-hashes --requirement /requirements.txt
WORKDIR /app
# All that .dockerignore lets through, which lists what belongs here.
COPY . .
# The user below may not write here, so without this every start would compile the code.
RUN python -m compileall -q .

FROM base
RUN useradd --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin app
ENV ENVIRONMENT=production \
    PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER 10001:10001
EXPOSE 8000
# ProxyHandler({}): the probe must not use the container's HTTP_PROXY.
HEALTHCHECK --interval=15s --timeout=8s --start-period=20s --retries=3 CMD ["python", "-c", "\
import os, urllib.request as u; \
u.build_opener(u.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ.get('PORT') or 8000}/health\", timeout=7)"]
# SIGTERM, Docker's default, gives running requests 30 s to finish: give the container longer than that to stop.
CMD ["gunicorn"]
