"""Starts Python programs by a fork of a process that has imported everything, instead of anew.

Importing takes nearly two seconds of CPU and the tests start hundreds of servers. Each is still a process of its own,
with its own arguments, environment and files, and a child of the process that runs the tests. Tests about the start
itself use ``subprocess``.
"""

import ctypes
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

_PR_SET_CHILD_SUBREAPER = 36
_LARGEST = 1 << 20
# Those of a process: standard input, output and error.
_FILES = 3


class Python(subprocess.Popen[Any]):
    """``subprocess.Popen`` for ``[sys.executable, …]``: a module (``-m``) or a script, with arguments."""

    def _execute_child(self, args: Any, *rest: Any) -> None:
        (_, preexec, _, _, cwd, env, _, _, shell, p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite) = rest[:15]
        # The last but one: umask, start_new_session, process_group.
        new_session = rest[-2]
        assert args[0] == sys.executable
        assert not preexec
        assert not shell
        files = [c if c != -1 else inherited for c, inherited in ((p2cread, 0), (c2pwrite, 1), (errwrite, 2))]
        try:
            self.pid = _nursery().start(args[1:], env, str(cwd or Path.cwd()), bool(new_session), files)
            self._child_created = True
        finally:
            self._close_pipe_fds(p2cread, p2cwrite, c2pread, c2pwrite, errread, errwrite)  # type: ignore[attr-defined]


class _Nursery:
    """The process that has imported everything, as its parent sees it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ours, theirs = socket.socketpair()
        with theirs:
            # It ends when our side of the socket is closed, that is with us.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forks", str(theirs.fileno())], pass_fds=[theirs.fileno()]
            )

    def start(self, arguments: list[str], env: Any, cwd: str, new_session: bool, files: list[int]) -> int:
        """The process id of a new child of ours that runs a program."""
        asked = {
            "arguments": [os.fspath(one) for one in arguments],
            "env": dict(os.environ if env is None else env),
            "cwd": cwd,
            "new_session": new_session,
        }
        with self._lock:
            # An orphan goes to the next ancestor that takes them: for a moment that is us, and else it is init.
            _take_orphans(True)
            try:
                message = json.dumps(asked).encode()
                self._ours.sendall(len(message).to_bytes(4, "big"))
                socket.send_fds(self._ours, [message[:1]], files)
                self._ours.sendall(message[1:])
                pid = int.from_bytes(_read(self._ours, 4), "big")
            finally:
                _take_orphans(False)
        assert pid, "the nursery could not fork"
        return pid


@cache
def _nursery() -> _Nursery:
    return _Nursery()


def _take_orphans(take: bool) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(take), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def _read(sock: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = sock.recv(size - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


# --- in the process that has imported everything


def _import_all() -> None:
    package = importlib.import_module("mock_editor")
    for found in pkgutil.walk_packages(package.__path__, "mock_editor."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    # Threads do not survive a fork, and what they hold would stay held.
    assert threading.active_count() == 1


def _serve(sock: socket.socket) -> None:
    while True:
        try:
            size = int.from_bytes(_read(sock, 4), "big")
        except EOFError:
            return
        first, files, _, _ = socket.recv_fds(sock, 1, _FILES)
        asked = json.loads(first + _read(sock, size - 1))
        told, tells = os.pipe()
        between = os.fork()
        if not between:
            # What is in between ends at once, so that the program has no parent, and gets that of this process.
            pid = os.fork()
            if pid:
                os.write(tells, pid.to_bytes(4, "big"))
                os._exit(0)
            for file in (sock.fileno(), told, tells):
                os.close(file)
            _become(asked, files)
        for file in (tells, *files):
            os.close(file)
        os.waitpid(between, 0)
        # By now, the program is a child of the tests.
        sock.sendall(os.read(told, 4))
        os.close(told)


def _become(asked: dict[str, Any], files: list[int]) -> None:
    """Runs the program in this process, as the interpreter would, and ends it."""
    code = 1
    try:
        _take_over(asked, files)
        code = _run(asked["arguments"])
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)


def _take_over(asked: dict[str, Any], files: list[int]) -> None:
    """Makes what the program was started with this process's own."""
    for number, file in enumerate(files):
        os.dup2(file, number)
    for file in files:
        if file >= _FILES:
            os.close(file)
    if asked["new_session"]:
        os.setsid()
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    through = bool(asked["env"].get("PYTHONUNBUFFERED"))
    for number, name in ((1, "stdout"), (2, "stderr")):
        errors = "backslashreplace" if number == 2 else "strict"
        stream = os.fdopen(os.dup(number), "w", encoding="utf-8", errors=errors)
        stream.reconfigure(line_buffering=number == 2, write_through=through)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _run(arguments: list[str]) -> int:
    sys.argv = arguments
    try:
        if arguments[0] == "-m":
            sys.argv = arguments[1:]
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.path[0] = str(Path(arguments[0]).parent)
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return int(end.code or 0)
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as inherited:
        _import_all()
        _serve(inherited)
