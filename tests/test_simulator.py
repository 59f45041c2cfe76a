"""What is played, and what takes its place: another scenario, a saved state, another course of the clock."""

import gc
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from werkzeug.test import Client, TestResponse

from mock_editor import scenario
from mock_editor.accounts import payload
from mock_editor.base.clock import Clock, Mode, frozen
from mock_editor.base.database import begin_request, begin_task
from mock_editor.base.errors import EditorError
from mock_editor.base.store import StoreError
from mock_editor.base.worlds import WORLD
from mock_editor.calendars.catalogue import calendars_of
from mock_editor.calendars.model import Appointment, AppointmentStatus, RegulatorId, SlotType, Window
from mock_editor.faults.rules import Rule
from mock_editor.notifications.model import Attempt, NotificationState
from mock_editor.notifications.outcomes import answered
from mock_editor.scenario import LoadedScenario, ScenarioError, Script
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.world import StatePart, World
from tests.accounts.conftest import BASE, NATIONAL, regulator
from tests.conftest import GUIDE_THOMAS, NOW, json_of, playing, slot_search

N = (NATIONAL, "3456780581/11242343")
GUIDE = scenario.find("exemples-guide")
Play = Callable[..., Simulator]


@pytest.fixture
def play(played: LoadedScenario, tmp_path: Path) -> Play:
    """Plays the default scenario; each one that is made shares the state with those before it."""

    def one(clock: Clock | None = None, **settings: str) -> Simulator:
        return playing(played, clock or Clock(NOW), tmp_path, **settings)

    return one


def call(on: Simulator, method: str, path: str, **content: Any) -> TestResponse:
    return Client(on).open(path, method=method, environ_base={"REMOTE_ADDR": "127.0.0.1"}, **content)


def get(on: Simulator, path: str) -> TestResponse:
    return call(on, "GET", path)


def editors(on: Simulator) -> list[str]:
    return list(json_of(get(on, "/_health"))["editors"])


def accounts(on: Simulator) -> list[str]:
    return [one["id"] for one in json_of(get(on, "/_admin/accounts"))["accounts"]]


def post_account(on: Simulator) -> None:
    assert call(on, "POST", BASE, json=regulator(N)).status_code == 201


def written(text: str) -> Script:
    return Script("sent.yaml", text, file=False)


# --- scenarios


def test_another_scenario_takes_the_place_of_the_one_in_play(play: Play) -> None:
    on = play()
    post_account(on)
    on.load(Script.read(GUIDE), keep_state=False)
    assert "agenda-ps" in editors(on)
    assert get(on, "/agenda-ps/fhir/metadata").status_code == 200
    assert get(on, slot_search([GUIDE_THOMAS])).status_code == 404


def test_its_clock_counts_unless_the_settings_have_one(played: LoadedScenario, tmp_path: Path) -> None:
    on = playing(played, Clock(), tmp_path)
    on.load(Script.read(GUIDE), keep_state=False)
    assert on.clock.now() == scenario.load(GUIDE).frozen_at
    on.load(played.script, keep_state=False)
    assert on.clock.course.mode is Mode.REAL


def test_the_state_is_that_of_the_new_scenario(play: Play) -> None:
    on = play()
    declared = accounts(on)
    post_account(on)
    on.load(on.world.scenario.script, keep_state=False)
    assert accounts(on) == declared
    post_account(on)
    on.load(on.world.scenario.script, keep_state=True)
    assert len(accounts(on)) == len(declared) + 1


def test_other_processes_play_it_once_they_look(play: Play) -> None:
    one, other = play(), play()
    one.load(Script.read(GUIDE), keep_state=False)
    other.follow()
    assert editors(other) == editors(one)
    other.load(one.world.scenario.script, keep_state=True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: x\nseed: s\ntitle: t\nwrong: 1\neditors: []\ncalendars: {}\n", ":4: wrong: unknown key"),
        ("name: [\n", ":2: not YAML"),
        ("", ":1: the file is empty"),
    ],
)
def test_a_wrong_scenario_changes_nothing_and_says_why(play: Play, text: str, line: str) -> None:
    on = play()
    post_account(on)
    before = (editors(on), accounts(on), on.clock.course)
    with pytest.raises(ScenarioError, match=r"sent\.yaml") as refused:
        on.load(written(text), keep_state=False)
    assert f"sent.yaml{line}" in str(refused.value)
    assert (editors(on), accounts(on), on.clock.course) == before


def test_a_file_is_read_again(played: LoadedScenario, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    text = played.script.text
    file.write_text(text, encoding="utf-8")
    on = playing(scenario.load(file), Clock(NOW), tmp_path)
    post_account(on)
    file.write_text(text.replace("slug: agenda-ville", "slug: agenda-autre"), encoding="utf-8")
    on.reload(keep_state=True)
    assert "agenda-autre" in editors(on)
    file.write_text("name: [", encoding="utf-8")
    with pytest.raises(ScenarioError):
        on.reload(keep_state=True)
    assert "agenda-autre" in editors(on)


@pytest.mark.parametrize("keep_state", [True, False])
def test_its_fault_rules_take_the_place_of_all_others(play: Play, keep_state: bool) -> None:
    on, other = play(), play()
    on.faults.put(Rule(name="mine", do=[{"kind": "latency", "seconds": 1}]))
    text = on.world.scenario.script.text + "faults: [{name: its-own, do: [{kind: latency, seconds: 2}]}]\n"
    on.load(written(text), keep_state=keep_state)
    assert [rule.name for rule in on.faults.rules()] == ["its-own"]
    on.faults.put(Rule(name="mine", do=[{"kind": "latency", "seconds": 1}]))
    on.reset({StatePart.FAULTS})
    other.follow()
    assert [rule.name for rule in other.faults.rules()] == ["its-own"]


def test_what_was_sent_as_a_text_cannot_be_read_again(play: Play) -> None:
    on = play()
    on.load(written(GUIDE.read_text(encoding="utf-8")), keep_state=False)
    with pytest.raises(EditorError) as refused:
        on.reload(keep_state=True)
    assert refused.value.status == 409


def test_after_a_restart_the_scenario_of_the_settings_is_played(play: Play) -> None:
    on = play()
    before = editors(on)
    on.load(Script.read(GUIDE), keep_state=False)
    assert editors(play()) == before


# --- the clock


def test_every_process_follows_the_clock(play: Play) -> None:
    one, other = play(), play()
    one.run_clock(frozen(NOW + timedelta(days=1)))
    assert one.clock.now() == NOW + timedelta(days=1)
    other.follow()
    assert other.clock.now() == NOW + timedelta(days=1)


def test_a_clock_goes_on_after_a_restart_with_the_same_scenario(played: LoadedScenario, tmp_path: Path) -> None:
    playing(played, Clock(), tmp_path).run_clock(frozen(NOW))
    assert playing(played, Clock(), tmp_path).clock.now() == NOW
    later = Clock(NOW + timedelta(hours=1))
    assert playing(played, later, tmp_path).clock.now() == later.now()


# --- the state


@pytest.mark.parametrize("serves", [False, True])
def test_a_world_is_let_go_when_another_one_is_played(play: Play, serves: bool) -> None:
    on = play()
    if serves:
        on.world.start()
    for path in (slot_search(GUIDE_THOMAS), "/_console/", "/agenda-ville/connexion", "/_sas/", "/_metrics"):
        assert get(on, path).status_code in (200, 302, 303)
    old = weakref.ref(on.world)
    on.load(Script.read(GUIDE), keep_state=False)
    if serves:
        # A process that has joined the others does so by itself.
        cast(World, old()).stop(wait=True)
    gc.collect()
    assert old() is None


def test_all_worlds_share_the_routes(play: Play) -> None:
    on = play()
    app, rules = on.app, list(on.app.url_map.iter_rules())
    on.load(Script.read(GUIDE), keep_state=False)
    assert on.app is app
    assert list(on.app.url_map.iter_rules()) == rules
    assert editors(on) == [editor.slug for editor in on.world.scenario.editors]


def test_a_request_ends_in_the_world_that_it_began_in(play: Play) -> None:
    on = play()
    world = on.world
    on.load(Script.read(GUIDE), keep_state=False)
    answer = Client(on.app).get("/_health", environ_base={WORLD: world})
    assert json_of(answer)["scenario"] == world.scenario.name != on.world.scenario.name


@pytest.mark.parametrize(
    ("parts", "accounts_left", "moved"),
    [
        ({StatePart.ACCOUNTS}, 0, True),
        ({StatePart.APPOINTMENTS}, 1, True),
        ({StatePart.CLOCK}, 1, False),
        (None, 0, False),
    ],
)
def test_parts_are_reset(play: Play, parts: set[StatePart] | None, accounts_left: int, moved: bool) -> None:
    on = play()
    declared = len(accounts(on))
    post_account(on)
    on.run_clock(frozen(NOW + timedelta(days=1)))
    on.reset(*([parts] if parts else []))
    assert len(accounts(on)) - declared == accounts_left
    assert (on.clock.now() != NOW) == moved


def test_a_saved_state_is_put_back_with_its_scenario_and_clock(play: Play, tmp_path: Path) -> None:
    on = play()
    post_account(on)
    on.run_clock(frozen(NOW + timedelta(days=2)))
    kept = (editors(on), accounts(on), on.clock.now())
    on.save(tmp_path / "saved")
    on.load(Script.read(GUIDE), keep_state=False)
    other = play()
    other.restore((tmp_path / "saved").read_bytes())
    assert (editors(other), accounts(other), other.clock.now()) == kept
    on.follow()
    assert (editors(on), accounts(on), on.clock.now()) == kept


def test_a_state_is_put_back_everywhere_though_another_process_was_just_faster(play: Play, tmp_path: Path) -> None:
    one, other = play(), play()
    kept = editors(one)
    one.save(tmp_path / "saved")
    one.load(Script.read(GUIDE), keep_state=False)
    other.restore((tmp_path / "saved").read_bytes())  # has not heard of it
    one.follow()
    assert editors(one) == editors(other) == kept


def test_a_clock_that_ran_goes_on_from_where_it_was_saved(play: Play, tmp_path: Path) -> None:
    on = play()
    on.run_clock(on.clock.at_rate(1.0, NOW + timedelta(days=3)))
    on.save(tmp_path / "saved")
    on.run_clock(frozen(NOW))
    on.restore((tmp_path / "saved").read_bytes())
    assert timedelta() <= on.clock.now() - (NOW + timedelta(days=3)) < timedelta(minutes=1)


def test_secrets_are_not_saved_and_stay(play: Play, tmp_path: Path) -> None:
    on = play()
    secret = on.world.keys.get("forms", lambda: "a-secret-of-this-simulator")
    on.save(tmp_path / "saved")
    assert secret.encode() not in (tmp_path / "saved").read_bytes()
    on.restore((tmp_path / "saved").read_bytes())
    assert on.world.keys.get("forms", lambda: "another") == secret


def test_what_was_not_saved_here_is_refused(play: Play) -> None:
    on = play()
    post_account(on)
    before = accounts(on)
    with pytest.raises(StoreError):
        on.restore(b"no state")
    assert accounts(on) == before


# --- what was begun before


def _appointment(of: Simulator) -> Appointment:
    """One that is not yet kept, at the first editor."""
    editor = of.world.scenario.editors[0]
    at = calendars_of(editor, GUIDE_THOMAS)[0]
    slot = of.world.bookings.free_slots(at, Window(NOW, NOW + timedelta(days=3)), frozenset(SlotType))[0]
    return Appointment(
        id="", editor=editor.slug, calendar=at.calendar.key, start=slot.start, end=slot.end,
        status=AppointmentStatus.BOOKED, created=NOW, updated=NOW, regulator=RegulatorId(*N), booker="somebody",
        sos=False, practitioner=at.owner.id, patient="Fictif", reason="",
    )  # fmt: skip


def _load(on: Simulator, _: Path) -> None:
    on.load(on.world.scenario.script, keep_state=False)


def _restore(on: Simulator, tmp_path: Path) -> None:
    on.save(tmp_path / "saved")
    on.restore((tmp_path / "saved").read_bytes())


REPLACE = pytest.mark.parametrize("replace", [_load, _restore])
BY = pytest.mark.parametrize(("replace", "other_process"), [(_load, True), (_restore, False)])
WRITES: dict[str, Callable[[World, Appointment], object]] = {
    "a booking": lambda old, one: old.appointments.add(one),
    "an account": lambda old, one: old.provisioning.create(one.editor, payload.regulator(regulator(N))),
    "a session": lambda old, one: old.sessions.open(one.editor, None, sas=False),
    "a day closed by hand": lambda old, one: old.overrides.close_day(one.editor, one.calendar, one.start.date()),
    "an absence": lambda old, one: old.overrides.absent(one.editor, one.practitioner or "", NOW.date(), NOW.date()),
    "a pause of notifications": lambda old, _: old.outbox.pause(paused=True),
}


@BY
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_nothing_of_a_world_that_is_over_is_written(
    play: Play,
    tmp_path: Path,
    write: Callable[[World, Appointment], object],
    other_process: bool,
    replace: Callable[[Simulator, Path], None],
) -> None:
    on = play()
    old, late = on.world, _appointment(on)
    replace(play() if other_process else on, tmp_path)
    with pytest.raises(EditorError) as refused:
        write(old, late)
    assert (refused.value.status, refused.value.headers) == (503, {"Retry-After": "1"})
    on.follow()
    write(on.world, late)


def test_a_first_page_gets_its_secret_whoever_is_in_play(play: Play) -> None:
    """A process that has not yet followed another one shows pages of the world before; their forms need a secret."""
    on = play()
    _load(play(), Path())
    answer = on.app.test_client().get("/agenda-ville/connexion", headers={"Accept": "text/html"})
    assert (answer.status_code, 'name="jeton"' in answer.text) == (200, True)


@REPLACE
def test_what_comes_of_an_attempt_of_before_is_nobodys_any_more(
    play: Play, tmp_path: Path, replace: Callable[[Simulator, Path], None]
) -> None:
    on = play()
    added = on.world.appointments.add(_appointment(on))
    old = on.world.outbox
    [claimed] = old.claim(1, 60)
    replace(on, tmp_path)
    attempt = Attempt("POST", 201, 0.1, answered(201), "")
    with pytest.raises(EditorError, match="503"):
        old.finish(claimed, attempt, NotificationState.ACCEPTED, wait=timedelta(), unsure=False)
    assert [one.attempts for one in on.world.notifications.of(added.editor, added.id)] in ([], [[]])


def test_an_attempt_comes_to_its_end_where_the_state_is_kept(play: Play) -> None:
    on = play()
    added = on.world.appointments.add(_appointment(on))
    old = on.world.outbox
    [claimed] = old.claim(1, 60)
    on.load(on.world.scenario.script, keep_state=True)
    with pytest.raises(EditorError, match="503"):
        old.pause(paused=True)
    old.finish(
        claimed,
        Attempt("POST", 201, 0.1, answered(201), ""),
        NotificationState.ACCEPTED,
        wait=timedelta(),
        unsure=False,
    )
    [told] = on.world.notifications.of(added.editor, added.id)
    assert told.state is NotificationState.ACCEPTED


@pytest.mark.parametrize("other_process", [False, True])
def test_what_was_begun_before_a_reset_is_not_written_after_it(play: Play, other_process: bool) -> None:
    on = play()
    late = _appointment(on)

    def begun_before() -> None:
        begin_task(time.monotonic())
        (play() if other_process else on).reset({StatePart.APPOINTMENTS})
        on.follow()
        with pytest.raises(EditorError, match="503"):
            on.world.appointments.add(late)

    def begun_after() -> None:
        begin_task(time.monotonic())
        assert on.world.appointments.add(late)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(begun_before).result()
        pool.submit(begun_after).result()


def test_a_reset_by_a_process_that_plays_another_scenario_puts_nothing_back(play: Play) -> None:
    one, other = play(), play()
    one.load(Script.read(GUIDE), keep_state=False)
    with pytest.raises(EditorError, match="503"):
        other.reset()
    other.follow()
    other.reset()
    assert editors(one) == editors(other)
    assert "agenda-ps" in editors(one)


def test_what_has_happened_is_no_error_when_it_cannot_be_read_again_now(play: Play) -> None:
    on = play()
    rule = Rule.model_validate({"name": "slow", "do": [{"kind": "latency", "seconds": 1}]})

    def change() -> None:
        begin_request()  # which waits for the database once, and not long
        on.load(Script.read(GUIDE), keep_state=False)
        on.faults.put(rule)
        on.reset({StatePart.ACCOUNTS})

    with ExitStack() as held, ThreadPoolExecutor(1) as pool:
        for _ in range(4):
            held.enter_context(on.store.reading())
        pool.submit(change).result()
    assert "agenda-ps" in editors(on)
    assert [one.name for one in on.faults.rules()] == ["slow"]
