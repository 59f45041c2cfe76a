"""Every internal of gunicorn that ``mock_editor/server/`` relies on: read this first after an upgrade of gunicorn.

A failure here names what has changed. What the server does with it is tested on real sockets in tests/wire/.
"""

import inspect
import re
from typing import Any

import pytest
from gunicorn import util
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.config import Config
from gunicorn.errors import HaltServer
from gunicorn.http import errors, wsgi
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import Unreader
from gunicorn.workers.base import Worker as BaseWorker
from gunicorn.workers.gthread import PollableMethodQueue, TConn, ThreadWorker

from mock_editor.server import loop, running, worker
from mock_editor.server.connections import Connection, TimedResponse

# What is overridden or called, with the parameters that it has to have.
METHODS = [
    (BaseApplication, "__init__", ["self", "usage", "prog"]),
    (BaseApplication, "load_config", ["self"]),
    (BaseApplication, "load", ["self"]),
    (BaseApplication, "wsgi", ["self"]),
    (BaseApplication, "run", ["self"]),
    (Arbiter, "__init__", ["self", "app"]),
    (Arbiter, "run", ["self"]),
    (Arbiter, "init_signals", ["self"]),
    (Arbiter, "handle_term", ["self"]),
    (Arbiter, "handle_int", ["self"]),
    (Arbiter, "handle_hup", ["self"]),
    (Arbiter, "manage_workers", ["self"]),
    (Arbiter, "spawn_workers", ["self"]),
    (Arbiter, "spawn_worker", ["self"]),
    (Arbiter, "stop", ["self", "graceful"]),
    (HaltServer, "__init__", ["self", "reason", "exit_status"]),
    (ThreadWorker, "__init__", ["self", "args", "kwargs"]),
    (ThreadWorker, "init_process", ["self"]),
    (ThreadWorker, "init_signals", ["self"]),
    (ThreadWorker, "get_thread_pool", ["self"]),
    (ThreadWorker, "handle_exit", ["self", "sig", "frame"]),
    (ThreadWorker, "run", ["self"]),
    (ThreadWorker, "notify", ["self"]),
    (ThreadWorker, "is_parent_alive", ["self"]),
    (ThreadWorker, "set_accept_enabled", ["self", "enabled"]),
    (ThreadWorker, "wait_for_and_dispatch_events", ["self", "timeout"]),
    (ThreadWorker, "accept", ["self", "listener"]),
    (ThreadWorker, "enqueue_req", ["self", "conn"]),
    (ThreadWorker, "on_pending_socket_readable", ["self", "conn", "client"]),
    (ThreadWorker, "on_client_socket_readable", ["self", "conn", "client"]),
    (ThreadWorker, "finish_request", ["self", "conn", "fs"]),
    (ThreadWorker, "handle", ["self", "conn"]),
    (ThreadWorker, "handle_request", ["self", "req", "conn"]),
    (ThreadWorker, "handle_error", ["self", "req", "client", "addr", "exc"]),
    (PollableMethodQueue, "fileno", ["self"]),
    (PollableMethodQueue, "defer", ["self", "callback", "args"]),
    (PollableMethodQueue, "run_callbacks", ["self", "_fileobj", "max_callbacks"]),
    (TConn, "__init__", ["self", "cfg", "sock", "client", "server"]),
    (TConn, "init", ["self"]),
    (TConn, "close", ["self", "graceful"]),
    (wsgi.Response, "__init__", ["self", "req", "sock", "cfg"]),
    (wsgi.Response, "start_response", ["self", "status", "headers", "exc_info"]),
    (wsgi.Response, "default_headers", ["self"]),
    (wsgi.Response, "process_headers", ["self", "headers"]),
    (wsgi.Response, "write", ["self", "arg"]),
    (wsgi.Response, "close", ["self"]),
    (wsgi.Response, "force_close", ["self"]),
    (wsgi.Response, "should_close", ["self"]),
    (wsgi, "create", ["req", "sock", "client", "server", "cfg", "response_class", "response_args"]),
    (RequestParser, "__next__", ["self"]),
    (RequestParser, "finish_body", ["self", "deadline", "max_bytes"]),
    (util, "http_date", ["timestamp"]),
]
# Attributes that code of ours reads or sets, and the method of gunicorn that sets them.
ATTRIBUTES = [
    (Arbiter.setup, ["app", "log", "num_workers"]),
    (ThreadWorker.__init__, ["worker_connections", "max_keepalived", "tpool", "poller", "method_queue"]),
    (ThreadWorker.__init__, ["keepalived_conns", "pending_conns", "nr_conns"]),
    (BaseWorker.__init__, ["ppid", "sockets", "app", "cfg", "log", "booted", "alive", "pid"]),
    (BaseWorker.load_wsgi, ["wsgi"]),
    (TConn.__init__, ["cfg", "sock", "client", "server", "timeout", "parser"]),
    (wsgi.Response.__init__, ["sock", "status", "headers_sent"]),
    (wsgi.Response.start_response, ["status"]),
    (Unreader.__init__, ["buf"]),
]
SETTINGS = [
    "worker_class", "bind", "workers", "threads", "worker_connections", "keepalive", "limit_request_line",
    "limit_request_fields", "limit_request_field_size", "timeout", "graceful_timeout", "forwarded_allow_ips",
    "control_socket_disable", "proc_name", "loglevel", "logconfig_dict", "when_ready", "post_worker_init",
    "worker_exit", "child_exit",
]  # fmt: skip
REFUSALS = [
    "LimitRequestLine", "LimitRequestHeaders", "UnsupportedTransferCoding", "ExpectationFailed",
    "InvalidResponseHeader", "InvalidResponseHeaderName",
]  # fmt: skip


@pytest.mark.parametrize(("owner", "name", "parameters"), METHODS, ids=lambda one: getattr(one, "__name__", str(one)))
def test_a_method_has_its_parameters(owner: Any, name: str, parameters: list[str]) -> None:
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


@pytest.mark.parametrize(("method", "names"), ATTRIBUTES, ids=lambda one: getattr(one, "__qualname__", None))
def test_an_attribute_is_set_where_it_was(method: Any, names: list[str]) -> None:
    source = inspect.getsource(method)
    assert [name for name in names if not re.search(rf"\bself\.{name}\b.* = ", source)] == []


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_exists(name: str) -> None:
    assert name in Config().settings


@pytest.mark.parametrize("name", REFUSALS)
def test_a_malformed_request_is_a_parse_exception(name: str) -> None:
    assert issubclass(getattr(errors, name), errors.ParseException)


def test_the_end_of_a_body_is_an_error_of_the_connection() -> None:
    assert issubclass(errors.NoMoreData, OSError)


def test_the_queues_of_connections_are_deques() -> None:
    source = inspect.getsource(ThreadWorker.__init__)
    assert "self.keepalived_conns = deque()" in source
    assert "self.pending_conns = deque()" in source


def test_workers_of_an_arbiter_are_in_a_dictionary() -> None:
    assert Arbiter.WORKERS == {}


def test_exit_codes_that_end_the_whole_server_are_constants_of_the_arbiter() -> None:
    assert (Arbiter.WORKER_BOOT_ERROR, Arbiter.APP_LOAD_ERROR) == (3, 4)
    source = inspect.getsource(Arbiter.reap_workers)
    assert "self.WORKER_BOOT_ERROR" in source
    assert "self.APP_LOAD_ERROR" in source


def test_a_worker_starts_in_the_order_that_ours_counts_on() -> None:
    """``booted`` is set after the hook for the start and before the loop; the pool exists before either."""
    source = inspect.getsource(BaseWorker.init_process)
    order = ["self.init_signals()", "self.load_wsgi()", "self.cfg.post_worker_init(self)", "self.booted = True"]
    assert sorted(order, key=source.index) == order
    assert source.index("self.booted = True") < source.rindex("self.run()")
    assert "self.get_thread_pool()" in inspect.getsource(ThreadWorker.init_process)


def test_callbacks_of_the_poller_get_the_socket() -> None:
    assert "callback(key.fileobj)" in inspect.getsource(ThreadWorker.wait_for_and_dispatch_events)


def test_the_default_headers_name_the_server() -> None:
    """Ours leave this one out."""
    assert '"Server: ' in inspect.getsource(wsgi.Response.default_headers)


@pytest.mark.parametrize(
    ("ours", "stock"),
    [
        (running._Application, BaseApplication),
        (running._Arbiter, Arbiter),
        (loop.PollingWorker, ThreadWorker),
        (worker.Worker, ThreadWorker),
        (Connection, TConn),
        (TimedResponse, wsgi.Response),
    ],
)
def test_every_override_is_named_above(ours: type, stock: type) -> None:
    named = {name for owner, name, _ in METHODS if owner is stock}
    overridden = {name for name, value in vars(ours).items() if inspect.isfunction(value) and hasattr(stock, name)}
    assert overridden <= named
