"""Exports entries of the journal: as JSON, as NDJSON, and as HAR 1.2, which browsers' tools can open."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from mock_editor.base.words import english
from mock_editor.journal.model import Entry, EntrySummary

Headers = Sequence[tuple[str, str]]


def as_json(entry: Entry) -> dict[str, Any]:
    """An entry as the admin API shows it. ``duration`` is in milliseconds; sizes are those of the whole body, in bytes.

    A body that is not UTF-8 is in base64, and ``encoding`` says so; ``cut`` says that the body was longer.
    """
    return {
        **summary(entry),
        "request": _message(entry.request_headers, entry.request_body, entry.request_size),
        "answer": _message(entry.answer_headers, entry.answer_body, entry.answer_size),
    }


def summary(entry: Entry | EntrySummary) -> dict[str, Any]:
    """An entry as the admin API lists it."""
    return {
        "id": entry.id,
        "time": _instant(entry.time),
        "clock": _instant(entry.clock),
        "direction": entry.direction,
        "editor": entry.editor,
        "flow": entry.flow.value,
        "method": entry.method,
        "url": entry.url,
        "status": entry.status,
        "duration": entry.duration,
        "peer": entry.peer,
        "certificate": entry.certificate,
        "error": entry.error and english(entry.error),
        "rule": entry.rule and entry.rule.english,
    }


def as_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The entries as NDJSON: one per line."""
    return (orjson.dumps(as_json(entry), option=orjson.OPT_APPEND_NEWLINE) for entry in entries)


def as_har(entries: Iterable[Entry], *, version: str) -> Iterator[bytes]:
    """A HAR file, in pieces."""
    head = {"version": "1.2", "creator": {"name": "mock_editor", "version": version}, "entries": []}
    yield b'{"log":' + orjson.dumps(head).removesuffix(b"]}")
    mark = b""
    for entry in entries:
        yield mark + orjson.dumps(_har_entry(entry))
        mark = b",\n"
    yield b"]}}"


def _har_entry(entry: Entry) -> dict[str, Any]:
    har: dict[str, Any] = {
        "startedDateTime": _instant(entry.time),
        "time": entry.duration,
        "request": _har_request(entry),
        "response": _har_response(entry),
        "cache": {},
        "timings": {"send": 0, "wait": entry.duration, "receive": 0},
        "_id": entry.id,
        "_clock": _instant(entry.clock),
        "_direction": entry.direction,
        "_editor": entry.editor,
        "_flow": entry.flow.value,
        "_peer": entry.peer,
        "_certificate": entry.certificate,
        "_error": entry.error and english(entry.error),
        "_rule": entry.rule and entry.rule.english,
    }
    if entry.direction == "out" and entry.peer:
        har["serverIPAddress"] = entry.peer.rpartition(":")[0]
    return har


def _absolute(entry: Entry) -> str:
    """The URL as HAR wants it. An unreadable request has none; ``OPTIONS *`` is about the whole server."""
    if entry.url.startswith(("http://", "https://")):
        return entry.url
    url = "" if entry.url == "*" else entry.url.removeprefix("/")
    return f"{entry.origin}/{url}"


def _har_request(entry: Entry) -> dict[str, Any]:
    url = _absolute(entry)
    request: dict[str, Any] = {
        "method": entry.method or "?",
        "url": url,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(entry.request_headers),
        "queryString": _pairs(parse_qsl(urlsplit(url).query, keep_blank_values=True)),
        "headersSize": -1,
        "bodySize": entry.request_size,
    }
    if entry.request_size:
        sent = _content(entry.request_body, entry.request_size)
        request["postData"] = {"mimeType": _media_type(entry.request_headers), "text": sent["text"]}
        notes = [*(["in base64"] if "encoding" in sent else []), *([sent["comment"]] if "comment" in sent else [])]
        if notes:
            request["postData"]["comment"] = ", ".join(notes)
    return request


def _har_response(entry: Entry) -> dict[str, Any]:
    content = {"size": entry.answer_size, "mimeType": _media_type(entry.answer_headers)}
    return {
        "status": entry.status or 0,
        "statusText": _phrase(entry.status),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _pairs(entry.answer_headers),
        "content": content | _content(entry.answer_body, entry.answer_size),
        "redirectURL": _header(entry.answer_headers, "location"),
        "headersSize": -1,
        "bodySize": entry.answer_size,
    }


def _message(headers: Headers, body: bytes, size: int) -> dict[str, Any]:
    text, encoding = _text(body, cut=len(body) < size)
    return {
        "headers": _pairs(headers),
        "body": text,
        "encoding": encoding,
        "size": size,
        "cut": len(body) < size,
    }


def _content(body: bytes, size: int) -> dict[str, Any]:
    text, encoding = _text(body, cut=len(body) < size)
    content = {"text": text}
    if encoding:
        content["encoding"] = encoding
    if len(body) < size:
        content["comment"] = f"the first {len(body)} of {size} bytes"
    return content


def _text(body: bytes, *, cut: bool) -> tuple[str, str | None]:
    """A body as text, and the encoding of that text if it is base64."""
    try:
        return body.decode("utf-8"), None
    except UnicodeDecodeError as error:
        if cut and error.start >= len(body) - 3:
            return body[: error.start].decode("utf-8"), None  # cut within a character
        return base64.b64encode(body).decode("ascii"), "base64"


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _header(headers: Headers, wanted: str) -> str:
    return next((value for name, value in headers if name.lower() == wanted), "")


def _media_type(headers: Headers) -> str:
    return _header(headers, "content-type") or "application/octet-stream"


def _phrase(status: int | None) -> str:
    try:
        return HTTPStatus(status or 0).phrase
    except ValueError:
        return ""


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
