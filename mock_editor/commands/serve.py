"""``mock-editor serve``."""

import dataclasses
import os
import secrets
import socket
import sys
import webbrowser
from collections.abc import Sequence
from functools import partial

import click

from mock_editor import __version__
from mock_editor.app import from_outside, make_client_policy, make_simulator
from mock_editor.base.addresses import local_url, names_this_machine
from mock_editor.base.clock import Clock
from mock_editor.base.errors import reason_of
from mock_editor.base.issues import Code, Issue, issue
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.commands.failures import Failure
from mock_editor.commands.starting import (
    EPILOG,
    load_scenario,
    open_stores,
    read_settings,
    settings_options,
    warn_of_expiry,
)
from mock_editor.scenario import LoadedScenario
from mock_editor.search.examples import examples
from mock_editor.server import running
from mock_editor.settings import Settings
from mock_editor.tls.certificates import read_certificate
from mock_editor.tls.errors import TlsError
from mock_editor.tls.policy import ClientPolicy
from mock_editor.tls.server import TlsServer


@click.command(epilog=EPILOG)
@click.option("--browse", is_flag=True, help="Open the guided tour in a browser, where there is one.")
@settings_options
def serve(browse: bool, **options: str | None) -> None:
    """Start the simulator; stop it with Ctrl-C or SIGTERM."""
    settings, new_token = _with_token(read_settings(options))
    loaded = load_scenario(settings.scenario)
    try:
        Clock(settings.now)
    except ValueError as error:
        raise Failure(issue(Code.SETTING_WRONG, name="--now", reason=reason_of(error))) from None
    listeners = _Listeners.open(settings)
    with open_stores(settings) as (store, journal_store):
        simulator = make_simulator(
            settings,
            loaded,
            public_url=listeners.public_url,
            fhir_url=listeners.fhir_url,
            store=store,
            journal_store=journal_store,
        )
        try:
            policy = make_client_policy(simulator)
            tls = _tls_server(settings, policy) if listeners.secure and policy else None
            app = from_outside(simulator, policy)
        except TlsError as error:
            raise Failure(error.issue) from None
        # The workers are about to be forked.
        store.close()
        journal_store.close()

        def announce() -> None:
            _announce(listeners, settings, loaded, Catalogue(loaded.editors, simulator.clock), new_token)
            if browse:
                _browse(f"{listeners.public_url}/_console/visite")

        running.run(
            app,
            listeners.plain,
            settings,
            announce,
            simulator.start,
            on_stop=simulator.waits.stop,
            on_exit=simulator.journal.writer.close,
            on_refusal=app.refused,
            secure=running.SecureListener(listeners.secure, tls) if listeners.secure and tls else None,
            daily=partial(warn_of_expiry, simulator),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class _Listeners:
    """The listening sockets, and the URLs under which clients reach them. ``fhir_url`` is None if it is the same."""

    plain: socket.socket
    secure: socket.socket | None
    local_url: str
    public_url: str
    fhir_url: str | None

    @classmethod
    def open(cls, settings: Settings) -> "_Listeners":
        """Opens the listeners that the settings ask for. Raises Failure."""
        plain = _listen(settings.host, settings.port)
        here = local_url(settings.host, plain.getsockname()[1])
        secure = None if settings.tls_port is None else _listen(settings.host, settings.tls_port)
        fhir_url = settings.tls_public_url
        if secure and fhir_url is None:
            fhir_url = local_url(settings.host, secure.getsockname()[1], "https")
        return cls(plain, secure, here, settings.public_url or here, fhir_url)


def _announce(
    listeners: _Listeners, settings: Settings, loaded: LoadedScenario, catalogue: Catalogue, new_token: str | None
) -> None:
    """Says where the simulator is, and what to try first."""
    public_url = listeners.public_url
    known = "" if public_url == listeners.local_url else f", known as {public_url}"
    click.echo(f"mock_editor {__version__} plays {loaded.name} ({loaded.title}) on {listeners.local_url}{known}\n")
    for editor in loaded.editors:
        base = f"{listeners.fhir_url or public_url}/{editor.slug}/fhir"
        click.echo(f"{editor.name}\n  {base}")
        searches = list(examples(catalogue, editor, base))
        for purpose, url in searches:
            click.echo(f"  # {purpose}\n  curl '{url}'")
        click.echo("" if searches else "  no slot is free in the next three days\n")
    if listeners.secure:
        click.echo("These ask for a client certificate: curl --cert FILE --key FILE --cacert FILE …\n")
    if settings.oidc_issuer == "embedded" and not settings.shows_bench:
        click.echo("Without the bench, regulators have no SSO: see --with-bench and --oidc-issuer\n")
    if public_url.startswith("https:") and not settings.all_proxies:
        click.echo("A proxy ends TLS for it: name that one (--proxies), or its clients may pass for local ones\n")
    if new_token:
        click.echo(f"From other machines, and by proxies, /_console/ and /_admin ask for a token: {new_token}\n")


def _browse(url: str) -> None:
    """Says where the guided tour is, and opens it; not in a browser that takes over the terminal."""
    click.echo(f"Visite guidée : {url}")
    if sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")):
        webbrowser.open(url)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return running.open_listener(host, port)
    except OSError as error:
        # The text of create_server repeats the address.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise Failure(issue(Code.CANNOT_LISTEN, host=host, port=port, reason=reason)) from None


def _tls_server(settings: Settings, policy: ClientPolicy) -> TlsServer:
    """The TLS side for the SAS. Raises TlsError."""

    def refusal(der: bytes, chain: Sequence[bytes] | None) -> Issue | None:
        return policy.refusal_everywhere(read_certificate(der) if der else None, chain)

    if not (settings.tls_cert and settings.tls_client_ca):
        raise TlsError(Code.TLS_PORT_NEEDS)
    return TlsServer(
        settings.tls_cert, settings.tls_key, settings.tls_client_ca, refusal=refusal if settings.tls_strict else None
    )


def _with_token(settings: Settings) -> tuple[Settings, str | None]:
    """The settings with a token for the admin API, and the token if it is new and other machines need it."""
    if settings.admin_token:
        return settings, None
    token = secrets.token_urlsafe(24)
    alone = settings.public_url is None and not settings.all_proxies and names_this_machine(settings.host)
    return dataclasses.replace(settings, admin_token=token), None if alone else token
