from dataclasses import fields

import pytest

from mock_editor.settings import PREFIX, Settings, SettingsError


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


def test_every_setting_says_what_it_is_for() -> None:
    for field in fields(Settings):
        assert field.metadata["help"].endswith("."), field.name
