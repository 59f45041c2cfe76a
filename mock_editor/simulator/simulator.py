"""What is being played, and its replacement while requests come in: what the server calls.

A world (an editors' side with its web application) never changes its scenario. Another scenario is another world: it
is made in full before it takes the old one's place, in this worker at once, in the others when they see the new
generation. From then on, nothing of the old one is written any more, wherever it was begun.
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

from mock_editor import scenario, snapshots
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
from mock_editor.scenario import LoadedScenario, Problem, ScenarioError, Script
from mock_editor.search import conformance
from mock_editor.settings import Settings
from mock_editor.simulator.processes import Processes
from mock_editor.simulator.shared_clock import SharedClock, course, put_course
from mock_editor.world.world import OF_WORLD, Process, StatePart, World

# Less is what passes between two looks at the clock.
_SET_BACK = timedelta(seconds=1)
_SCRIPT, _SAVED_AT = "script", "saved at"
# Not part of a snapshot: secrets, and what is about processes. A generation that came back would be followed by nobody.
_NOT_SAVED = ("keys", "generations", "workers")
_log = logging.getLogger(__name__)


def checked(script: Script) -> LoadedScenario:
    """A scenario that can be played, down to its FHIR resources. Raises ScenarioError that tells all that is wrong."""
    played = scenario.play(script)
    problems = [problem for editor in played.editors for problem in conformance.problems(editor)]
    if problems:
        raise ScenarioError(script.source, [Problem(0, (), problem) for problem in problems])
    return played


class Simulator:
    """Plays ``played``, and whatever is loaded after it. ``app`` answers requests, in the world that they are for;
    ``inside`` makes of it what answers calls of this process to itself. ``parts`` are for the views of all worlds.

    With ``leads`` it brings its scenario into the store, where others that share the file find it; without, it plays
    what it finds there.
    """

    def __init__(
        self,
        settings: Settings,
        played: LoadedScenario,
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
        self._first = played.script
        self.world = self._make(played)
        self._play_faults(played)
        if leads:
            self._open(played)
        else:
            self.world.turn.generation = self._generation
        self.follow()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ[WORLD] = self.world
        answer: Iterable[bytes] = self.app(environ, start_response)
        return answer

    def _open(self, played: LoadedScenario) -> None:
        """Brings a scenario in; with the one that the store knows already, everything goes on as it was left."""
        with self.store.writing() as db:
            same = controls.get(db, _SCRIPT) == _written(played.script)
            if not same:
                controls.put(db, _SCRIPT, _written(played.script))
                generations.begin(db, keep_state=True, closed=False)
                self.faults.reset(db)
            if not same or self.settings.now:
                self._set_course(db, self._first_course(played))
            # What is made now bears its time.
            self._shared_clock.follow_within(db)
            self.world.turn.generation = self._generation = generations.last(db)
            self.world.provisioning.declare(db)

    def _make(self, played: LoadedScenario) -> World:
        """A world that may write once its turn has begun."""
        turn = Turn(self._shared_clock.follow_within)
        return World(self.settings, played, urls=self._urls, process=self._process, turn=turn)

    def _play_faults(self, played: LoadedScenario) -> None:
        self.faults.play(played.faults, played.timelines, played.seed)

    def _wake(self) -> None:
        self.world.wake()

    # --- the life of a process

    def start(self) -> None:
        """Starts what runs in the background of a process that serves, or delivers. Raises 503."""
        self.journal.start()
        self.waits.start()
        self._processes.join()
        self.world.start()
        # The scenario may have changed since this process was forked.
        self.follow()
        self._processes.say(self._generation)
        self.store.on_change(self.follow)
        self.store.watch()

    def stop(self) -> None:
        """Ends what ``start`` began, the watch aside, and waits for what is on its way."""
        self.world.stop(wait=True)

    def follow(self) -> None:
        """Does what other processes have set. Cheap when there is nothing new."""
        self.follow_clock()
        with self.store.reading() as db:
            generation = generations.last(db)
        with self._changing:
            entered = generation > self._generation and self._follow_scenario(generation)
        self.faults.follow()
        self.world.follow()
        if entered:
            self._processes.say(self._generation)

    def _follow_scenario(self, generation: int) -> bool:
        """Plays what has been loaded elsewhere; says whether that was possible."""
        with self.store.reading() as db:
            script = Script(**controls.get(db, _SCRIPT))
        known = self.world.scenario
        try:
            world = self._make(known if known.script == script else scenario.play(script))
        except ScenarioError:
            # It was sound where it was loaded: a file that it names is not there for this process.
            self._generation = generation
            _log.exception("The scenario that was loaded cannot be played by this process")
            return False
        with self._prepared(world):
            pass
        self._enter(world, generation)
        return True

    @contextlib.contextmanager
    def _prepared(self, world: World) -> Iterator[None]:
        """Has all of a new world that may fail be there before the end of the block, or nothing of it. Raises 503."""
        try:
            if self._processes.joined:
                world.prepare()
            yield
        except BaseException:
            world.stop()
            raise

    def _enter(self, world: World, generation: int) -> None:
        """Puts a new world in the place of the old one, in which requests come to their end, and may not write.

        It is prepared, and nothing here fails: what is in the store is played.
        """
        with contextlib.suppress(EditorError):  # what looks for changes does it again
            world.follow()
        self._play_faults(world.scenario)
        world.turn.generation = self._generation = generation
        old, self.world = self.world, world
        if self._processes.joined:
            world.start()
            old.stop()

    def _spread(self) -> None:
        """Has every process play what has just been written.

        It has happened, so it is no error when one of them is late: that is logged, and each goes on trying.
        """
        try:
            self.follow()
            self._processes.say(self._generation)
            self._processes.await_others(self._generation)
        except EditorError as error:
            _log.warning("What was loaded or put back is played, but not by every process yet: %s", in_english(error))
        with contextlib.suppress(EditorError), self.store.writing() as db:  # or it is as if that took longer
            generations.reopen(db, self._generation)

    # --- the scenario

    def files(self) -> list[Path]:
        """Where scenarios are read from: those shipped, those beside the simulator's own, and that one."""
        beginning = Path(self._first.source)
        if not (self._first.file and beginning.is_file()):
            return scenario.shipped()
        folder = beginning.parent.resolve()
        # A link may lead elsewhere, but for the one that was named at the start.
        beside = [path for path in beginning.parent.glob("*.yaml") if path.resolve().is_relative_to(folder)]
        return [*scenario.shipped(), *beside, beginning]

    def load(self, script: Script, *, keep_state: bool) -> LoadedScenario:
        """Plays another scenario, or nothing changes. Without ``keep_state``, with what it says as the only state.

        The fault rules are those of the scenario in any case.
        Every process plays it when this returns, but for those that the log names. Raises ScenarioError, 503.
        """
        played = checked(script)
        with self._changing:
            world = self._make(played)
            try:
                with self._prepared(world), self.store.writing() as db:
                    generation = generations.begin(db, keep_state=keep_state, closed=not keep_state)
                    controls.put(db, _SCRIPT, _written(script))
                    # No state, but what the scenario says: whoever edits and reloads it wants its new rules.
                    self.faults.reset(db, played.faults)
                    if keep_state:
                        world.provisioning.declare(db)
                    else:
                        self._set_course(db, self._first_course(played))
                        self._shared_clock.follow_within(db)
                        # The tables are the same in both worlds; the accounts of the new one stay.
                        self.world.reset(db, OF_WORLD)
                        world.reset(db, frozenset({StatePart.ACCOUNTS}))
            except BaseException:
                # Above all the clock, when nothing came of it.
                self.follow()
                raise
            self._enter(world, generation)
        self._spread()
        return played

    def reload(self, *, keep_state: bool) -> LoadedScenario:
        """Plays the scenario as its file is now. Raises ScenarioError, 409 for one that is not of a file, 503."""
        script = self.world.scenario.script
        if not script.file:
            raise refused(Code.SCENARIO_WITHOUT_FILE, source=script.source)
        return self.load(Script.read(Path(script.source)), keep_state=keep_state)

    # --- the clock

    def run_clock(self, course: Course) -> None:
        """Has the clock of all processes run as ``course`` says. Raises 503."""
        self.move_clock(lambda _: course)

    def move_clock(self, course_of: Callable[[Clock], Course]) -> None:
        """The same for a course that begins where the clock is, wherever it was set last. Raises 503, and what
        ``course_of`` does."""
        with self.store.writing() as db:
            self._shared_clock.follow_within(db)
            self._set_course(db, course_of(self.clock))
        self.follow_clock()

    def follow_clock(self) -> None:
        """Has the clock run as any process has set it last. Raises 503."""
        self._shared_clock.follow()

    def _set_course(self, db: Database, course: Course) -> None:
        """In a transaction. What waits for an instant is set back with the clock, or it would wait for the old time."""
        back = self._shared_clock.set(db, course)
        if back >= _SET_BACK:
            self.world.set_back(db, back)
            self.faults.set_back(db, back)

    def _first_course(self, scenario: LoadedScenario) -> Course:
        at = self.settings.now or scenario.frozen_at
        return frozen(at) if at else REAL

    # --- the state

    def reset(self, parts: Collection[StatePart] = frozenset(StatePart)) -> None:
        """Puts parts of the state back to what the scenario says.

        What was begun before is no longer written. Every process knows of it when this returns, but for those that
        the log names. Raises 503.
        """
        of_world = OF_WORLD.intersection(parts)
        with self._changing:
            with self.store.writing() as db:
                # Whoever has not yet followed would put back another scenario's.
                generations.expect(db, self._generation)
                self.world.reset(db, of_world)
                if StatePart.CLOCK in parts:
                    self._set_course(db, self._first_course(self.world.scenario))
                if StatePart.FAULTS in parts:
                    self.faults.reset(db)
                if of_world:
                    generation = generations.begin(db, keep_state=StatePart.APPOINTMENTS not in of_world)
                if StatePart.JOURNAL in parts:
                    # It has a file of its own. When that cannot be written, nothing else has happened either.
                    self.journal.clear()
            if of_world:
                self.world.turn.generation = self._generation = generation
        self._spread()

    def save(self, path: Path) -> None:
        """Writes the whole state, the scenario with it, into a new file. Secrets and the journal are not in it."""
        with self.store.writing() as db:
            # What runs has to go on from here when it is put back.
            controls.put(db, _SAVED_AT, self.clock.now().isoformat())
        self.store.save(path, without=_NOT_SAVED)

    def restore(self, content: bytes) -> None:
        """Puts back what ``save`` wrote, or nothing changes. Raises StoreError, ScenarioError, 503."""
        with tempfile.TemporaryDirectory(prefix="mock-editor-") as folder:
            path = Path(folder) / "saved.db"
            path.write_bytes(content)
            with self._changing, contextlib.ExitStack() as stack:
                put_back: list[tuple[World, int]] = []

                def then(db: Database) -> None:
                    world, generation = self._after_restore(db)
                    stack.enter_context(self._prepared(world))
                    put_back.append((world, generation))

                check = partial(snapshots.check, without=_NOT_SAVED)
                self.store.restore(path, without=_NOT_SAVED, check=check, then=then)
                self._enter(*put_back[0])
        self._spread()

    def _after_restore(self, db: Database) -> tuple[World, int]:
        """The world of what was put back, and its generation. In the transaction that puts it back."""
        try:
            script, saved = Script(**controls.get(db, _SCRIPT)), course(db)
            at = datetime.fromisoformat(controls.get(db, _SAVED_AT))
        except (TypeError, ValueError) as error:
            # Somebody has edited the file.
            raise StoreError(Code.SNAPSHOT_SENSELESS, reason=str(error)) from None
        if script.file and script.source not in {str(path) for path in self.files()}:
            # It is not for a snapshot to say which files are read.
            script = replace(script, file=False)
            controls.put(db, _SCRIPT, _written(script))
        world = self._make(checked(script))
        if saved.mode in (Mode.SHIFTED, Mode.SCALED):
            put_course(db, Course(datetime.now(UTC), at, saved.rate))
        return world, generations.begin(db, keep_state=False)


def _written(script: Script) -> dict[str, Any]:
    return {"source": script.source, "text": script.text, "file": script.file}
