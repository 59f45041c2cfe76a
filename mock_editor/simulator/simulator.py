"""Plays a world and replaces it by another one while requests come in. This is what the server calls.

A world never changes its scenario: another scenario is another world. It is made completely before it replaces the old
one. That happens at once in this worker, and in the others when they see the new generation. From then on the old world
writes nothing, not even for requests that had begun before.
"""

import contextlib
import logging
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sqlite_utils import Database

from mock_editor import snapshots
from mock_editor.base import controls, generations
from mock_editor.base.clock import REAL, Clock, Course, Mode, frozen
from mock_editor.base.errors import EditorError, refused
from mock_editor.base.generations import Turn
from mock_editor.base.issues import Code
from mock_editor.base.store import Store, StoreError
from mock_editor.base.waits import Waits
from mock_editor.base.words import in_english
from mock_editor.base.worlds import WORLD, Urls
from mock_editor.faults.engine import FaultEngine
from mock_editor.journal.journal import Journal
from mock_editor.scenario import LoadedScenario, Problem, ScenarioError, Script, play, shipped
from mock_editor.search import conformance
from mock_editor.settings import Settings
from mock_editor.simulator.processes import Processes
from mock_editor.simulator.shared_clock import SharedClock, course, put_course
from mock_editor.world.world import OF_WORLD, Process, StatePart, World

# A shorter step back is only the time between two readings of the clock.
_SET_BACK = timedelta(seconds=1)
_SCRIPT, _SAVED_AT = "script", "saved at"
# A snapshot leaves out secrets and what is about processes. No process would follow a generation that came back.
_NOT_SAVED = ("keys", "generations", "workers")
_log = logging.getLogger(__name__)


def checked(script: Script) -> LoadedScenario:
    """A scenario that can be played, FHIR resources included. Raises ScenarioError with every problem."""
    scenario = play(script)
    problems = [problem for editor in scenario.editors for problem in conformance.problems(editor)]
    if problems:
        raise ScenarioError(script.source, [Problem(0, (), problem) for problem in problems])
    return scenario


class Simulator:
    """Plays ``scenario``, and whatever is loaded after it. ``app`` answers requests, in the world that they are for.
    ``inside`` wraps ``app`` for the calls of this process to itself. ``parts`` are for the views of all worlds.

    With ``leads``, it writes its scenario into the store, where the other processes find it. Without, it plays the
    scenario that it finds there.
    """

    def __init__(
        self,
        settings: Settings,
        scenario: LoadedScenario,
        *,
        public_url: str,
        fhir_url: str,
        clock: Clock,
        store: Store,
        journal: Journal,
        waits: Waits,
        app: WSGIApplication,
        inside: Callable[["Simulator", WSGIApplication], WSGIApplication] | None,
        parts: Sequence[object] = (),
        leads: bool = True,
    ) -> None:
        self.settings = settings
        self.public_url = public_url
        self.fhir_url = fhir_url
        self.store = store
        self.clock = clock
        self.journal = journal
        self.waits = waits
        self._shared_clock = SharedClock(store, clock, self._wake)
        self.faults = FaultEngine(store, clock.now, self._shared_clock.follow_within)
        self.app: Any = app
        self._urls = Urls(public_url, fhir_url)
        self._process = Process(
            clock, store, journal, waits, self.faults, inside(self, app) if inside else None, (self, *parts)
        )
        self._changing = threading.RLock()
        self._processes = Processes(store)
        self._generation = 0
        self._first_script = scenario.script
        self.world = self._make(scenario)
        self._play_faults(scenario)
        if leads:
            self._open(scenario)
        else:
            self.world.turn.generation = self._generation
        self.follow()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[WORLD] = self.world
        answer: Iterable[bytes] = self.app(environ, start_response)
        return answer

    def _open(self, scenario: LoadedScenario) -> None:
        """Writes the first scenario into the store. If it is there already, the state goes on from where it was."""
        with self.store.writing() as db:
            same = controls.get(db, _SCRIPT) == _written(scenario.script)
            if not same:
                controls.put(db, _SCRIPT, _written(scenario.script))
                generations.begin(db, keep_state=True, closed=False)
                self.faults.reset(db)
            if not same or self.settings.now:
                self._set_course(db, self._first_course(scenario))
            # The accounts that are declared below get the time of this course.
            self._shared_clock.follow_within(db)
            self.world.turn.generation = self._generation = generations.last(db)
            self.world.provisioning.declare(db)

    def _make(self, scenario: LoadedScenario) -> World:
        """A world that may write once its turn has begun."""
        turn = Turn(self._shared_clock.follow_within)
        return World(self.settings, scenario, urls=self._urls, process=self._process, turn=turn)

    def _play_faults(self, scenario: LoadedScenario) -> None:
        self.faults.play(scenario.faults, scenario.timelines, scenario.seed)

    def _wake(self) -> None:
        self.world.wake()

    # --- the life of a process

    def start(self) -> None:
        """Starts the background threads of a process that serves or delivers. Raises 503."""
        self.journal.start()
        self.waits.start()
        self._processes.join()
        self.world.start()
        # The scenario may have changed since this process was forked.
        self.follow()
        self._processes.note(self._generation)
        self.store.on_change(self.follow)
        self.store.watch()

    def stop(self) -> None:
        """Ends what ``start`` began, except the watch of the store, and waits for attempts that have begun."""
        self.world.stop(wait=True)

    def follow(self) -> None:
        """Adopts what other processes have changed. Cheap when there is nothing new."""
        self.follow_clock()
        with self.store.reading() as db:
            generation = generations.last(db)
        with self._changing:
            entered = generation > self._generation and self._follow_scenario(generation)
        self.faults.follow()
        self.world.follow()
        if entered:
            self._processes.note(self._generation)

    def _follow_scenario(self, generation: int) -> bool:
        """Plays what another process has loaded. Returns whether that was possible."""
        with self.store.reading() as db:
            script = Script(**controls.get(db, _SCRIPT))
        known = self.world.scenario
        try:
            world = self._make(known if known.script == script else play(script))
        except ScenarioError:
            # The process that loaded it could play it. This one cannot see a file that it names.
            self._generation = generation
            _log.exception("The scenario that was loaded cannot be played by this process")
            return False
        with self._prepared(world):
            pass
        self._enter(world, generation)
        return True

    @contextlib.contextmanager
    def _prepared(self, world: World) -> Iterator[None]:
        """Begins the threads of a new world, and ends them if the block fails. Raises 503."""
        try:
            if self._processes.joined:
                world.prepare()
            yield
        except BaseException:
            world.stop()
            raise

    def _enter(self, world: World, generation: int) -> None:
        """Replaces the old world by a new one. Requests that have begun end in the old one, which may not write.

        The new world is prepared and already in the store, so nothing here may fail.
        """
        with contextlib.suppress(EditorError):  # the watch of the store tries again
            world.follow()
        self._play_faults(world.scenario)
        world.turn.generation = self._generation = generation
        old, self.world = self.world, world
        if self._processes.joined:
            world.start()
            old.stop()

    def _spread(self) -> None:
        """Makes every process play what has just been written.

        The change is made, so a process that is late is no error: the log says so, and that process goes on trying.
        """
        try:
            self.follow()
            self._processes.note(self._generation)
            self._processes.await_others(self._generation)
        except EditorError as error:
            _log.warning("What was loaded or put back is played, but not by every process yet: %s", in_english(error))
        with contextlib.suppress(EditorError), self.store.writing() as db:  # a failure is like a process that is late
            generations.reopen(db, self._generation)

    # --- the scenario

    def files(self) -> list[Path]:
        """The scenario files: those that are shipped, the one from the start, and those beside it."""
        first = Path(self._first_script.source)
        if not (self._first_script.file and first.is_file()):
            return shipped()
        folder = first.parent.resolve()
        # Links to other folders do not count, unless somebody named one at the start.
        beside = [path for path in first.parent.glob("*.yaml") if path.resolve().is_relative_to(folder)]
        return [*shipped(), *beside, first]

    def load(self, script: Script, *, keep_state: bool) -> LoadedScenario:
        """Plays another scenario, or changes nothing. Without ``keep_state``, the state is what the scenario says.

        In either case the fault rules are those of the scenario. When this returns, every process plays it, except for
        any that the log mentions. Raises ScenarioError, 503.
        """
        scenario = checked(script)
        with self._changing:
            world = self._make(scenario)
            try:
                with self._prepared(world), self.store.writing() as db:
                    generation = generations.begin(db, keep_state=keep_state, closed=not keep_state)
                    controls.put(db, _SCRIPT, _written(script))
                    # Rules do not count as state: people who edit and reload a scenario want its new rules.
                    self.faults.reset(db, scenario.faults)
                    if keep_state:
                        world.provisioning.declare(db)
                    else:
                        self._set_course(db, self._first_course(scenario))
                        self._shared_clock.follow_within(db)
                        # Both worlds have the same tables. The new one declares its own accounts.
                        self.world.reset(db, OF_WORLD)
                        world.reset(db, frozenset({StatePart.ACCOUNTS}))
            except BaseException:
                # Above all, the clock goes back to its old course.
                self.follow()
                raise
            self._enter(world, generation)
        self._spread()
        return scenario

    def reload(self, *, keep_state: bool) -> LoadedScenario:
        """Reads the file of the scenario again and plays it. Raises ScenarioError, 409 if it came from no file, 503."""
        script = self.world.scenario.script
        if not script.file:
            raise refused(Code.SCENARIO_WITHOUT_FILE, source=script.source)
        return self.load(Script.read(Path(script.source)), keep_state=keep_state)

    # --- the clock

    def run_clock(self, course: Course) -> None:
        """Makes the clock of all processes run as ``course`` says. Raises 503."""
        self.move_clock(lambda _: course)

    def move_clock(self, course_of: Callable[[Clock], Course]) -> None:
        """The same for a course that depends on the present clock, which any process may have set. Raises 503, and
        whatever ``course_of`` raises."""
        with self.store.writing() as db:
            self._shared_clock.follow_within(db)
            self._set_course(db, course_of(self.clock))
        self.follow_clock()

    def follow_clock(self) -> None:
        """Makes the clock follow the course that a process has set last. Raises 503."""
        self._shared_clock.follow()

    def _set_course(self, db: Database, course: Course) -> None:
        """In a transaction. Instants that something waits for go back with the clock, or the wait would be too long."""
        back = self._shared_clock.set(db, course)
        if back >= _SET_BACK:
            self.world.set_back(db, back)
            self.faults.set_back(db, back)

    def _first_course(self, scenario: LoadedScenario) -> Course:
        at = self.settings.now or scenario.frozen_at
        return frozen(at) if at else REAL

    # --- the state

    def reset(self, parts: Collection[StatePart] = frozenset(StatePart)) -> None:
        """Resets parts of the state to what the scenario says.

        Requests that began before this write nothing any more. When this returns, every process knows of it, except
        for any that the log mentions. Raises 503.
        """
        of_world = OF_WORLD.intersection(parts)
        with self._changing:
            with self.store.writing() as db:
                # A process that is late would reset the state to that of another scenario.
                generations.expect(db, self._generation)
                self.world.reset(db, of_world)
                if StatePart.CLOCK in parts:
                    self._set_course(db, self._first_course(self.world.scenario))
                if StatePart.FAULTS in parts:
                    self.faults.reset(db)
                if of_world:
                    generation = generations.begin(db, keep_state=StatePart.APPOINTMENTS not in of_world)
                if StatePart.JOURNAL in parts:
                    # The journal has its own file. If that cannot be written, the transaction is undone too.
                    self.journal.clear()
            if of_world:
                self.world.turn.generation = self._generation = generation
        self._spread()

    def save(self, path: Path) -> None:
        """Writes the state and the scenario into a new file. Secrets and the journal are left out."""
        with self.store.writing() as db:
            # A running clock goes on from here after a restore.
            controls.put(db, _SAVED_AT, self.clock.now().isoformat())
        self.store.save(path, without=_NOT_SAVED)

    def restore(self, content: bytes) -> None:
        """Restores what ``save`` wrote, or changes nothing. Raises StoreError, ScenarioError, 503."""
        with tempfile.TemporaryDirectory(prefix="mock-editor-") as folder:
            path = Path(folder) / "saved.db"
            path.write_bytes(content)
            with self._changing, contextlib.ExitStack() as stack:
                restored: list[tuple[World, int]] = []

                def then(db: Database) -> None:
                    world, generation = self._after_restore(db)
                    stack.enter_context(self._prepared(world))
                    restored.append((world, generation))

                check = partial(snapshots.check, without=_NOT_SAVED)
                self.store.restore(path, without=_NOT_SAVED, check=check, then=then)
                self._enter(*restored[0])
        self._spread()

    def _after_restore(self, db: Database) -> tuple[World, int]:
        """The world of the restored state, and its generation. Called in the transaction that restores it."""
        try:
            script, saved = Script(**controls.get(db, _SCRIPT)), course(db)
            at = datetime.fromisoformat(controls.get(db, _SAVED_AT))
        except (TypeError, ValueError) as error:
            # The file was edited by hand.
            raise StoreError(Code.SNAPSHOT_SENSELESS, reason=str(error)) from None
        if script.file and script.source not in {str(path) for path in self.files()}:
            # A snapshot must not choose which files are read.
            script = replace(script, file=False)
            controls.put(db, _SCRIPT, _written(script))
        world = self._make(checked(script))
        if saved.mode in (Mode.SHIFTED, Mode.SCALED):
            put_course(db, Course(datetime.now(UTC), at, saved.rate))
        return world, generations.begin(db, keep_state=False)


def _written(script: Script) -> dict[str, Any]:
    return {"source": script.source, "text": script.text, "file": script.file}
