"""What is wrong with a rule or a timeline, or with what they are part of: where it was written, and what."""

from collections.abc import Iterator

from pydantic import BaseModel, ValidationError

from mock_editor.base import schemas
from mock_editor.base.issues import Code, Issue, Named, issue
from mock_editor.base.validation import Finding, Location, described, findings
from mock_editor.faults.catalogue import name_of
from mock_editor.faults.kinds import KINDS

_BY_NAME = {name_of(kind): kind for kind in KINDS}


def problems(error: ValidationError, model: type[BaseModel], *, json: bool = True) -> Iterator[tuple[Location, Issue]]:
    """All that is wrong with data for a model that may have rules in it; ``json``: it was checked as JSON."""
    schema = schemas.schema_of(model)
    return (problem(finding, schema, json=json) for finding in findings(error))


def problem(finding: Finding, schema: schemas.Schema, *, json: bool = True) -> tuple[Location, Issue]:
    """One thing that is wrong, and where in the data; ``schema`` is that of all of the data."""
    location: list[int | str] = []
    kind = None
    for part in finding.location:
        # pydantic gives the kind after its place in the list.
        if kind is None and location[-2:-1] == ["do"] and part in _BY_NAME:
            kind = str(part)
        else:
            location.append(part)
    match finding.type:
        case "union_tag_invalid":
            location.append("kind")
            return tuple(location), issue(Code.FAULT_KIND_UNKNOWN, found=finding.context["tag"], known=list(_BY_NAME))
        case "union_tag_not_found" | "model_attributes_type" if location[-2:-1] == ["do"]:
            return tuple(location), issue(Code.FAULT_KIND_EXPECTED)
        case "extra_forbidden" if kind:
            known = [name for name in _BY_NAME[kind].model_fields if name != "kind"]
            what = issue(Code.FAULT_PARAMETER_UNKNOWN, known=known) if known else issue(Code.FAULT_HAS_NO_PARAMETERS)
        case _:
            what = described(finding, schemas.at(schema, finding.location), json=json)
    if kind is None:
        return tuple(location), what
    labels = _BY_NAME[kind].labels()
    # A parameter is what is wrong, unless it is the kind as a whole.
    names = [Named(str(part), labels[part].inline) for part in location if part in labels]
    return tuple(location), issue(Code.FAULT_OF_KIND, kind=kind, problem=what, subject=names[0] if names else None)
