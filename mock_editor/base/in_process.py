"""Sends the calls of a requests session to a WSGI application in this process instead of over the network."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from wsgiref.types import WSGIApplication

from requests import ConnectionError, PreparedRequest, Response  # noqa: A004 - theirs, not the built-in one
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from werkzeug.test import EnvironBuilder, run_wsgi_app


class InProcessAdapter(BaseAdapter):
    """Mount it for the URLs that begin with ``public_url``, under which clients reach ``app``.

    ``environ`` goes into the environment of each call.
    """

    def __init__(self, app: WSGIApplication, public_url: str, environ: Mapping[str, object] | None = None) -> None:
        super().__init__()
        self._app = app
        self._public_url = public_url
        self._environ = dict(environ or {})

    def send(self, request: PreparedRequest, *_args: Any, **_how: Any) -> Response:
        """The application's answer. Raises ConnectionError when it ends without one."""
        path, _, query = str(request.url or "").removeprefix(self._public_url).partition("?")
        body: Any = request.body or b""
        builder = EnvironBuilder(
            path=path,
            query_string=query,
            base_url=self._public_url,
            method=request.method or "GET",
            headers=list(request.headers.items()),
            data=body.encode() if isinstance(body, str) else body,
            environ_overrides=self._environ,
        )
        try:
            pieces, status, headers = run_wsgi_app(self._app, builder.get_environ(), buffered=True)
        except OSError as error:
            # What a fault does to a connection.
            raise ConnectionError(error, request=request) from error
        response = Response()
        response.status_code = int(status.partition(" ")[0])
        response.headers = CaseInsensitiveDict(headers.items())
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw = BytesIO(b"".join(pieces))
        response.url = str(request.url)
        response.request = request
        return response

    def close(self) -> None:
        """Nothing is held open."""
