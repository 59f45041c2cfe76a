FROM python:3.11-slim AS build
WORKDIR /src
COPY requirements.txt .
RUN python -m venv /opt/mock_editor \
    && /opt/mock_editor/bin/pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY pyproject.toml README.md ./
COPY mock_editor mock_editor
COPY scenarios scenarios
COPY data data
RUN /opt/mock_editor/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && /opt/mock_editor/bin/python -m compileall -q /opt/mock_editor

FROM python:3.11-slim
# The two folders are there so that volumes mounted on them belong to the user.
RUN useradd --system --uid 10001 --no-create-home mock_editor \
    && install -d -o mock_editor -m 700 /data /certs
COPY --from=build /opt/mock_editor /opt/mock_editor
USER mock_editor
# State, journal and temporary files: all that is written. The root file system may be read-only.
WORKDIR /data
VOLUME /data
# In a container, clients are never on its own loopback.
ENV MOCK_EDITOR_HOST=0.0.0.0 MOCK_EDITOR_PUBLIC_URL=http://localhost:8000 MOCK_EDITOR_DATABASE=/data/state.db \
    TMPDIR=/data PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000 8443
# Not urllib.request: Docker may hand its user's proxy on to the container, and 127.0.0.1 is not for a proxy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["/opt/mock_editor/bin/python", "-c", \
    "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8000, 2); c.request('GET', '/_health'); exit(c.getresponse().status != 200)"]
ENTRYPOINT ["/opt/mock_editor/bin/mock-editor"]
CMD ["serve"]
