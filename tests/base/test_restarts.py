"""When a process that has ended is replaced."""

from mock_editor.base.restarts import Restarts


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_that_has_served_for_a_while_is_replaced_at_once() -> None:
    restarts = Restarts(Watch())
    restarts.ended(3600.0)
    assert restarts.pause == 0


def test_the_pause_grows_as_long_as_none_gets_on_and_not_for_ever() -> None:
    watch = Watch()
    restarts = Restarts(watch)
    pauses = []
    for _ in range(100):
        restarts.ended(None)
        pauses.append(restarts.pause)
        watch.now += restarts.pause
        assert restarts.pause == 0
    assert pauses[:7] == [0.5, 1, 2, 4, 8, 16, 30]
    assert pauses[-1] == 30
    restarts.ended(60.0)
    assert restarts.pause == 0
    restarts.ended(0.1)
    assert restarts.pause == 0.5


def test_several_that_end_together_count_once() -> None:
    restarts = Restarts(Watch())
    for _ in range(64):
        restarts.ended(None)
    assert restarts.pause == 0.5
