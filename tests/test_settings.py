from dataclasses import fields

import pytest
from pydantic import ValidationError

from mock_editor.base.words import english
from mock_editor.scenario.schema import NotificationsSection
from mock_editor.settings import PREFIX, Settings, SettingsError, unknown


def test_defaults_need_nothing() -> None:
    settings = Settings.from_env({"PATH": "x"})
    assert (settings.scenario, settings.host, settings.port, settings.threads) == (
        "decouverte",
        "127.0.0.1",
        8000,
        1100,
    )


def test_an_option_wins_over_the_environment() -> None:
    env = {"MOCK_EDITOR_PORT": "9000", "MOCK_EDITOR_THREADS": "8", "MOCK_EDITOR_HOST": ""}
    settings = Settings.from_env(env, port="9001", threads=None)
    assert (settings.port, settings.threads, settings.host) == (9001, 8, "127.0.0.1")


@pytest.mark.parametrize(
    ("given", "connections"), [({}, 4000), ({"threads": "4300"}, 5300), ({"worker_connections": "2000"}, 2000)]
)
def test_there_is_a_connection_for_each_thread_and_more(given: dict[str, str], connections: int) -> None:
    assert Settings.from_env({}, **given).connections == connections


def test_fewer_connections_than_threads_are_refused() -> None:
    with pytest.raises(SettingsError, match=r"worker connections \(1100\) must be above threads \(1100\)"):
        Settings.from_env({}, worker_connections="1100")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "-1"), ("port", "65536"), ("port", "80.0"), ("port", "٨٠"), ("threads", "0"), ("threads", "many"),
        ("now", "2026-11-20T08:00:00"), ("now", "tomorrow"), ("public_url", "localhost:8000"),
        ("public_url", "http://h/?q"), ("public_url", "http://[::1"), ("header_timeout", "-1"), ("body_timeout", "nan"),
        ("scenario", " "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{PREFIX}{name.upper()}: "):
        Settings.from_env({f"{PREFIX}{name.upper()}": value})
    with pytest.raises(SettingsError, match="--" + name.replace("_", "-")):
        Settings.from_env({}, **{name: value})


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("sas_connect_timeout", "300"),
        ("sas_answer_timeout", "300"),
        ("sas_first_wait", "3600"),
        ("sas_longest_wait", "86400"),
        ("sas_tries", "1000"),
    ],
)
def test_the_sas_has_the_bounds_that_a_scenario_has_for_it(name: str, most: str) -> None:
    assert getattr(Settings.from_env({}, **{name: most}), name) == float(most)
    with pytest.raises(SettingsError, match=most):
        Settings.from_env({}, **{name: f"{int(most) + 1}"})
    with pytest.raises(SettingsError):
        Settings.from_env({}, **{name: "0"})
    section = name.removeprefix("sas_")
    assert NotificationsSection.model_validate({section: float(most)})
    with pytest.raises(ValidationError):
        NotificationsSection.model_validate({section: int(most) + 1})


def test_every_setting_says_what_it_is_for() -> None:
    for field in fields(Settings):
        assert field.metadata["help"].endswith("."), field.name


# What a container gets to see of Services named mock-editor and mock-editor-tls, and of a link of Docker's.
LINKS = {
    "MOCK_EDITOR_SERVICE_HOST": "10.0.0.1",
    "MOCK_EDITOR_SERVICE_PORT": "8000",
    "MOCK_EDITOR_SERVICE_PORT_HTTP": "8000",
    "MOCK_EDITOR_PORT": "tcp://10.0.0.1:8000",
    "MOCK_EDITOR_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "MOCK_EDITOR_PORT_8000_TCP_PROTO": "tcp",
    "MOCK_EDITOR_PORT_8000_TCP_PORT": "8000",
    "MOCK_EDITOR_PORT_8000_TCP_ADDR": "10.0.0.1",
    "MOCK_EDITOR_TLS_SERVICE_HOST": "fd00::1",
    "MOCK_EDITOR_TLS_SERVICE_PORT": "8443",
    "MOCK_EDITOR_TLS_PORT": "tcp://[fd00::1]:8443",
    "MOCK_EDITOR_TLS_PORT_8443_TCP": "tcp://[fd00::1]:8443",
    "MOCK_EDITOR_DNS_PORT": "udp://10.0.0.2:53",
    "MOCK_EDITOR_DNS_PORT_53_UDP": "udp://10.0.0.2:53",
}


def test_links_to_services_are_no_settings() -> None:
    assert Settings.from_env(LINKS) == Settings.from_env({})
    assert unknown(LINKS) == []
    assert Settings.from_env(LINKS, port="9000").port == 9000


@pytest.mark.parametrize("value", ["http://10.0.0.1:8000", "tcp:8000", "8000/tcp"])
def test_a_port_of_no_such_shape_is_still_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="MOCK_EDITOR_PORT: expected a whole number"):
        Settings.from_env({"MOCK_EDITOR_PORT": value})


def test_an_unknown_variable_is_told_with_the_nearest_setting_and_without_its_value() -> None:
    env = {
        "MOCK_EDITOR_VERSION": "1.2.3", "MOCK_EDITOR_IMAGE": "registry.example/mock_editor", "MOCK_EDITOR_PROT": "1",
        "MOCK_EDITOR_ADMIN_TOKEN_FIEL": "/run/secrets/token", "MOCK_EDITOR_HOST": "127.0.0.1", "OTHER": "x",
        "MOCK_EDITOR_URL": "http://127.0.0.1:8000", "MOCK_EDITOR_ADMIN_TOKEN_FILE": "/run/secrets/token",
    }  # fmt: skip
    told = {str(issue.values["variable"]): english(issue) for issue in unknown(env)}
    assert list(told) == [
        "MOCK_EDITOR_ADMIN_TOKEN_FIEL", "MOCK_EDITOR_IMAGE", "MOCK_EDITOR_PROT", "MOCK_EDITOR_VERSION",
    ]  # fmt: skip
    assert told["MOCK_EDITOR_PROT"].endswith("; the nearest setting is MOCK_EDITOR_PORT")
    assert told["MOCK_EDITOR_ADMIN_TOKEN_FIEL"].endswith("; the nearest setting is MOCK_EDITOR_ADMIN_TOKEN_FILE")
    assert not any(value in line for line in told.values() for value in ("1.2.3", "registry", "/run"))
