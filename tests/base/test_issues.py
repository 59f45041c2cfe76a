"""Issues are kept in tables and come back as they were."""

from datetime import UTC, date, datetime

import pytest

from mock_editor.base.issues import Code, Issue, Term, as_text, from_text, issue
from mock_editor.base.words import english, french


@pytest.mark.parametrize(
    "found",
    [
        issue(Code.CLIENT_LEFT),
        issue(Code.BODY_ENDED, "body", how=Term("ending", "reset"), sent=1, size=2.5),
        issue(Code.CALL_FAILED, reason=issue(Code.BODY_SHORT, size=1, expected=2)),
        issue(Code.CALL_FAILED, reason=["a", "b"]),
        issue(Code.CALL_FAILED, reason=datetime(2026, 11, 30, 8, 5, tzinfo=UTC)),
        issue(Code.CALL_FAILED, reason=date(2026, 11, 30)),
    ],
)
def test_an_issue_that_was_kept_says_the_same(found: Issue) -> None:
    again = from_text(as_text(found))
    assert again == found
    assert (english(again), french(again)) == (english(found), french(found))


def test_a_code_that_there_is_no_longer_says_its_key() -> None:
    assert english(from_text('{"code": "gone", "place": null, "values": {}}')) == "gone"
