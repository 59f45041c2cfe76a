"""What came of a fault rule, as data and in words."""

import pytest

from mock_editor.base.applied_rules import AppliedRule, RuleOutcome

ENGLISH = {
    RuleOutcome.ACTED: "slow: latency, cut-body",
    RuleOutcome.FAILED: "slow: latency, cut-body (failed: KeyError)",
    RuleOutcome.REFUSED: "slow: latency, cut-body (refused: no place to wait)",
    RuleOutcome.STOPPED: "slow: latency, cut-body (ended: the simulator stops)",
}


@pytest.mark.parametrize("outcome", RuleOutcome)
def test_it_is_kept_as_data_and_has_words_in_both_languages(outcome: RuleOutcome) -> None:
    error = "KeyError" if outcome is RuleOutcome.FAILED else ""
    applied = AppliedRule("slow", ("latency", "cut-body"), outcome, error)
    assert AppliedRule.from_text(applied.as_text()) == applied
    assert (applied.english, str(applied)) == (ENGLISH[outcome], ENGLISH[outcome])
    assert applied.french.startswith("slow: latency, cut-body")
    assert (applied.french == applied.english) == (outcome is RuleOutcome.ACTED)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "a", "kinds": [], "outcome": "other", "error": ""}', '"a"'])
def test_nothing_else_is_taken_for_it(text: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        AppliedRule.from_text(text)
