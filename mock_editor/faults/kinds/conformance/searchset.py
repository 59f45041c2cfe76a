"""What all mistakes in search answers share: the Bundle is read once, spoilt, and written as the search writes it.

Only a right answer is spoilt; whatever is no searchset Bundle, or has nothing to spoil, goes through byte for byte.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

import orjson
from pydantic import Field, model_validator

from mock_editor.base.errors import InvalidValueError
from mock_editor.base.fhir import Resource, dumps
from mock_editor.base.issues import Code
from mock_editor.base.parameters import Parameters
from mock_editor.faults.kind import Kind
from mock_editor.faults.messages import Proceed, Request, Response
from mock_editor.faults.words import Label

INDIVIDUAL = frozenset({"INT_R01", "INT_R04"})
SEARCHES = INDIVIDUAL | {"SOS"}

Item = TypeVar("Item")


def copied(value: Any) -> Any:
    """A deep copy of JSON; ``copy.deepcopy`` takes ten times as long."""
    return orjson.loads(orjson.dumps(value))


def parts(value: Any) -> Iterator[Resource]:
    """Every JSON object inside, the outermost first."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from parts(part)


def keep(resource: Resource, member: str, wanted: Callable[[Resource], object]) -> None:
    """Keeps the wanted items of a list; the member goes with its last one."""
    remaining = [item for item in resource.get(member, []) if wanted(item)]
    if remaining:
        resource[member] = remaining
    else:
        resource.pop(member, None)


def read_searchset(response: Response) -> Resource | None:
    """The Bundle of an answer, if it is a right one to a search."""
    if response.status != 200:
        return None
    try:
        read = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return None
    is_searchset = isinstance(read, dict) and (read.get("resourceType"), read.get("type")) == ("Bundle", "searchset")
    return read if is_searchset else None


class Searchset:
    """A Bundle that is being spoilt, and the request that it answers."""

    def __init__(self, bundle: Resource, request: Request) -> None:
        self.bundle = bundle
        self.request = request

    @property
    def entries(self) -> list[Resource]:
        """Its entries, in order; all of them have a resource."""
        entries: list[Resource] = self.bundle.get("entry", [])
        return entries

    @entries.setter
    def entries(self, entries: list[Resource]) -> None:
        # The total counts the slots that are there; only the kind about it makes it wrong.
        total = self.bundle.get("total")
        if isinstance(total, int):
            self.bundle["total"] = total + _slots(entries) - _slots(self.entries)
        if entries:
            self.bundle["entry"] = entries
        else:
            self.bundle.pop("entry", None)

    def resources(self, resource_type: str) -> list[Resource]:
        """The resources of one type, in order."""
        resources = (entry["resource"] for entry in self.entries)
        return [resource for resource in resources if resource["resourceType"] == resource_type]

    def find(self, reference: str) -> Resource | None:
        """The entry whose resource a relative reference means."""
        return next((entry for entry in self.entries if reference_to(entry["resource"]) == reference), None)

    def asked(self) -> Parameters:
        """The parameters of the search, of the query and of a posted form."""
        raw = self.request.url.partition("?")[2].encode()
        return Parameters(raw + b"&" + self.request.body if self.request.method == "POST" else raw)


def reference_to(resource: Resource) -> str:
    """The relative reference to a resource."""
    return f"{resource['resourceType']}/{resource.get('id')}"


def _slots(entries: Sequence[Resource]) -> int:
    return sum(entry["resource"]["resourceType"] == "Slot" for entry in entries)


class Mistake(Kind):
    """A mistake in the Bundle that a search answers."""

    family: ClassVar[str] = "conformance"
    flows: ClassVar[frozenset[str]] = SEARCHES

    def apply(self, request: Request, proceed: Proceed) -> Response:
        """The right answer with the mistake in it."""
        response = proceed()
        bundle = read_searchset(response)
        if bundle is None:
            return response
        right = dumps(bundle)
        self.spoil(Searchset(bundle, request))
        spoilt = dumps(bundle)
        return response if spoilt == right else response.with_body(spoilt)

    def spoil(self, searchset: Searchset) -> None:
        """Makes the mistake in place."""
        raise NotImplementedError


class SomeMistake(Mistake):
    """A mistake in resources of some types, one by one: in all that it can be made in, or in a part of them."""

    # All types when there is none.
    types: ClassVar[frozenset[str]] = frozenset({"Slot"})

    share: Annotated[float, Label("Part touchée", "0 à 1", "1 : tous ; 0,1 : un sur dix environ, un au moins")] = Field(
        1.0, gt=0, le=1, description="The share of them that is affected, drawn at random; at least one is."
    )
    first: Annotated[
        int | None, Label("Combien", hint="les premiers de la réponse, au lieu d’une part", alternative=True)
    ] = Field(None, ge=1, description="Instead: how many are affected, the first ones of the answer.")

    @model_validator(mode="after")
    def _one_of_both(self) -> "SomeMistake":
        # Not whether it was set: a rule that is written down says all that there is.
        if self.first is not None and self.share != 1:
            raise InvalidValueError(
                Code.FAULT_PARAMETERS_BOTH, first=self.parameter("share"), second=self.parameter("first")
            )
        return self

    def spoil(self, searchset: Searchset) -> None:
        """Changes the resources that fall to it."""
        change = self.changer(searchset)
        changed = []
        for entry in searchset.entries:
            if self.concerns(entry["resource"]):
                resource = copied(entry["resource"])
                change(resource)
                if resource != entry["resource"]:
                    changed.append((entry, resource))
        for entry, resource in self.chosen(changed, searchset):
            entry["resource"] = resource

    def chosen(self, items: Sequence[Item], searchset: Searchset) -> Sequence[Item]:
        """Those of ``items`` that are affected, in order."""
        if self.first is not None or not items:
            return items[: self.first]
        count = max(1, round(self.share * len(items)))
        return [items[at] for at in sorted(searchset.request.draw.sample(range(len(items)), count))]

    def concerns(self, resource: Resource) -> bool:
        """Whether a resource may be changed at all."""
        return not self.types or resource["resourceType"] in self.types

    def changer(self, searchset: Searchset) -> Callable[[Resource], None]:  # noqa: ARG002 - for kinds that need it
        """What changes a resource: ``change``, unless it takes more than the resource itself to do so."""
        return self.change

    def change(self, resource: Resource) -> None:
        """Makes the mistake in a copy of a resource, or leaves it alone."""
        raise NotImplementedError


class Repeated(SomeMistake):
    """Entries are followed by themselves, more or less."""

    def spoil(self, searchset: Searchset) -> None:
        """Lets the chosen entries be followed by their repetition."""
        entries = [entry for entry in searchset.entries if self.concerns(entry["resource"])]
        twice = {id(entry) for entry in self.chosen(entries, searchset)}
        searchset.entries = [
            repeated
            for entry in searchset.entries
            for repeated in ([entry, self.repetition(copied(entry))] if id(entry) in twice else [entry])
        ]

    def repetition(self, entry: Resource) -> Resource:
        """An entry for the second time."""
        raise NotImplementedError
