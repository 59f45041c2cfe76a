"""Scenarios: YAML files that describe the editors to play. Read, checked strictly, and turned into the model."""

from mock_editor.scenario.build import LoadedScenario, load
from mock_editor.scenario.reader import ScenarioError, find, shipped

__all__ = ["LoadedScenario", "ScenarioError", "find", "load", "shipped"]
