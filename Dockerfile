# Another base that has Python 3.11 or newer, as `python3`: docker build --build-arg BASE=…
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
# Where pip finds packages, if not on PyPI; and an authority that it trusts: `ca.pem` beside this file, and
# --build-arg PIP_CERT=/src/ca.pem
ARG PIP_INDEX_URL
ARG PIP_CERT
WORKDIR /src
COPY requirements.txt ca.pe[m] ./
RUN python3 -m venv /opt/mock_editor \
    && /opt/mock_editor/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY pyproject.toml README.md ./
COPY mock_editor mock_editor
COPY scenarios scenarios
COPY data data
RUN /opt/mock_editor/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /opt/mock_editor/bin/python -m compileall -q /opt/mock_editor

FROM ${BASE}
# The two folders are there so that volumes mounted on them belong to the user.
RUN install -d -o 10001 -g 10001 -m 700 /data /certs
COPY --from=build /opt/mock_editor /opt/mock_editor
# A number: Kubernetes cannot tell of a name whether it is root.
USER 10001:10001
# State, journal and temporary files: all that is written. The root file system may be read-only.
WORKDIR /data
VOLUME /data
# In a container, clients are never on its own loopback.
ENV PATH=/opt/mock_editor/bin:$PATH MOCK_EDITOR_HOST=0.0.0.0 MOCK_EDITOR_PUBLIC_URL=http://localhost:8000 \
    MOCK_EDITOR_DATABASE=/data/state.db TMPDIR=/data PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["python", "-m", "mock_editor.health"]
ENTRYPOINT ["mock-editor"]
CMD ["serve"]
