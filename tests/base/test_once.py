"""Shared work: threads meet on events, nobody sleeps."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mock_editor.base.errors import EditorError
from mock_editor.base.once import Once

LONG = 60.0


class Work:
    """Work that begins and ends when the test wants it; ``done`` is what was made, and ``kept``."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.done: list[str] = []
        self.kept: dict[str, str] = {}
        self.failing = False

    def make(self, key: str) -> Callable[[], str]:
        def made() -> str:
            self.begun.release()
            assert self.go_on.acquire(timeout=LONG)
            if self.failing:
                self.failing = False
                raise KeyError(key)
            self.done.append(key)
            self.kept[key] = f"made of {key}"
            return self.kept[key]

        return made

    def ask(self, once: Once[str], key: str) -> str:
        return once.do(key, lambda: self.kept.get(key), self.make(key))

    def await_begun(self) -> None:
        assert self.begun.acquire(timeout=LONG)


@pytest.fixture
def work() -> Work:
    return Work()


def test_others_wait_for_the_first_and_get_the_same(work: Work) -> None:
    once: Once[str] = Once(4, LONG)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(work.ask, once, "a")
        work.await_begun()
        second = pool.submit(work.ask, once, "a")
        other = work.kept.setdefault("b", "kept")
        # It is not held up by work on something else.
        assert work.ask(once, "b") == other
        work.go_on.release()
        assert second.result(LONG) is first.result(LONG)
    assert work.done == ["a"]


def test_a_failure_is_not_shared(work: Work) -> None:
    once: Once[str] = Once(4, LONG)
    work.failing = True
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(work.ask, once, "a")
        work.await_begun()
        others = [pool.submit(work.ask, once, "a") for _ in range(2)]
        work.go_on.release()
        assert isinstance(first.exception(LONG), KeyError)
        work.go_on.release(2)
        assert [one.result(LONG) for one in others] == ["made of a"] * 2


def test_only_so_many_are_made_together_and_nobody_waits_for_ever(work: Work) -> None:
    once: Once[str] = Once(1, 0.05)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(work.ask, once, "a")
        work.await_begun()
        for key in ("a", "b"):
            with pytest.raises(EditorError) as refused:
                work.ask(once, key)
            assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
        work.go_on.release()
        assert first.result(LONG) == "made of a"
        # The place is free again.
        work.go_on.release()
        assert work.ask(once, "b") == "made of b"
