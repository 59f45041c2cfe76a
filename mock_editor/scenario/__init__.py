"""Scenarios: YAML files that describe editors. They are read, checked strictly and turned into the model."""

from mock_editor.scenario.build import LoadedScenario, load, play
from mock_editor.scenario.reader import Problem, ScenarioError, Script, find, shipped

__all__ = ["LoadedScenario", "Problem", "ScenarioError", "Script", "find", "load", "play", "shipped"]
