"""Whatever is asked, the answer is a Bundle or an OperationOutcome with a 4xx: never an error of ours, never HTML."""

from urllib.parse import quote

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_editor.base.codes import FHIR_JSON
from mock_editor.search.query import IDENTIFIER, SOS_IDENTIFIER, SOS_START, SOS_STATUS, START, STATUS
from tests.conftest import STRUCTURE_SYSTEM, SYSTEM, json_of

FILTERS = (
    f"{START} {STATUS} {IDENTIFIER} {SOS_START} {SOS_STATUS} {SOS_IDENTIFIER} _has: start:missing actor identifier"
)
RESULTS = "_include _include:iterate _revinclude _count _format _pretty _summary organization"
NAMES = st.sampled_from(f"{FILTERS} {RESULTS}".split())
WORDS = "free free,busy | json xml true count 0 Slot:schedule Schedule:actor a/b/c Practitioner/810100050075"
DATES = "ge2026-11-20 le2026-11-22 ge0001 le9999-12-31T23:59:59.999999999+14:00 ge2026-10-25T02:30"
TOKENS = f"{SYSTEM}|810100050075 {STRUCTURE_SYSTEM}|334173748400020 {SYSTEM}|"
VALUES = st.one_of(
    st.text(max_size=40),
    st.sampled_from(f"{WORDS} {DATES} {TOKENS}".split()),
    st.builds("{}{}".format, st.sampled_from(["ge", "le"]), st.datetimes().map(lambda moment: moment.isoformat())),
)
PATHS = st.one_of(
    st.sampled_from(
        ["Slot", "Slot/", "Schedule", "Practitioner", "Location", "Organization", "metadata", "Slot/_search"]
    ),
    st.builds("{}/{}".format, st.sampled_from(["Slot", "Schedule", "Location", "X"]), st.text(max_size=30).map(quote)),
)
EDITORS = st.sampled_from(["agenda-ville", "agenda-cpts", "agenda-sos", "personne"])
METHODS = st.sampled_from(["GET", "GET", "GET", "POST", "PUT", "HEAD", "DELETE"])


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=METHODS,
    editor=EDITORS,
    path=PATHS,
    parameters=st.lists(st.tuples(NAMES, VALUES), max_size=8),
    raw=st.text(alphabet="%&=+|:,;?/ \x00\u00e9", max_size=12),
    prefer=st.sampled_from(["", "handling=strict"]),
    accept=st.one_of(st.just("*/*"), st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)),
)
def test_any_query_gets_a_fhir_answer(
    client: FlaskClient,
    method: str,
    editor: str,
    path: str,
    parameters: list[tuple[str, str]],
    raw: str,
    prefer: str,
    accept: str,
) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in parameters) + raw
    response = client.open(
        f"/{editor}/fhir/{path}", method=method, query_string=query, headers={"Prefer": prefer, "Accept": accept}
    )
    assert response.status_code == 200 or 400 <= response.status_code < 500, response.text
    assert response.headers["Content-Type"] == FHIR_JSON
    if method != "HEAD" and response.status_code != 200:
        assert json_of(response)["resourceType"] == "OperationOutcome"
        assert json_of(response)["issue"][0]["diagnostics"]
