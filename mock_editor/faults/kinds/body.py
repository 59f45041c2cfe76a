"""Answers whose body cannot be read as it should: not JSON, not whole, not UTF-8, too much, or nothing at all."""

import re
from dataclasses import replace
from typing import Annotated, ClassVar, Literal
from xml.etree import ElementTree as ET

import orjson
from pydantic import Field

from mock_editor.base.fhir import Resource
from mock_editor.faults.kind import Kind
from mock_editor.faults.kinds.conformance.searchset import Repeated
from mock_editor.faults.messages import Proceed, Request, Response
from mock_editor.faults.words import French, Label

_JSON = "RFC 8259"
_MOST_BYTES = 200_000_000


class BodyMistake(Kind):
    """A right answer with another body, and the length that belongs to it. An answer without a body stays as it is."""

    family: ClassVar[str] = "body"
    content_type: ClassVar[str | None] = None

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, spoilt."""
        response = proceed()
        spoilt = self.spoilt(response.body) if response.body else response.body
        return response if spoilt == response.body else response.with_body(spoilt, self.content_type)

    def spoilt(self, body: bytes) -> bytes:
        """The body that is sent instead."""
        raise NotImplementedError


class MalformedJson(BodyMistake):
    """The body is almost JSON: an extra comma at the end, single quotes, or no closing brace."""

    kind: Literal["malformed-json"] = "malformed-json"
    french: ClassVar[French] = French(
        "JSON mal formé", "Le contenu est presque du JSON : une virgule de trop, par exemple."
    )
    breaks: ClassVar[str] = f"{_JSON}, section 2: the grammar of JSON"
    how: Annotated[
        Literal["trailing-comma", "single-quotes", "no-closing-brace"],
        Label(
            "Défaut",
            values={
                "trailing-comma": "une virgule de trop",
                "single-quotes": "des apostrophes",
                "no-closing-brace": "sans accolade finale",
            },
        ),
    ] = "trailing-comma"

    def spoilt(self, body: bytes) -> bytes:
        """Breaks the grammar in one way."""
        if self.how == "single-quotes":
            return body.replace(b'"', b"'")
        head, brace, rest = body.rpartition(b"}")
        return head + b"," + brace + rest if brace and self.how == "trailing-comma" else head + rest


class CutBody(BodyMistake):
    """The body ends somewhere in the middle; the declared length is that of the part."""

    kind: Literal["cut-body"] = "cut-body"
    french: ClassVar[French] = French(
        "Réponse tronquée", "Le contenu s’arrête au milieu ; la longueur annoncée est celle du morceau."
    )
    breaks: ClassVar[str] = f"{_JSON}, section 2: the grammar of JSON"
    share: Annotated[float, Label("Part envoyée", "0 à 1")] = Field(
        0.5, gt=0, lt=1, description="The share that is sent."
    )
    size: Annotated[int | None, Label("Envoyer", "octets", alternative=True)] = Field(
        None, ge=1, description="Instead: how many bytes are sent."
    )

    def spoilt(self, body: bytes) -> bytes:
        """Its beginning."""
        return body[: self.size or int(len(body) * self.share)]


class WrongEncoding(BodyMistake):
    """The body is not in UTF-8 as declared but in another encoding; ISO-8859-1 shows in accents only."""

    kind: Literal["wrong-encoding"] = "wrong-encoding"
    french: ClassVar[French] = French(
        "Encodage faux", "Le contenu n’est pas en UTF-8 comme annoncé ; en ISO-8859-1, seuls les accents le montrent."
    )
    breaks: ClassVar[str] = f"{_JSON}, section 8.1, and FHIR R4 JSON: UTF-8"
    encoding: Annotated[Literal["iso-8859-1", "utf-16"], Label("Encodage")] = "iso-8859-1"

    def spoilt(self, body: bytes) -> bytes:
        """Written anew; what the encoding does not have becomes a question mark."""
        return body.decode("utf-8", "replace").encode(self.encoding, "replace")


class ByteOrderMark(BodyMistake):
    """The body begins with a byte order mark."""

    kind: Literal["byte-order-mark"] = "byte-order-mark"
    french: ClassVar[French] = French(
        "Marque d’ordre des octets", "Le contenu commence par une marque d’ordre des octets (BOM)."
    )
    breaks: ClassVar[str] = f"{_JSON}, section 8.1: no byte order mark"

    def spoilt(self, body: bytes) -> bytes:
        """With the mark of UTF-8."""
        return b"\xef\xbb\xbf" + body


class XmlBody(BodyMistake):
    """The resource comes as FHIR XML, although JSON was asked for."""

    kind: Literal["xml-body"] = "xml-body"
    french: ClassVar[French] = French("Réponse en XML", "La ressource arrive en XML alors que du JSON est demandé.")
    breaks: ClassVar[str] = "FHIR R4 http, content negotiation: the format of Accept; the SAS asks for JSON only"
    content_type: ClassVar[str] = "application/fhir+xml; charset=utf-8"

    def spoilt(self, body: bytes) -> bytes:
        """The same resource in the other format."""
        try:
            resource = orjson.loads(body)
        except orjson.JSONDecodeError:
            return body
        if not isinstance(resource, dict) or "resourceType" not in resource:
            return body
        written: bytes = ET.tostring(_xml_resource(resource), encoding="utf-8", xml_declaration=True)
        return written


def _xml_resource(resource: Resource) -> ET.Element:
    element = ET.Element(resource["resourceType"], xmlns="http://hl7.org/fhir")
    for name, value in resource.items():
        if name != "resourceType":
            _add_xml(element, name, value, attributes=())
    return element


def _add_xml(parent: ET.Element, name: str, value: object, attributes: tuple[str, ...]) -> None:
    """Adds a JSON member; some are attributes in XML. Source: FHIR R4, "xml" and "json"."""
    if isinstance(value, list):
        for member in value:
            _add_xml(parent, name, member, attributes)
    elif isinstance(value, dict) and "resourceType" in value:
        ET.SubElement(parent, name).append(_xml_resource(value))
    elif isinstance(value, dict):
        element = ET.SubElement(parent, name)
        for member, part in value.items():
            _add_xml(element, member, part, ("id", "url") if name in ("extension", "modifierExtension") else ("id",))
    elif name in attributes:
        parent.set(name, _xml_text(value))
    elif value is not None:
        ET.SubElement(parent, name, value=_xml_text(value))


def _xml_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class DuplicatedEntry(Repeated):
    """Entries of a Bundle are in it twice, byte for byte."""

    kind: Literal["duplicated-entry"] = "duplicated-entry"
    french: ClassVar[French] = French(
        "Entrée répétée", "Des entrées de la liste y figurent deux fois, identiques à l’octet près."
    )
    family: ClassVar[str] = "body"
    breaks: ClassVar[str] = "FHIR R4, Bundle, bdl-7: a fullUrl stands once"
    types: ClassVar[frozenset[str]] = frozenset()

    def repetition(self, entry: Resource) -> Resource:
        """Itself."""
        return entry


class DuplicatedMember(BodyMistake):
    """A member of the outermost JSON object is there twice, the second time as null; most readers take the last."""

    kind: Literal["duplicated-member"] = "duplicated-member"
    french: ClassVar[French] = French(
        "Membre JSON répété",
        "Un membre du JSON figure deux fois, la seconde à null ; la plupart des lecteurs prennent la dernière.",
    )
    breaks: ClassVar[str] = f"{_JSON}, section 4, and FHIR R4 JSON: names are unique"
    member: Annotated[str, Label("Membre")] = Field("resourceType", pattern="^[A-Za-z_]+$")

    def spoilt(self, body: bytes) -> bytes:
        """With the member once more at the end."""
        if b'"%s":' % self.member.encode() not in body.replace(b": ", b":"):
            return body
        head, brace, rest = body.rpartition(b"}")
        return b'%s,"%s":null%s%s' % (head.rstrip(), self.member.encode(), brace, rest) if brace else body


class HugeBody(BodyMistake):
    """The body has the given size, and is still correct: blanks follow it, or a tag of its ``meta`` is long."""

    kind: Literal["huge-body"] = "huge-body"
    french: ClassVar[French] = French("Réponse énorme", "Le contenu est juste, mais aussi gros que voulu.")
    size: Annotated[int, Label("Taille", "octets")] = Field(
        10_000_000, ge=1, le=_MOST_BYTES, description="In bytes; a longer body stays as it is."
    )
    padding: Annotated[
        Literal["blanks", "tag"],
        Label("Remplissage", values={"blanks": "des espaces", "tag": "une étiquette très longue"}),
    ] = "blanks"

    def spoilt(self, body: bytes) -> bytes:
        """Padded."""
        if self.padding == "blanks":
            return body.ljust(self.size)
        tag = b'"meta":{"tag":[{"display":"%s"}],'
        head, meta, rest = body.partition(b'"meta":{')
        missing = self.size - len(head) - len(tag % b"") - len(rest)
        return head + tag % (b"x" * missing) + rest if meta and missing > 0 else body


class EmptyBody(BodyMistake):
    """The answer has no body, under the same status."""

    kind: Literal["empty-body"] = "empty-body"
    french: ClassVar[French] = French("Réponse vide", "La réponse n’a pas de contenu, sous le même statut.")
    breaks: ClassVar[str] = "FHIR R4 http: a search and a read answer a resource"

    def spoilt(self, body: bytes) -> bytes:  # noqa: ARG002 - none of it stays
        """Nothing."""
        return b""


class _OtherPage(Kind):
    """Something that is no resource in place of the body, perhaps under another status."""

    family: ClassVar[str] = "body"
    breaks: ClassVar[str] = "FHIR R4 http: the body is a resource, errors are an OperationOutcome"

    status: Annotated[int | None, Label("Statut HTTP", hint="sinon celui de la bonne réponse")] = Field(
        None, ge=200, le=599, description="Instead of the right one."
    )

    def apply(self, request: Request, proceed: Proceed) -> Response:  # noqa: ARG002 - the answer alone counts
        """The right answer, with that body."""
        response = proceed()
        body, content_type = self.page()
        return replace(response, status=self.status or response.status).with_body(body.encode(), content_type)

    def page(self) -> tuple[str, str | None]:
        """The body, and the content type if it is another one."""
        raise NotImplementedError


class HtmlPage(_OtherPage):
    """The page of a proxy, or of maintenance work, in HTML, instead of a resource."""

    kind: Literal["html-page"] = "html-page"
    french: ClassVar[French] = French(
        "Page HTML", "La page d’un proxy ou d’une maintenance, en HTML, au lieu d’une ressource."
    )
    title: Annotated[str, Label("Titre de la page")] = "Maintenance en cours"

    def page(self) -> tuple[str, str | None]:
        """A whole small page."""
        title = re.sub("[<>&]", "", self.title)
        html = f'<!doctype html>\n<html lang="fr"><head><meta charset="utf-8"><title>{title}</title></head>'
        return f"{html}<body><h1>{title}</h1></body></html>\n", "text/html; charset=utf-8"


class PlainText(_OtherPage):
    """A sentence instead of JSON, although the content type says JSON unless another one is given."""

    kind: Literal["plain-text"] = "plain-text"
    french: ClassVar[French] = French("Texte brut", "Une phrase au lieu de JSON, bien que du JSON soit annoncé.")
    text: Annotated[str, Label("Texte")] = Field("Service momentanément indisponible", min_length=1)
    content_type: Annotated[str | None, Label("Type de contenu annoncé", hint="même faux ; sinon celui du contenu")] = (
        Field(None, pattern=r"^[!-~]+/[ -~]+$")
    )

    def page(self) -> tuple[str, str | None]:
        """The sentence."""
        return self.text, self.content_type
