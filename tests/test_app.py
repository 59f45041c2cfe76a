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
