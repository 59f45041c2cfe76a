"""``mock-editor check``."""

import click

from mock_editor.base.issues import Code, Issue, issue
from mock_editor.commands.failures import Failure
from mock_editor.commands.starting import load_scenario


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="SCENARIO...")
def check(names: tuple[str, ...]) -> None:
    """Check scenario files, or shipped scenarios by name, without starting anything."""
    wrong: list[Issue] = []
    for name in names:
        try:
            loaded = load_scenario(name)
        except Failure as error:
            wrong += error.issues
        else:
            people = sum(len(editor.directory) for editor in loaded.editors)
            associations = sum(len(editor.associations) for editor in loaded.editors)
            click.echo(
                f"{name}: ok, {len(loaded.editors)} editor(s), {people} practitioner(s), {associations} association(s)"
            )
    if wrong:
        raise Failure(issue(Code.SCENARIO_WRONG), *wrong)
