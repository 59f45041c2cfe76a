from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mock_editor.base.cache import ByteCache
from mock_editor.base.clock import Clock
from mock_editor.base.fhir import instant, legal_query, parse_date

PARIS = ZoneInfo("Europe/Paris")
FIRST, LAST = "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"


@pytest.mark.parametrize(
    ("text", "first", "after"),
    [
        ("2026", "2025-12-31T23:00:00+00:00", "2026-12-31T23:00:00+00:00"),
        ("2026-12", "2026-11-30T23:00:00+00:00", "2026-12-31T23:00:00+00:00"),
        ("2026-11-20", "2026-11-19T23:00:00+00:00", "2026-11-20T23:00:00+00:00"),
        # The days on which the clocks change have 23 and 25 hours.
        ("2026-03-29", "2026-03-28T23:00:00+00:00", "2026-03-29T22:00:00+00:00"),
        ("2026-10-25", "2026-10-24T22:00:00+00:00", "2026-10-25T23:00:00+00:00"),
        ("2026-11-20T08:00", "2026-11-20T07:00:00+00:00", "2026-11-20T07:01:00+00:00"),
        ("2026-11-20T08:00:00", "2026-11-20T07:00:00+00:00", "2026-11-20T07:00:01+00:00"),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00+00:00", "2026-11-20T08:00:01+00:00"),
        ("2026-11-20T08:00:00.5-04:00", "2026-11-20T12:00:00.500000+00:00", "2026-11-20T12:00:00.600000+00:00"),
        ("2026-11-22T23:59:59.999+01:00", "2026-11-22T22:59:59.999000+00:00", "2026-11-22T23:00:00+00:00"),
        ("2026-11-20T08:00:00 04:00", "2026-11-20T04:00:00+00:00", "2026-11-20T04:00:01+00:00"),
        # FHIR allows the leap second.
        ("2026-11-20T23:59:60Z", "2026-11-21T00:00:00+00:00", "2026-11-21T00:00:01+00:00"),
        ("9999", "9998-12-31T23:00:00+00:00", LAST),
        ("9999-12", "9999-11-30T23:00:00+00:00", LAST),
        ("9999-12-31", "9999-12-30T23:00:00+00:00", LAST),
        ("9999-12-31T23:59:60.999Z", LAST, LAST),
        ("9999-12-31T23:59:59-14:00", LAST, LAST),
        ("0001", FIRST, "0001-12-31T23:50:39+00:00"),
        ("0001-01-01", FIRST, "0001-01-01T23:50:39+00:00"),
        ("0001-01-01T00:00:00+14:00", FIRST, "0001-01-01T00:00:01+00:00"),
    ],
)
def test_a_date_stands_for_a_period(text: str, first: str, after: str) -> None:
    assert [moment.isoformat() for moment in parse_date(text, PARIS)] == [first, after]


@pytest.mark.parametrize(
    "text",
    [
        "", "26-11-20", "2026-1-2", "2026-11-20T8:00", "2026-11-20T08", "2026-13-01", "2026-11-31", "2026-11-20T24:00",
        "2026-11-20T08:00:61", "2026-11-20T08:00:00+25:00", "0000-01-01", "0000", "10000", "٢٠٢٦",
        "2026-11-20 08:00", "now",
    ],
)  # fmt: skip
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a date|no such date"):
        parse_date(text, PARIS)


def test_an_instant_has_three_decimals_and_an_offset() -> None:
    moment = datetime(2026, 7, 1, 8, 0, 0, 123456, tzinfo=UTC)
    assert instant(moment, PARIS) == "2026-07-01T10:00:00.123+02:00"
    assert instant(moment, ZoneInfo("Etc/UTC")) == "2026-07-01T08:00:00.123+00:00"


@pytest.mark.parametrize(
    ("raw", "legal"),
    [
        (b"a=b&c=%7C+%2f:/?@,;'()*~", "a=b&c=%7C+%2f:/?@,;'()*~"),
        (b"a|b", "a%7Cb"),
        (b"a=%&b=%4&c=%zz", "a=%25&b=%254&c=%25zz"),
        ('a="é"<>[]{}\\^` #'.encode(), "a=%22%C3%A9%22%3C%3E%5B%5D%7B%7D%5C%5E%60%20%23"),
    ],
)
def test_only_what_no_uri_may_hold_is_encoded(raw: bytes, legal: str) -> None:
    assert legal_query(raw) == legal


def test_a_cache_forgets_the_oldest_first_and_stays_in_its_bounds() -> None:
    cache: ByteCache[str] = ByteCache(100)
    for number in range(5):
        cache.put(number, str(number), 30)
    assert [cache.get(number) for number in range(5)] == [None, None, "2", "3", "4"]
    cache.put(2, "again", 50)
    assert [cache.get(number) for number in (2, 3, 4)] == ["again", None, "4"]
    cache.put("large", "kept all the same", 1000)
    assert [cache.get(key) for key in (2, 4, "large")] == [None, None, "kept all the same"]


def test_a_clock_is_real_or_frozen() -> None:
    before = datetime.now(UTC)
    assert before <= Clock().now() <= datetime.now(UTC)
    frozen = Clock(datetime(2026, 11, 20, 9, 0, tzinfo=PARIS))
    assert frozen.now() == frozen.now() == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    naive = datetime(2026, 11, 20)  # noqa: DTZ001 - that is the point
    for moment in (naive, datetime(1899, 12, 31, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        with pytest.raises(ValueError, match="an instant with an offset, from 1900 to 2200"):
            Clock(moment)
