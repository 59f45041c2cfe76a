"""Operations of the admin API: each is one function, and its route, its part of the OpenAPI document and its command
are made from it.

To add one, write a function below ``operations/``, put it into the list of ``operations/__init__.py`` and run ``make
generated``, which writes what its command is made from. It looks so::

    class Advance(Model):
        by: Annotated[int, Field(ge=1, description="Seconds")]


    @operation(
        "POST",
        "/clock/{name}/advance",
        "clock advance",
        "Move a clock forward",
        refusals={404: "There is no such clock"},
        examples=[Example("By a minute", path={"name": "main"}, body={"by": 60})],
    )
    def advance_clock(control: Control, name: Line, body: Advance) -> Now:
        \"\"\"What this does in more words: the description in the document and in the help.\"\"\"
        ...

- The **name** of the function is the operation id (``advanceClock``), its **docstring** the description, its module the
  tag, described by the first line of the module's docstring.
- **Parameters** after ``control``: one for each ``{name}`` of the path, with its type; ``query``, a ``Model`` of which
  each field is a query parameter; ``body``: a ``Model`` (JSON), ``str`` or ``bytes`` (a file, of the media types
  ``accepts``). The body may be left out if its model has no required field.
- The **annotation of what is returned** says what is answered: a ``Model`` (JSON), None (204), ``Download``, or an
  ``Iterator`` of a ``Model`` (a line of NDJSON each, or server-sent events for those who ask for them; None keeps a
  silent connection alive). A stream has to raise before it returns its iterator: later the status is out.
- **Refusals** are raised as EditorError (``refused`` makes one). Those that any operation may give are not
  declared: see ``openapi.py``. 400 is for what is not understood, 404 for what is named and is not there, 422 for what
  is understood and cannot be accepted, 409 for what the present state does not allow.
- **Examples** are executed, each in a fresh world (``tests/admin/conftest.py``), and have to be answered as they say.
"""

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from functools import cache, cached_property
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from mock_editor.base import validation
from mock_editor.base.clock import FIRST_YEAR, LAST_YEAR
from mock_editor.base.errors import MOST_ISSUES, InvalidValueError
from mock_editor.base.event_streams import EVENT_STREAM
from mock_editor.base.http import MAX_BODY
from mock_editor.base.issues import Code, Issue
from mock_editor.base.schemas import Schema, alternatives, schema_of, takes_null, values
from mock_editor.base.validation import findings
from mock_editor.simulator.simulator import Simulator
from mock_editor.world.world import World

JSON, OCTETS = "application/json", "application/octet-stream"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True, slots=True)
class Control:
    """What operations work with: the world in play, and the simulator that plays it."""

    world: World
    simulator: Simulator


# --- what goes in and out


class Model(BaseModel):
    """A JSON object that comes in or goes out: no unknown fields, and no type in the place of another."""

    model_config = ConfigDict(extra="forbid", strict=True)


_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9:]{5})")


def _read_instant(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # In a query, the `+` of an offset often arrives as a space.
    if value[-6:-5] == " ":
        value = f"{value[:-6]}+{value[-5:]}"
    # Not whatever else pydantic takes: seconds since 1970, a day.
    if not _INSTANT.fullmatch(value):
        raise InvalidValueError(Code.INSTANT_EXPECTED)
    return datetime.fromisoformat(value)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None or not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise InvalidValueError(Code.INSTANT_OUT_OF_RANGE, first=FIRST_YEAR, last=LAST_YEAR)
    return value.astimezone(UTC)


# An instant; comes with an offset, and goes in UTC.
Instant = Annotated[datetime, BeforeValidator(_read_instant), AfterValidator(_in_utc)]
_NO_CONTROL = r"^[^\x00-\x1f\x7f]*$"
# A text in one line: short, and not empty.
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=_NO_CONTROL)]
# What lists take: which page of one, and a text to look for.
PageNumber = Annotated[int, Field(ge=1, le=1_000_000, description="Which page of `limit` items, from 1")]
SearchText = Annotated[Line, Field(description="Only those with this text in what they say, in any case and accents")]
# The same as a Line, or nothing.
Remark = Annotated[str, Field(max_length=200, pattern=_NO_CONTROL)]


@dataclass(frozen=True, slots=True)
class Download:
    """A file as an answer: the name that it is to have, and what is in it."""

    name: str
    content: Iterable[bytes]


class Parameter(NamedTuple):
    """A field of a flat model, as parameters and options need it. ``kind`` is its JSON type, or ``json`` for others."""

    name: str
    kind: str
    required: bool
    nullable: bool
    schema: Mapping[str, Any]

    @property
    def description(self) -> str:
        """What it is for."""
        return str(self.schema.get("description", ""))


_WHOLE = r"-?(0|[1-9][0-9]{0,17})"
_LITERALS = {"integer": _WHOLE, "number": rf"{_WHOLE}(\.[0-9]{{1,17}})?", "boolean": "true|false"}


@cache  # asked for with every request
def parameters(model: type[BaseModel]) -> Sequence[Parameter]:
    """The fields of a model, with their JSON schemas."""
    schema = schema_of(model)
    required = schema.get("required", ())
    found = []
    for name, own in schema.get("properties", {}).items():
        flat = _flat(own)
        kind = flat.get("type", "json")
        kind = kind if kind in (*_LITERALS, "string") else "json"
        found.append(Parameter(name, kind, name in required, takes_null(own), flat))
    return found


def _flat(schema: Schema) -> Schema:
    """A schema without null, which stands for a parameter that is missing."""
    some = alternatives(schema)
    if len(some) == 1 and some[0] is not schema:
        own = {key: value for key, value in schema.items() if key != "anyOf"}
        # An enumeration is described by its class, which says less than the field; any other type says more.
        schema = {**some[0], **own} if "enum" in some[0] else {**own, **some[0]}
    elif len(some) > 1 and all(one.get("type") == "string" for one in some) and values(schema):
        schema = {"type": "string", "enum": list(values(schema))}
    if "items" in schema:
        schema = {**schema, "items": _flat(schema["items"])}
    return {key: value for key, value in schema.items() if not (key == "default" and value is None)}


def read_texts(model: type[BaseModel], texts: Mapping[str, str]) -> dict[str, Any]:
    """Texts of a path or a query as JSON values, where a field is of another type."""
    kinds = {one.name: one.kind for one in parameters(model)}
    return {name: _typed(text, kinds.get(name, "string")) for name, text in texts.items()}


def _typed(text: str, kind: str) -> Any:
    return orjson.loads(text) if kind in _LITERALS and re.fullmatch(_LITERALS[kind], text) else text


def check(model: type[BaseModel], content: bytes, origin: str, issues: list[Issue]) -> Any:
    """The model of some JSON; what is wrong with it is added to ``issues``, and told to be in ``origin``."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        found = zip(findings(error), validation.issues(error, model), strict=True)
        for one, wrong in itertools.islice(found, MOST_ISSUES):
            place = "".join(f"[{part}]" if isinstance(part, int) else f".{part[:100]}" for part in one.location)
            issues.append(replace(wrong, place=origin + place))
        return None


# --- declarations


@dataclass(frozen=True, slots=True)
class Example:
    """A request and how it is answered: by the operation's own status unless another is named.

    Resources in ``answer`` may be cut short. With ``varies``, its values are other ones each time.
    """

    summary: str
    path: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    status: int | None = None
    answer: Any = None
    varies: bool = False


class Answers(Enum):
    """What an operation answers with."""

    JSON = "json"
    NOTHING = "nothing"
    STREAM = "stream"
    DOWNLOAD = "download"


@dataclass(frozen=True, kw_only=True, eq=False)
class Operation:
    """A function with its declaration; see the beginning of this module. ``limit`` is of a body, in bytes."""

    run: Callable[..., Any]
    method: str
    path: str
    command: str
    summary: str
    status: int
    answers: Answers
    answer: type[BaseModel] | None
    place: type[BaseModel]
    query: type[BaseModel] | None
    body: type[BaseModel] | type[str] | type[bytes] | None
    accepts: Sequence[str]
    produces: Sequence[str]
    limit: int
    refusals: Mapping[int, str]
    examples: Sequence[Example]

    @property
    def id(self) -> str:
        """The operation id."""
        first, *others = self.run.__name__.split("_")
        return first + "".join(word.capitalize() for word in others)

    @property
    def description(self) -> str:
        """All that is to be said of it; the lines of a paragraph are put together."""
        paragraphs = inspect.cleandoc(self.run.__doc__ or "").split("\n\n")
        return "\n\n".join(" ".join(one.split()) for one in paragraphs)

    @property
    def tag(self) -> str:
        """Under what it is listed."""
        return self.run.__module__.rpartition(".")[2]

    @property
    def tag_description(self) -> str:
        """What that is about."""
        return (inspect.getdoc(inspect.getmodule(self.run)) or "").partition("\n")[0]

    @property
    def json_body(self) -> type[BaseModel] | None:
        """The model of the body, if that is JSON."""
        return self.body if isinstance(self.body, type) and issubclass(self.body, BaseModel) else None

    @cached_property
    def body_required(self) -> bool:
        """Whether there has to be a body."""
        model = self.json_body
        if model is None:
            return self.body is not None
        return any(one.is_required() for one in model.model_fields.values())


def operation(
    method: str,
    path: str,
    command: str,
    summary: str,
    *,
    status: int | None = None,
    accepts: Sequence[str] = (),
    produces: Sequence[str] = (),
    limit: int = MAX_BODY,
    refusals: Mapping[int, str] | None = None,
    examples: Sequence[Example],
) -> Callable[[Callable[..., Any]], Operation]:
    """Makes an operation of a function: see the beginning of this module."""

    def declare(run: Callable[..., Any]) -> Operation:
        hints = get_type_hints(run, include_extras=True)
        returned = hints.pop("return")
        given = {name: hints[name] for name in list(inspect.signature(run).parameters)[1:]}
        query, body = given.pop("query", None), given.pop("body", None)
        if list(given) != re.findall(r"{(\w+)}", path):
            raise TypeError(f"{run.__name__}: parameters {list(given)} are not those of {path}")
        answers, answer, media_types = _answers(returned)
        places: dict[str, Any] = {name: (hint, ...) for name, hint in given.items()}
        file = body in (str, bytes)
        return Operation(
            run=run,
            method=method,
            path=path,
            command=command,
            summary=summary,
            status=status or (204 if answers is Answers.NOTHING else 200),
            answers=answers,
            answer=answer,
            place=create_model(f"{run.__name__}_path", __base__=Model, **places),
            query=query,
            body=body,
            accepts=accepts or ([OCTETS] if file else [JSON] if body else []),
            produces=produces or media_types,
            limit=limit,
            refusals=refusals or {},
            examples=examples,
        )

    return declare


def _answers(returned: Any) -> tuple[Answers, type[BaseModel] | None, list[str]]:
    """What an annotation says of the answer: how, what, and of which media types."""
    if returned is type(None):
        return Answers.NOTHING, None, []
    if returned is Download:
        return Answers.DOWNLOAD, None, [OCTETS]
    if get_origin(returned) is Iterator:
        [item] = get_args(returned)
        [model] = [one for one in get_args(item) or [item] if one is not type(None)]
        return Answers.STREAM, model, [NDJSON, EVENT_STREAM]
    return Answers.JSON, returned, [JSON]
