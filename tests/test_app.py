"""How refusals are answered that no feature answers itself."""

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize("host", ["a" * 64, ".a..b.", "[", "x y"])
def test_a_page_of_refusal_needs_no_host_that_makes_sense(client: FlaskClient, host: str) -> None:
    answer = client.get("/nulle-part/", headers={"Host": host, "Accept": "text/html"})
    assert (answer.status_code, answer.content_type) in (
        (404, "text/html; charset=utf-8"),
        (400, "text/html; charset=utf-8"),
    )
    assert '<html lang="fr">' in answer.text


def test_a_condition_with_an_absurd_date_is_none(client: FlaskClient) -> None:
    """RFC 9110, 13.1.3: it is ignored."""
    absurd = "Fri, 31 Dec 100000000000000000000 23:59:59 GMT"
    for name in ("If-Modified-Since", "If-Unmodified-Since", "If-Range"):
        with client.get("/_static/icone.svg", headers={name: absurd, "Range": "bytes=0-"}) as answer:
            assert answer.status_code in (200, 206), name
