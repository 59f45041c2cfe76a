"""``python -m mock_editor.health``, the image's health check: asks the simulator in this container whether it is well.

It takes the address from the options of ``serve``, the first process of the container, or from the environment. A
process that only delivers does not listen, so it is well as long as it runs.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from requests import RequestException

from mock_editor.base import client
from mock_editor.base.addresses import local_url
from mock_editor.settings import PREFIX, Settings, SettingsError

_LIMITS = client.Limits(connect=1, answer=1.5, size=100_000)
_COMMAND = Path("/proc/1/cmdline")


def trouble(words: Sequence[str], env: Mapping[str, str]) -> str | None:
    """What is wrong with the simulator that was started with these arguments and variables; None if it answers."""
    if "deliver" in words and "serve" not in words:
        return None
    # The other variables are left out: without the other options, they might be invalid.
    env = {name: env[name] for name in (f"{PREFIX}HOST", f"{PREFIX}PORT") if name in env}
    try:
        settings = Settings.from_env(env, host=_option("host", words), port=_option("port", words))
        url = local_url(settings.host, settings.port)
        # Not through a proxy: Docker may pass its user's settings on to the container.
        with client.session(_LIMITS) as session:
            status = session.get(f"{url}/_health").status_code
    except (SettingsError, RequestException) as error:
        return str(error)
    return None if status == 200 else f"answered with {status}"


def _option(name: str, words: Sequence[str]) -> str | None:
    """The value of an option. If it is repeated, the last value counts."""
    value = None
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == f"--{name}":
            value = following
        elif word.startswith(f"--{name}="):
            value = word.partition("=")[2]
    return value


if __name__ == "__main__":
    sys.exit(trouble(_COMMAND.read_text(errors="replace").split("\0"), os.environ))
