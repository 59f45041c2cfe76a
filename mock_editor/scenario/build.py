"""From a checked scenario to the model that the simulator plays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from operator import attrgetter
from pathlib import Path

from mock_editor.accounts.payload import Regulator, described
from mock_editor.base.errors import InvalidValueError
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.calendars.model import (
    Absence,
    Association,
    Booking,
    Calendar,
    Cpts,
    Editor,
    Opening,
    OperatingHours,
    Place,
    Plan,
    Practitioner,
    SosPlace,
    overlap,
)
from mock_editor.calendars.people import ComputedDirectory, Group, GroupDescription, NumberSpace, zone_of
from mock_editor.faults.rules import Rule, Timeline
from mock_editor.notifications.tls import Identity, TlsFileError
from mock_editor.scenario.check import check
from mock_editor.scenario.openings import ExtraOpenings, Openings, specialties_of
from mock_editor.scenario.reader import Document, Location, Problem, ScenarioError, Script
from mock_editor.scenario.schema import (
    AssociationSection,
    CalendarSection,
    EditorSection,
    EndingsSection,
    NotificationsSection,
    PlaceSection,
    PractitionerSection,
    RegulatorSection,
    ScenarioSection,
    SosPlaceSection,
    TlsSection,
)
from mock_editor.scenario.values import DAYS, MINUTES_A_DAY
from mock_editor.scenario.warnings import doubtful_values, large_calendars


@dataclass(frozen=True, slots=True)
class LoadedScenario:
    """A scenario that is ready to be played. It was built from ``script``.

    These are by the slug of an editor: ``accounts`` that exist from the start, ``notifications`` settings of its own,
    the ``endings`` of its appointments, and the client certificates that it accepts (``tls``). The SAS knows the
    ``regulators``. ``extra_openings`` reads openings that people add by hand. The rules in ``faults`` apply from the
    start; ``timelines`` can be run. Both draw from ``seed``. ``warnings`` are about doubtful values.
    """

    script: Script
    name: str
    title: str
    frozen_at: datetime | None
    editors: tuple[Editor, ...]
    accounts: Mapping[str, Sequence[Regulator]]
    regulators: Mapping[str, RegulatorSection]
    notifications: Mapping[str, NotificationsSection]
    endings: Mapping[str, EndingsSection]
    tls: Mapping[str, TlsSection]
    extra_openings: ExtraOpenings
    faults: Sequence[Rule]
    timelines: Sequence[Timeline]
    seed: str
    warnings: Sequence[Problem]


def load(path: Path) -> LoadedScenario:
    """Reads, checks and builds the scenario of a file. Raises ScenarioError with every problem."""
    return play(Script.read(path))


def play(script: Script) -> LoadedScenario:
    """Checks and builds a scenario. Raises ScenarioError with every problem."""
    document = Document(script)
    return _Builder(script, document, check(document)).build()


class _Builder:
    """Builds a scenario, and finds problems that the schema cannot see: references, duplicates and overlaps."""

    def __init__(self, script: Script, document: Document, scenario: ScenarioSection) -> None:
        self._script = script
        self._document = document
        self._scenario = scenario
        self._problems: list[Problem] = []
        self._cpts = {key: Cpts(cpts.finess, cpts.name, cpts.phone) for key, cpts in scenario.cpts.items()}
        self._openings = Openings(self._cpts, self._problem)
        self._plans: dict[str, Plan] = {}
        self._numbers = NumberSpace(scenario.seed)

    def build(self) -> LoadedScenario:
        scenario = self._scenario
        for name, section in scenario.calendars.items():
            self._plans[name] = self._plan(section, ("calendars", name))
        self._expect_distinct(("editors",), [editor.slug for editor in scenario.editors])
        editors = tuple(self._editor(section, ("editors", at)) for at, section in enumerate(scenario.editors))
        accounts = {
            section.slug: self._accounts(section, ("editors", at)) for at, section in enumerate(scenario.editors)
        }
        notifications = {
            section.slug: self._notifications(section.notifications, ("editors", at, "notifications"))
            for at, section in enumerate(scenario.editors)
            if section.notifications
        }
        endings = {section.slug: section.endings for section in scenario.editors if section.endings}
        tls = {section.slug: section.tls for section in scenario.editors if section.tls}
        self._check_faults()
        if self._problems:
            raise ScenarioError(self._document.source, self._problems)
        frozen_at = scenario.clock.frozen_at if scenario.clock else None
        return LoadedScenario(
            self._script,
            scenario.name,
            scenario.title,
            frozen_at,
            editors,
            accounts,
            scenario.regulators,
            notifications,
            endings,
            tls,
            ExtraOpenings(self._cpts, {self._plans[name]: section for name, section in scenario.calendars.items()}),
            scenario.faults,
            scenario.timelines,
            scenario.seed,
            sorted(self._warnings(), key=attrgetter("line")),
        )

    def _warnings(self) -> Iterator[Problem]:
        for doubtful in (*doubtful_values(self._document.data), *large_calendars(self._plans)):
            yield self._document.problem(*doubtful)

    def _problem(self, location: Location, what: Issue) -> None:
        self._problems.append(self._document.problem(location, what))

    def _expect_distinct(self, location: Location, values: Iterable[str]) -> None:
        seen: set[str] = set()
        for at, value in enumerate(values):
            if value in seen:
                self._problem((*location, at), issue(Code.STANDS_TWICE, value=value))
            seen.add(value)

    # --- faults

    def _check_faults(self) -> None:
        scenario = self._scenario
        self._expect_distinct(("timelines",), [timeline.name for timeline in scenario.timelines])
        self._check_rules(scenario.faults, ("faults",))
        for at, timeline in enumerate(scenario.timelines):
            known = {rule.name: None for rule in scenario.faults}
            for number, step in enumerate(timeline.steps):
                where = ("timelines", at, "steps", number)
                if step.clear:
                    known.clear()
                for place, name in enumerate(step.remove):
                    if name not in known:
                        code = Code.RULE_NOT_YET if known else Code.NO_RULE_YET
                        self._problem((*where, "remove", place), issue(code, name=name, known=list(known)))
                self._check_rules(step.add, (*where, "add"))
                known |= {rule.name: None for rule in step.add}

    def _check_rules(self, rules: Sequence[Rule], location: Location) -> None:
        self._expect_distinct(location, [rule.name for rule in rules])
        slugs = [editor.slug for editor in self._scenario.editors]
        for at, rule in enumerate(rules):
            for number, slug in enumerate(rule.editors):
                if slug not in slugs:
                    unknown = issue(Code.EDITOR_OF_SCENARIO_UNKNOWN, name=slug, known=slugs)
                    self._problem((*location, at, "editors", number), unknown)

    # --- calendars

    def _plan(self, section: CalendarSection, location: Location) -> Plan:
        week: list[list[Opening]] = [[] for _ in DAYS]
        for at, opening in enumerate(section.week):
            made = self._openings.made(section, opening, (*location, "week", at))
            for name in opening.days:
                week[DAYS.index(name)].extend(made)
        exceptional: dict[date, list[Opening]] = {}
        for at, special in enumerate(section.exceptional_openings):
            where = (*location, "exceptional_openings", at)
            exceptional.setdefault(special.date, []).extend(self._openings.made(section, special, where))
        plan = Plan(
            week=tuple(tuple(openings) for openings in week),
            exceptional={day: tuple(openings) for day, openings in exceptional.items()},
            absences=tuple(Absence(a.first[0], a.last[0], a.first[1]) for a in section.absences),
            booking=Booking(
                lead=timedelta(minutes=section.lead_minutes),
                horizon=timedelta(days=section.horizon_days),
                overnight=any(
                    opening.end > MINUTES_A_DAY for openings in (*week, *exceptional.values()) for opening in openings
                ),
            ),
        )
        if overlap((day, plan.week[day % 7]) for day in range(-1, 8)):
            self._problem((*location, "week"), issue(Code.OPENINGS_OVERLAP))
        for day in plan.exceptional:
            if overlap((shift, plan.openings(day + timedelta(days=shift))) for shift in (-1, 0, 1)):
                self._problem((*location, "exceptional_openings"), issue(Code.OPENINGS_OVERLAP_ON, day=day))
        return plan

    def _plan_named(self, name: str, location: Location) -> Plan:
        plan = self._plans.get(name)
        if plan is None:
            self._problem(location, issue(Code.CALENDAR_OF_SCENARIO_UNKNOWN, name=name, known=list(self._plans)))
            plan = Plan((), {}, (), Booking(timedelta(), timedelta(), overnight=False))
        return plan

    # --- editors

    def _editor(self, section: EditorSection, location: Location) -> Editor:
        seed = f"{self._scenario.seed}:{section.slug}"
        zone = section.timezone or self._scenario.timezone
        listed = []
        for at, practitioner in enumerate(section.practitioners):
            where = (*location, "practitioners", at)
            listed.append(self._practitioner(practitioner, seed, section, where))
        self._expect_distinct((*location, "practitioners"), [practitioner.id for practitioner in listed])
        self._expect_distinct((*location, "groups"), [group.name for group in section.groups])
        groups = []
        for at, group in enumerate(section.groups):
            where = (*location, "groups", at)
            description = GroupDescription(
                name=group.name,
                count=group.count,
                departments=tuple(group.departments),
                specialties=tuple(group.specialties),
                plans=tuple(
                    self._plan_named(name, (*where, "calendars", number)) for number, name in enumerate(group.calendars)
                ),
                two_places=group.two_places,
                without_phone=group.without_phone,
            )
            try:
                groups.append(Group(description, seed, self._numbers))
            except InvalidValueError as error:
                self._problem(where, error.issue)
        directory = ComputedDirectory(listed, groups, self._numbers)
        associations = []
        for at, association in enumerate(section.associations):
            where = (*location, "associations", at)
            associations.append(self._association(association, seed, section, where))
        self._expect_distinct((*location, "associations"), [association.id for association in associations])
        plans = [place.calendar.plan for person in listed for place in person.places]
        plans += [plan for group in groups for plan in group.description.plans]
        return Editor(
            section.slug,
            section.name,
            seed,
            section.identifier_system,
            zone,
            directory,
            associations={association.id: association for association in associations},
            # All of them if any plan has slots for a CPTS: extra openings may be for the others.
            cpts={cpts.id: cpts for cpts in self._cpts.values()} if any(map(_opens_to_cpts, plans)) else {},
        )

    def _notifications(self, section: NotificationsSection, location: Location) -> NotificationsSection:
        """The section with paths as the process sees them; in the file they are relative to the scenario."""
        paths = {}
        for name in ("certificate", "key", "authority"):
            if value := getattr(section, name):
                try:
                    path = self._document.beside(value)
                    exists = path.is_file()
                except InvalidValueError as error:
                    self._problem((*location, name), error.issue)
                    return section
                except OSError as error:
                    self._problem((*location, name), issue(Code.FILE_UNREADABLE, file=str(path), reason=error.strerror))
                    return section
                if not exists:
                    self._problem((*location, name), issue(Code.FILE_MISSING, file=str(path)))
                    return section
                paths[name] = path
        if "key" in paths and "certificate" not in paths:
            self._problem((*location, "key"), issue(Code.CERTIFICATE_EXPECTED))
        else:
            try:
                Identity(paths.get("certificate"), paths.get("key"), paths.get("authority")).context()
            except TlsFileError as error:
                self._problem((*location, error.name), error.issue)
        return section.model_copy(update={name: str(path) for name, path in paths.items()})

    def _accounts(self, section: EditorSection, location: Location) -> list[Regulator]:
        known = self._scenario.regulators
        regulators = []
        taken: set[object] = set()
        for at, account in enumerate(section.accounts):
            if account.regulator not in known:
                unknown = issue(Code.REGULATOR_UNKNOWN, name=account.regulator, known=list(known))
                self._problem((*location, "accounts", at, "regulator"), unknown)
                continue
            regulator = described(**known[account.regulator].model_dump(), active=account.active)
            keys = {*regulator.identifiers, *(regulator.emails if regulator.active else ())}
            if not taken.isdisjoint(keys):
                self._problem((*location, "accounts", at), issue(Code.ACCOUNT_TAKEN))
            taken |= keys
            regulators.append(regulator)
        return regulators

    def _practitioner(
        self, section: PractitionerSection, seed: str, editor: EditorSection, location: Location
    ) -> Practitioner:
        national_id = section.national_id
        places = []
        for at, place in enumerate(section.places):
            key = place.key or str(at + 1)
            calendar = self._calendar(place, f"{national_id}-{key}", seed, editor, (*location, "places", at))
            places.append(
                Place(
                    key=key,
                    structure_id=place.structure.national_id,
                    location_id=place.location_id or calendar.key,
                    line=place.address.line,
                    postal_code=place.address.postal_code,
                    city=place.address.city,
                    phone=place.phone,
                    calendar=calendar,
                )
            )
        self._expect_distinct((*location, "places"), [place.key for place in places])
        specialties = specialties_of(section.specialties, section.other_specialties)
        return Practitioner(national_id, section.family, section.given, specialties, tuple(places))

    def _association(
        self, section: AssociationSection, seed: str, editor: EditorSection, location: Location
    ) -> Association:
        places = []
        for at, place in enumerate(section.places):
            key = place.key or str(at + 1)
            calendar = self._calendar(place, f"{section.siret}-{key}", seed, editor, (*location, "places", at))
            announced = place.structure if place.announced_identifier == "national" else None
            places.append(
                SosPlace(
                    key=key,
                    location_id=place.location_id or calendar.key,
                    announced_id=announced.national_id if announced else None,
                    name=place.name,
                    line=place.address.line,
                    postal_code=place.address.postal_code,
                    city=place.address.city,
                    phone=place.phone,
                    hours=_operating_hours(place, calendar.plan),
                    calendar=calendar,
                )
            )
        self._expect_distinct((*location, "places"), [place.key for place in places])
        return Association(section.siret, section.name, tuple(places))

    def _calendar(
        self, place: PlaceSection | SosPlaceSection, key: str, seed: str, editor: EditorSection, location: Location
    ) -> Calendar:
        zone = place.timezone or zone_of(place.address.postal_code) or editor.timezone or self._scenario.timezone
        return Calendar(key, zone, self._plan_named(place.calendar, (*location, "calendar")), seed, seed)


def _opens_to_cpts(plan: Plan) -> bool:
    days = (*plan.week, *plan.exceptional.values())
    return any(shape.cpts for openings in days for opening in openings for shape in opening.mix.shapes)


def _operating_hours(place: SosPlaceSection, plan: Plan) -> tuple[OperatingHours, ...]:
    """When a place is open: its own hours, or else the hours when its calendar has slots in an ordinary week."""
    if place.hours_of_operation is not None:
        stated = [(span, day) for section in place.hours_of_operation for span in section.hours for day in section.days]
    else:
        stated = [
            ((opening.start, opening.end), day)
            for day, openings in zip(DAYS, plan.week, strict=True)
            for opening in openings
        ]
    days: dict[tuple[int, int], list[str]] = {}
    for span, day in stated:
        days.setdefault(span, []).append(day)
    return tuple(OperatingHours(tuple(on), *span) for span, on in days.items())
