"""Wrong scenarios: every message says the file, the line and what was expected."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
import trustme

from mock_editor import scenario
from mock_editor.base.words import english
from mock_editor.calendars.generator import slots_of_day
from mock_editor.calendars.model import AppointmentType, ConsultationType, SlotType
from mock_editor.faults.catalogue import catalogue
from mock_editor.scenario import ScenarioError

Write = Callable[[str], Path]

SOUND = """\
name: essai
title: Essai
seed: "1"
calendars:
  matin:
    slot_minutes: 30
    week:
      - {days: [mon, tue], hours: ["09:00-12:00"]}
editors:
  - slug: agenda
    name: Agenda
    identifier_system: urn:oid:1.2.3
    practitioners:
      - rpps: "10100050075"
        family: THOMAS
        places:
          - structure: {finess: "810004421"}
            address: {line: 1 rue, postal_code: "47000", city: AGEN}
            calendar: matin
    groups:
      - name: tous
        count: 3
        departments: ["33"]
        calendars: [matin]
"""


def test_a_sound_scenario_is_loaded(write_scenario: Write) -> None:
    loaded = scenario.load(write_scenario(SOUND))
    (editor,) = loaded.editors
    assert (loaded.name, editor.slug, len(editor.directory)) == ("essai", "agenda", 4)
    (place,) = next(iter(editor.directory)).places
    assert place.structure_id == "1810004421"
    assert place.location_id == "810100050075-1"


@pytest.mark.parametrize(
    ("old", "new", "doubtful"),
    [
        ("", "", []),
        ("family: THOMAS", "family: THOMAS\n        specialties: [SM54, SM98]", ["SM98"]),
        ("family: THOMAS", "family: THOMAS\n        specialties:\n          - SM54\n          - SM98", ["SM98"]),
        ("calendars: [matin]", "calendars: [matin]\n        specialties: [SM00, SM54, SCD03, SM95]", ["SM00"]),
        ("slot_minutes: 30", "slot_minutes: 30\n    specialties: [SI99]", ["SI99"]),
        ("slot_minutes: 30", "slot_minutes: 30\n    mix: [{share: 1, specialties: [SM96]}]", ["SM96"]),
        (
            "calendars:\n",
            "cpts: {c: {finess: '339900501', phone: 0691 00 00 00}}\ncalendars:\n",
            ["0691 00 00 00"],
        ),
        ("calendars:\n", "cpts: {c: {finess: '339900501', phone: 06 39 98 00 00}}\ncalendars:\n", []),
        ("calendar: matin", "phone: '+33692000000'\n            calendar: matin", []),
        ("calendar: matin", "phone: 06 91 00 00 00\n            calendar: matin", ["06 91 00 00 00"]),
        # A calendar may have any name.
        ("  matin:", "  specialties: {}\n  phone: {}\n  matin:", []),
    ],
)
def test_what_is_doubtful_is_told_with_its_line(write_scenario: Write, old: str, new: str, doubtful: list[str]) -> None:
    text = SOUND.replace(old, new, 1)
    warnings = scenario.load(write_scenario(text)).warnings
    lines = text.splitlines()
    assert [[one for one in doubtful if one in lines[each.line - 1]] for each in warnings] == [
        [one] for one in doubtful
    ]
    assert all(one in english(each.what) for one, each in zip(doubtful, warnings, strict=True))


@pytest.mark.parametrize(
    ("calendar", "told"),
    [
        ("slot_minutes: 5, horizon_days: 80, week: [{days: [mon, wed], hours: ['00:00-24:00']}]", []),
        ("slot_minutes: 5, horizon_days: 3660, week: [{days: [mon, wed], hours: ['00:00-24:00']}]", ["its 3660 days"]),
        ("slot_minutes: 5, taken: 0.95, horizon_days: 3660, week: [{days: [mon, wed], hours: ['00:00-24:00']}]", []),
    ],
)
def test_a_calendar_with_more_slots_than_a_search_answers_is_doubtful(
    write_scenario: Write, calendar: str, told: list[str]
) -> None:
    text = SOUND.replace("calendars:\n", f"calendars:\n  dense: {{{calendar}}}\n", 1)
    warnings = scenario.load(write_scenario(text)).warnings
    assert [one.location for one in warnings] == [("calendars", "dense")] * len(told)
    assert all(one.line == 5 and part in english(one.what) for one, part in zip(warnings, told, strict=True))


def test_nothing_is_doubtful_in_what_is_shipped() -> None:
    for path in scenario.shipped():
        assert scenario.load(path).warnings == [], path.stem


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("title: Essai", "titel: Essai", 2, "titel: unknown key; expected: name, title, description, seed"),
        ("title: Essai\n", "", 1, "title: missing"),
        ("title: Essai", "title: ''", 2, "title: String should have at least 1 character"),
        ("title: Essai", "title: [a]", 2, "title: Input should be a valid string"),
        ("title: Essai", "title: Essai\ntitle: Encore", 3, "title: the key stands twice"),
        ("slot_minutes: 30", "slot_minute: 30", 6, "calendars.matin.slot_minute: unknown key; expected: slot_types"),
        ("slot_minutes: 30", "slot_minutes: vite", 6, "calendars.matin.slot_minutes: Input should be a valid integer"),
        ("slot_minutes: 30", "slot_minutes: 4", 6, "greater than or equal to 5"),
        ("slot_minutes: 30", "taken: 1.5", 6, "less than or equal to 1"),
        ("slot_minutes: 30", "slot_types: [PUBLIK]", 6, "Input should be 'PUBLIC', 'PRO', 'SNP', 'CPTS'"),
        ("slot_minutes: 30", "slot_types: []", 6, "at least 1 item"),
        ("slot_minutes: 30", "slot_types: [PUBLIC, private]", 6, "stand alone"),
        ("slot_minutes: 30", "consultation_types: [AMB, AMB]", 6, "stands twice"),
        ("slot_minutes: 30", "consultation_types: AMB", 6, "valid list"),
        ("slot_minutes: 30", "appointment_type: MAYBE", 6, "'ROUTINE' or 'WALKIN'"),
        ("slot_minutes: 30", "mix: [{share: 0}]", 6, "calendars.matin.mix[0].share: Input should be greater than 0"),
        ("slot_minutes: 30", "absences: [{from: 2026-12-26, to: 2026-12-24}]", 6, "to is before from"),
        ("slot_minutes: 30", "absences: [{from: 12-24, to: 2026-12-26}]", 6, "both"),
        ("slot_minutes: 30", "absences: [{from: 2026-02-30, to: 2026-03-01}]", 6, "expected a day"),
        ("slot_minutes: 30", "slot_types: [CPTS]", 8, "slot type CPTS needs the key cpts"),
        ("slot_minutes: 30", "slot_types: [CPTS]\n    cpts: [rien]", 9, "no CPTS 'rien'"),
        ("calendars:", "cpts: {c: {finess: 2A0000000}}\ncalendars:", 4, "cpts.c.finess: expected 9 digits"),
        ("    groups:", "    associations:\n      - siret: '12'", 21, "associations[0].siret: expected 14 digits"),
        ("slot_minutes: 30", "horizon_days: 0", 6, "greater than or equal to 1"),
        ('"09:00-12:00"', '"9h-12h"', 8, "week[0].hours[0]: expected hours such as 09:00-12:30"),
        ('"09:00-12:00"', '"09:00-09:20"', 8, "no slot of 30 minutes fits in"),
        ('"09:00-12:00"', '"09:00-12:00", "11:00-13:00"', 7, "calendars.matin.week: openings overlap"),
        ('"09:00-12:00"', '"20:00-10:00", "09:30-11:00"', 7, "calendars.matin.week: openings overlap"),
        ("days: [mon, tue]", "days: [lun]", 8, "Input should be 'mon'"),
        ("days: [mon, tue]", "days: []", 8, "at least 1 item"),
        ("slug: agenda", "slug: _admin", 10, "editors[0].slug: String should match pattern"),
        ("slug: agenda", "slug: Agenda", 10, "editors[0].slug: String should match pattern"),
        ("urn:oid:1.2.3", "1.2.3", 12, "identifier_system: String should match pattern"),
        ('rpps: "10100050075"', 'rpps: "123"', 14, "rpps: expected 11 digits, or the same after the prefix 8"),
        ('rpps: "10100050075"', 'adeli: "12"', 14, "adeli: expected 9 characters"),
        ('rpps: "10100050075"\n        ', "", 14, "practitioners[0]: expected either rpps or adeli"),
        ('rpps: "10100050075"', 'rpps: "10100050075"\n        adeli: "359900017"', 14, "either rpps or adeli"),
        ('{finess: "810004421"}', '{finess: "81"}', 17, "finess: expected 9 characters"),
        ('{finess: "810004421"}', "{}", 17, "expected at least one of finess, siret, rpps_rang, adeli_rang"),
        ('"47000"', '"4700"', 18, "address.postal_code: String should match pattern"),
        ("calendar: matin", "calendar: soir", 19, "places[0].calendar: no calendar 'soir'; there are: matin"),
        ("calendar: matin", "calendar: matin\n            phone: '12'", 20, "phone: expected a French phone number"),
        ("calendar: matin", "calendar: matin\n            timezone: Europe/Lutece", 20, "the name of a time zone"),
        ("calendar: matin", "calendar: matin\n            timezone: ../../etc/passwd", 20, "the name of a time"),
        ("count: 3", "count: 1000001", 22, "groups[0].count: Input should be less than or equal to 1000000"),
        ('departments: ["33"]', 'departments: ["99"]', 23, "departments[0]: expected a department of data/"),
        ("calendars: [matin]", "calendars: [soir]", 24, "groups[0].calendars[0]: no calendar 'soir'"),
        ("editors:", "editors: []\nnotes:", 9, "editors: List should have at least 1 item"),
        ("slot_minutes: 30", 'reasons: ["a\\0start\\0b"]', 6, "reasons[0]: a control character"),
        ("slot_minutes: 30", 'exceptional_openings: [{date: 0001-01-01, hours: ["09:00-10:00"]}]', 6, "1900-01-01"),
        ("slot_minutes: 30", 'exceptional_openings: [{date: 1e20, hours: ["09:00-10:00"]}]', 6, "expected a date"),
        ("slot_minutes: 30", 'exceptional_openings: [{date: 0, hours: ["09:00-10:00"]}]', 6, "expected a date"),
        ("title: Essai", "title: Essai\nclock: {frozen_at: 9999-12-31T23:00:00+01:00}", 3, "from 1900 to 2200"),
        ("title: Essai", "title: {", 0, "not YAML"),
        ("title: Essai", "title: *rien", 0, "not YAML"),
        ("title: Essai", "title: &a [*a]", 0, "alias inside itself"),
        ("title: Essai", "[a]: Essai", 2, "a key has to be a word"),
        ("title: Essai", "title: Essai\nclock: {frozen_at: 2026-11-20T08:00:00}", 3, "should have timezone info"),
    ],
)  # fmt: skip
def test_a_wrong_scenario_is_refused_with_its_line(
    write_scenario: Write, old: str, new: str, line: int, expected: str
) -> None:
    assert old in SOUND
    path = write_scenario(SOUND.replace(old, new, 1))
    with pytest.raises(ScenarioError) as caught:
        scenario.load(path)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(f"{path}:")
    if line:
        assert line in [problem.line for problem in caught.value.problems], message


def test_every_problem_is_told_at_once(write_scenario: Write) -> None:
    text = SOUND.replace("title: Essai", "titel: x").replace('"47000"', '"4"').replace("count: 3", "count: -1")
    with pytest.raises(ScenarioError) as caught:
        scenario.load(write_scenario(text))
    assert [problem.line for problem in caught.value.problems] == [1, 2, 18, 22]


def part(start: str, end: str | None = None) -> str:
    """A part of the sound scenario, to be said again."""
    return SOUND[SOUND.index(start) : SOUND.index(end) if end else None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (SOUND + part("  - slug"), "'agenda' stands twice"),
        (
            SOUND.replace("    groups:", part("      - rpps", "    groups:") + "    groups:"),
            "'810100050075' stands twice",
        ),
        (SOUND + part("      - name: tous"), "'tous' stands twice"),
    ],
)
def test_doubles_are_refused(write_scenario: Write, text: str, expected: str) -> None:
    with pytest.raises(ScenarioError, match=expected):
        scenario.load(write_scenario(text))


def test_an_exceptional_opening_may_not_overlap(write_scenario: Write) -> None:
    # 2026-11-23 is a Monday.
    text = SOUND.replace(
        "    week:", '    exceptional_openings: [{date: 2026-11-23, hours: ["11:00-13:00"]}]\n    week:'
    )
    with pytest.raises(ScenarioError, match="openings overlap on 2026-11-23"):
        scenario.load(write_scenario(text))


def test_an_alias_bomb_is_refused(write_scenario: Write) -> None:
    levels = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))
    with pytest.raises(ScenarioError, match="far too many"):
        scenario.load(write_scenario(f"a0: &a0 [x]\n{levels}\n"))


@pytest.mark.parametrize(
    ("content", "expected"), [(b"", "empty"), (b"\xff\xfe", "not UTF-8"), (b"a\x00b: 1", "not YAML")]
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(content)
    with pytest.raises(ScenarioError, match=expected):
        scenario.load(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "{a: " * 600], ids=["brackets", "dashes", "braces"])
def test_what_is_nested_without_end_is_refused(write_scenario: Write, text: str) -> None:
    with pytest.raises(ScenarioError, match="nested deeper than 50 levels"):
        scenario.load(write_scenario(text))


@pytest.mark.parametrize("name", ["nulle-part", "../nulle/part.yaml", "", "/"])
def test_a_scenario_that_is_not_there_is_said_so(name: str) -> None:
    with pytest.raises(ScenarioError, match=r": no such file, nor a shipped scenario .*decouverte"):
        scenario.find(name)


def test_what_an_opening_leaves_out_comes_from_the_calendar(write_scenario: Write) -> None:
    text = SOUND.replace(
        "    week:\n      - {days: [mon, tue], hours: [\"09:00-12:00\"]}",
        """    slot_types: [PRO]
    reasons: [Contrôle]
    mix: [{share: 1, consultation_types: [VR]}]
    week:
      - {days: [mon], hours: ["09:00-12:00"]}
      - {days: [tue], hours: ["09:00-12:00"], slot_types: [SNP], slot_minutes: 60}
      - {days: [wed], hours: ["09:00-12:00"], appointment_type: WALKIN, mix: [{share: 1, reasons: []}]}""",
    )  # fmt: skip
    (place,) = next(iter(scenario.load(write_scenario(text)).editors[0].directory)).places
    monday = date(2026, 11, 23)
    first = [slots_of_day(place.calendar, monday + timedelta(days=shift))[0] for shift in range(3)]
    assert [slot.shape.types for slot in first] == [(SlotType.PRO,), (SlotType.SNP,), (SlotType.PRO,)]
    assert [slot.shape.consultation_types for slot in first] == [
        (ConsultationType.VR,),
        (ConsultationType.AMB,),
        (ConsultationType.AMB,),
    ]
    assert [slot.shape.reasons for slot in first] == [("Contrôle",), ("Contrôle",), ()]
    assert [slot.shape.appointment_type for slot in first] == [AppointmentType.ROUTINE] * 2 + [AppointmentType.WALKIN]
    assert [slot.end - slot.start for slot in first] == [timedelta(minutes=m) for m in (30, 60, 30)]


REGULATOR = "national_id: a/1, family: A, given: B, email: a@b.example"


def with_regulators(regulators: str, accounts: str) -> str:
    """The default scenario with other regulators, and their accounts at its first editor."""
    source = scenario.find("decouverte").read_text(encoding="utf-8")
    head, _, rest = source.partition("regulators:\n")
    _, _, rest = rest.partition("\ncalendars:\n")
    rest, _, _ = rest.partition("    # The accounts that are there from the start")
    return f"{head}regulators: {regulators}\n\ncalendars:\n{rest}    accounts: {accounts}\n"


@pytest.mark.parametrize(
    ("regulators", "accounts", "text"),
    [
        ("{a: {family: A, given: B, email: a@b.example}}", "[]", "expected national_id, technical_id or both"),
        ("{a: {national_id: a/1, family: A, given: B}}", "[]", "email: missing"),
        (f"{{a: {{{REGULATOR}}}}}", "[{regulator: b}]", "no regulator 'b'; there are: a"),
        (
            f"{{a: {{{REGULATOR}}}}}",
            "[{regulator: a}, {regulator: a}]",
            "its identifier or e-mail is that of another account",
        ),
        (
            f"{{a: {{{REGULATOR}}}, b: {{technical_id: t, family: A, given: B, email: A@B.example}}}}",
            "[{regulator: a}, {regulator: b}]",
            "its identifier or e-mail is that of another account",
        ),
    ],
)
def test_accounts_that_cannot_be(
    write_scenario: Callable[[str], Path], regulators: str, accounts: str, text: str
) -> None:
    with pytest.raises(ScenarioError, match=text):
        scenario.load(write_scenario(with_regulators(regulators, accounts)))


def test_a_withdrawn_account_may_share_the_e_mail_of_another(write_scenario: Callable[[str], Path]) -> None:
    people = f"{{a: {{{REGULATOR}}}, b: {{technical_id: t, family: A, given: B, email: A@B.example}}}}"
    loaded = scenario.load(write_scenario(with_regulators(people, "[{regulator: a}, {regulator: b, active: false}]")))
    assert [account.active for account in loaded.accounts["agenda-ville"]] == [True, False]


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("notifications: {url: sas.example}", "notifications.url: String should match"),
        ("notifications: {certificate: nowhere.pem}", "there is no file .*nowhere.pem"),
        ("notifications: {key: scenario.yaml}", "notifications.key: expected a certificate too"),
        ("notifications: {authority: scenario.yaml}", "notifications.authority: .*holds no certificate in PEM"),
        ("notifications: {tls_minimum: 1.1}", "notifications.tls_minimum: "),
        ("notifications: {tries: 0}", "notifications.tries: "),
        ("endings: {fulfilled: 0.8, noshow: 0.3}", "fulfilled and noshow are more than 1 together"),
        ("endings: {honoured: 1}", "unknown key; expected: fulfilled, noshow"),
    ],
)
def test_notifications_and_endings_that_cannot_be(
    write_scenario: Callable[[str], Path], section: str, text: str
) -> None:
    source = scenario.find("decouverte").read_text(encoding="utf-8")
    with pytest.raises(ScenarioError, match=text):
        scenario.load(
            write_scenario(source.replace("    name: Agenda SOS\n", f"    name: Agenda SOS\n    {section}\n"))
        )


def test_files_are_relative_to_the_scenario(write_scenario: Callable[[str], Path], tmp_path: Path) -> None:
    trustme.CA().issue_cert("lga.example").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    source = scenario.find("decouverte").read_text(encoding="utf-8")
    section = "    notifications: {certificate: client.pem}\n    endings: {fulfilled: 1}\n"
    loaded = scenario.load(write_scenario(source.replace("    name: Agenda SOS\n", f"    name: Agenda SOS\n{section}")))
    assert loaded.notifications["agenda-sos"].certificate == str(tmp_path / "client.pem")
    assert loaded.endings["agenda-sos"].fulfilled == 1


FAULTY = (
    SOUND
    + """\
faults:
  - name: coupe
    priority: 3
    editors: [agenda]
    flows: [INT_R01, INT_R04]
    hours: 22:00-06:00
    do:
      - {kind: cut-body, share: 0.25}
      - kind: html-page
        status: 503
timelines:
  - name: essai
    steps:
      - {at: 0, add: [{name: vide, do: [{kind: empty-body}]}]}
      - {at: 90.5, remove: [vide, coupe]}
"""
)


def test_faults_and_timelines_are_part_of_it(write_scenario: Write) -> None:
    loaded = scenario.load(write_scenario(FAULTY))
    (rule,), (timeline,) = loaded.faults, loaded.timelines
    assert (rule.name, rule.priority, rule.flows, rule.hours) == ("coupe", 3, ["INT_R01", "INT_R04"], "22:00-06:00")
    assert [kind.model_dump(exclude_defaults=True) for kind in rule.do] == [{"share": 0.25}, {"status": 503}]
    assert [one.name for one in timeline.rules([rule], 90)] == ["coupe", "vide"]
    assert timeline.rules([rule], 90.5) == []
    assert loaded.seed == "1"


def test_without_any_there_are_none(write_scenario: Write) -> None:
    loaded = scenario.load(write_scenario(SOUND))
    assert (list(loaded.faults), list(loaded.timelines)) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"),
    [
        ("{kind: cut-body,", "{kind: cut-boddy,", 32, "faults[0].do[0].kind: no kind of fault 'cut-boddy'; there"),
        ("{kind: cut-body,", "{", 32, "faults[0].do[0]: expected a kind of fault with its parameters, e.g. {kind: lat"),
        ("share: 0.25", "share: 1", 32, "faults[0].do[0].share: cut-body: Input should be less than 1"),
        ("share: 0.25", "part: 1", 32, "faults[0].do[0].part: cut-body: unknown parameter; expected: share, size"),
        ("status: 503", "status: 42", 34, "faults[0].do[1].status: html-page: Input should be greater than or equal"),
        ("status: 503", "staus: 503", 34, "do[1].staus: html-page: unknown parameter; expected: status, title"),
        ("kind: empty-body", "kind: empty-body, a: 1", 38, "steps[0].add[0].do[0].a: empty-body: has no parameters"),
        ("- kind: html-page\n        status: 503", "- wrong-total", 33, "do[1]: expected a kind of fault with its"),
        ("priority: 3", "prioriti: 3", 27, "faults[0].prioriti: unknown key; expected: name, on, priority, flows"),
        ("priority: 3", "priority: beaucoup", 27, "faults[0].priority: Input should be a valid integer"),
        ("priority: 3", "since: hier", 27, "faults[0].since: expected a date and time"),
        ("hours: 22:00-06:00", "hours: la nuit", 30, "faults[0].hours: expected hours such as 22:00-06:00"),
        ("editors: [agenda]", "editors: [agneda]", 28, "faults[0].editors[0]: no editor 'agneda'; there are: agenda"),
        ("flows: [INT_R01, INT_R04]", "flows: [INT_R1]", 29, "faults[0].flows[0]: Input should be 'INT_R01', 'IN"),
        ("flows: [INT_R01, INT_R04]", "flows: [other]", 29, "faults[0].flows[0]: expected one of INT_R01, INT_R02"),
        ("timelines:", "  - name: coupe\n    do: [{kind: empty-body}]\ntimelines:", 35, "'coupe' stands twice"),
        ("add: [", "editors: [x], add: [", 38, "timelines[0].steps[0].editors: unknown key; expected: at, clear"),
        ("name: vide,", "name: vide, editors: [x],", 38, "steps[0].add[0].editors[0]: no editor 'x'"),
        ("remove: [vide, coupe]", "remove: [rien]", 39, "no rule 'rien' until then; there are: coupe, vide"),
        ("remove: [vide, coupe]", "clear: true, remove: [vide]", 39, "steps[1].remove[0]: no rule yet"),
        ("at: 0,", "at: 91,", 36, "timelines[0]: steps are not in the order of their times"),
        ("  - name: essai\n    steps", "  - {name: essai, steps: [{at: 0}]}\n  - name: essai\n    steps", 37, "twice"),
    ],
)  # fmt: skip
def test_a_wrong_fault_is_refused_with_its_line(
    write_scenario: Write, old: str, new: str, line: int, expected: str
) -> None:
    assert old in FAULTY
    with pytest.raises(ScenarioError) as caught:
        scenario.load(write_scenario(FAULTY.replace(old, new, 1)))
    [problem] = caught.value.problems
    assert expected in english(problem.what)
    assert problem.line == line


def test_a_kind_that_there_is_not_tells_those_that_there_are(write_scenario: Write) -> None:
    with pytest.raises(ScenarioError) as caught:
        scenario.load(write_scenario(FAULTY.replace("kind: cut-body", "kind: cut")))
    [told] = [english(problem.what) for problem in caught.value.problems]
    assert told.partition("there are: ")[2].split(", ") == [one.kind for one in catalogue().values()]
