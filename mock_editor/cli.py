"""The command ``mock-editor``."""

import contextlib
import dataclasses
import logging
import os
import secrets
import signal
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from mock_editor import __version__, remote, scenario
from mock_editor.app import SCHEMAS, deliverer, from_outside, make_gate, make_stage
from mock_editor.base import logs
from mock_editor.base.addresses import names_this_machine
from mock_editor.base.clock import Clock
from mock_editor.base.errors import EditorError
from mock_editor.base.store import Store, StoreError
from mock_editor.base.words import in_english
from mock_editor.calendars.catalogue import Catalogue
from mock_editor.journal.tables import JournalFile
from mock_editor.scenario import ScenarioError, Script
from mock_editor.search.examples import examples
from mock_editor.server import running
from mock_editor.settings import PREFIX, SWITCH, Settings, SettingsError, unknown
from mock_editor.simulator import check_files
from mock_editor.stage import Stage, checked
from mock_editor.tls import samples
from mock_editor.tls.certificates import Gate, TlsError, read_certificate
from mock_editor.tls.files import CertificatesError
from mock_editor.tls.server import TlsServer
from mock_editor.tls.validity import ending

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_log = logging.getLogger(__name__)
Command = TypeVar("Command", bound=Callable[..., Any])


class _Refusal(click.ClickException):
    """What stops a command: said in a line (a scenario: in one per problem), without a traceback."""

    exit_code = 2


def main() -> None:
    """Runs the command line; every refusal is text on standard error and a non-zero exit code."""
    logs.configure()
    try:
        sys.exit(commands.main(prog_name="mock-editor", standalone_mode=False))
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        click.echo(f"mock-editor: {error.format_message()}", err=True)
        sys.exit(error.exit_code)
    except EditorError as error:
        # The database is out of order, or the system gives no threads, in the middle of a start.
        click.echo(f"mock-editor: {in_english(error)}", err=True)
        sys.exit(2)
    except click.Abort:
        sys.exit(130)


_SECRETS = [PREFIX + field.name.upper() for field in dataclasses.fields(Settings) if field.metadata["secret"]]
_EPILOG = "\b\nFrom the environment only, or from a file that the same with _FILE names:\n  " + "\n  ".join(_SECRETS)


def _settings_options(command: Command) -> Command:
    """An option for every setting that is no secret; texts are checked by Settings, as those of the environment are."""
    for field in reversed(dataclasses.fields(Settings)):
        if field.metadata["secret"]:
            continue
        default = field.metadata["default"]
        help_text = field.metadata["help"] + (f" [default: {default}]" if default is not None else "")
        # A switch without a value is on.
        switch: dict[str, Any] = {"is_flag": False, "flag_value": "on"} if field.metadata["metavar"] == SWITCH else {}
        command = click.option(
            "--" + field.name.replace("_", "-"),
            field.name,
            metavar=field.metadata["metavar"],
            help=f"{help_text} [env: {PREFIX}{field.name.upper()}]",
            **switch,
        )(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def commands() -> None:
    """Plays the agenda editors (LGA) that the SAS platform talks to."""
    for line in unknown(os.environ):
        click.echo(f"mock-editor: {logs.visible(line)}", err=True)


# What works with a running one.
remote.add_to(commands)


@commands.command(epilog=_EPILOG)
@click.option("--browse", is_flag=True, help="Open the guided tour in a browser, where there is one.")
@_settings_options
def serve(browse: bool, **options: str | None) -> None:
    """Start the simulator; stop it with Ctrl-C or SIGTERM."""
    try:
        settings = Settings.from_env(os.environ, **options)
        check_files(settings)
    except SettingsError as error:
        raise _Refusal(str(error)) from None
    settings, told = _with_token(settings)
    played = _load(settings.scenario)
    try:
        Clock(settings.now)
    except ValueError as error:
        raise _Refusal(f"--now: {error}") from None
    listener = _listen(settings.host, settings.port)
    local_url = _local_url(settings.host, listener.getsockname()[1])
    public_url = settings.public_url or local_url
    secured = None if settings.tls_port is None else _listen(settings.host, settings.tls_port)
    fhir_url = settings.tls_public_url
    if secured and fhir_url is None:
        fhir_url = _local_url(settings.host, secured.getsockname()[1], "https")

    def announce() -> None:
        catalogue = Catalogue(played.editors, stage.clock)
        known = "" if public_url == local_url else f", known as {public_url}"
        click.echo(f"mock_editor {__version__} plays {played.name} ({played.title}) on {local_url}{known}\n")
        for editor in played.editors:
            base = f"{fhir_url or public_url}/{editor.slug}/fhir"
            click.echo(f"{editor.name}\n  {base}")
            searches = list(examples(catalogue, editor, base))
            for purpose, url in searches:
                click.echo(f"  # {purpose}\n  curl '{url}'")
            click.echo("" if searches else "  no slot is free in the next three days\n")
        if secured:
            click.echo("These ask for a client certificate: curl --cert FILE --key FILE --cacert FILE …\n")
        if settings.oidc_issuer == "embedded" and not settings.shows_bench:
            click.echo("Without the bench, regulators have no SSO: see --with-bench and --oidc-issuer\n")
        if public_url.startswith("https:") and not settings.all_proxies:
            click.echo("A proxy ends TLS for it: name that one (--proxies), or its clients may pass for local ones\n")
        if told:
            click.echo(f"From other machines, and by proxies, /_console/ and /_admin ask for a token: {told}\n")
        if browse:
            _browse(f"{public_url}/_console/visite")

    with _stores(settings) as (store, journal_store):
        stage = make_stage(
            settings, played, public_url=public_url, fhir_url=fhir_url, store=store, journal_store=journal_store
        )
        try:
            gate = make_gate(stage)
            tls = _tls_server(settings, gate) if secured and gate else None
            recorder = from_outside(stage, gate)
        except TlsError as error:
            raise _Refusal(str(error)) from None
        # The workers are about to be forked.
        store.close()
        journal_store.close()
        running.run(
            recorder,
            listener,
            settings,
            announce,
            stage.start,
            on_stop=stage.waits.stop,
            on_exit=stage.journal.writer.close,
            on_refusal=recorder.refused,
            secure=running.SecureListener(secured, tls) if secured and tls else None,
            daily=partial(_tell_ends, stage),
        )


def _tell_ends(stage: Stage) -> None:
    """Has the log say which certificates of the simulator's own end soon."""
    settings, targets = stage.settings, stage.simulator.targets().values()
    files = [settings.tls_cert, settings.bench_certificate, *(one.certificate for one in targets)]
    for line in ending(filter(None, files), datetime.now(UTC)):
        _log.warning(line)


def _browse(url: str) -> None:
    """Tells where the guided tour is, and opens it; not in a browser that takes the terminal."""
    click.echo(f"Visite guidée : {url}")
    if sys.platform in ("darwin", "win32") or any(os.environ.get(one) for one in ("DISPLAY", "WAYLAND_DISPLAY")):
        webbrowser.open(url)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return running.open_listener(host, port)
    except OSError as error:
        # The text of create_server repeats the address.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise _Refusal(f"cannot listen on {host}:{port}: {reason}") from None


def _tls_server(settings: Settings, gate: Gate) -> TlsServer:
    """What speaks TLS with the SAS. Raises TlsError."""

    def refusal(der: bytes, others: Sequence[bytes] | None) -> str | None:
        return gate.refusal_everywhere(read_certificate(der) if der else None, others)

    if not (settings.tls_cert and settings.tls_client_ca):
        raise TlsError("--tls-port: needs --tls-cert and --tls-client-ca")
    return TlsServer(
        settings.tls_cert, settings.tls_key, settings.tls_client_ca, refusal=refusal if settings.tls_strict else None
    )


def _with_token(settings: Settings) -> tuple[Settings, str | None]:
    """The settings with a token for the admin API; one that was made here is to be told, where others can come."""
    if settings.admin_token:
        return settings, None
    token = secrets.token_urlsafe(24)
    alone = settings.public_url is None and not settings.all_proxies and names_this_machine(settings.host)
    return dataclasses.replace(settings, admin_token=token), None if alone else token


@contextlib.contextmanager
def _stores(settings: Settings) -> Iterator[tuple[Store, JournalFile]]:
    """The store in the file of the settings and that of the journal beside it, or in files that are gone at the end."""
    # A start is not broken off half-way, which would leave files: the server, or who delivers, takes these then.
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP)
    path = settings.database
    with contextlib.ExitStack() as stack:
        kept = path is not None
        if path is None:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mock-editor-"))) / "state.db"
        try:
            # The other threads are for those who write nothing.
            state = Store(path, SCHEMAS, writers=max(1, settings.threads * 3 // 4))
            path = path.with_suffix(f".journal{path.suffix}")
            journal = JournalFile(path)
        except StoreError as error:
            raise _Refusal(f"{path}: {error}") from None
        if kept:
            stack.callback(journal.settle)
            stack.callback(state.settle)
        yield state, journal


@commands.command(epilog=_EPILOG)
@_settings_options
def deliver(**options: str | None) -> None:
    """Send the notifications of a database, apart from the simulator that fills it (serve --deliver off)."""
    try:
        settings = Settings.from_env(os.environ, **options)
        check_files(settings)
    except SettingsError as error:
        raise _Refusal(str(error)) from None
    if settings.database is None:
        raise _Refusal("--database: deliver needs the file that the simulator keeps its state in")
    if settings.sas_url == "embedded" and settings.public_url is None:
        raise _Refusal("--sas-url: deliver needs the URL of the SAS (or --public-url, for the simulator's own)")
    played = _load(settings.scenario)
    with _stores(settings) as (store, journal_store):
        stage = make_stage(
            dataclasses.replace(settings, deliver=True),
            played,
            public_url=settings.public_url or "",
            store=store,
            journal_store=journal_store,
            make_app=deliverer,
            leads=False,
        )
        click.echo(f"mock_editor {__version__} delivers the notifications of {settings.database}; Ctrl-C stops it")
        stage.start()
        _tell_ends(stage)
        signal.sigwait(_STOP)
        stage.stop()
        stage.journal.writer.close()


@commands.command()
@click.argument("names", nargs=-1, required=True, metavar="SCENARIO...")
def check(names: tuple[str, ...]) -> None:
    """Check scenario files, or shipped scenarios by name, without starting anything."""
    wrong = []
    for name in names:
        try:
            played = _load(name)
        except _Refusal as error:
            wrong.append(error.message)
        else:
            people = sum(len(editor.directory) for editor in played.editors)
            associations = sum(len(editor.associations) for editor in played.editors)
            click.echo(
                f"{name}: ok, {len(played.editors)} editor(s), {people} practitioner(s), {associations} association(s)"
            )
    if wrong:
        raise _Refusal("wrong scenario\n" + "\n".join(wrong))


@commands.group("certs")
def certificates() -> None:
    """Certificates to try mutual TLS with; they protect nothing."""


@certificates.command("init")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--name", "names", multiple=True, metavar="NAME", help="Another name or address of the server.")
@click.option("--days", default=365, show_default=True, help="Days that they are valid.")
@click.option("--force", is_flag=True, help="Replace those that are there.")
@click.option("--renew", type=int, metavar="N", help="Replace those that are there if they end within N days.")
def make_certificates(folder: Path, names: tuple[str, ...], days: int, force: bool, renew: int | None) -> None:
    """Make a throw-away authority, and certificates for the server, the SAS (good and bad) and INT_R03, in DIR."""
    try:
        files = samples.init(folder, names, force=force, renew=renew, days=days)
    except CertificatesError as error:
        raise _Refusal(str(error)) from None
    if not files:
        click.echo(f"The certificates in {folder} are valid for more than {renew} days, and stay")
        return
    click.echo(f"{len(files)} files in {folder}; {folder / 'README.md'} says what each is for")


@certificates.command("revoke")
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("certificate", type=click.Path(path_type=Path), metavar="FILE")
def revoke_certificate(folder: Path, certificate: Path) -> None:
    """Add the certificate in FILE to the revocation list of the authority in DIR."""
    try:
        samples.revoke(folder, certificate)
    except CertificatesError as error:
        raise _Refusal(str(error)) from None
    click.echo(f"{certificate} is revoked")


def _load(name: str) -> scenario.LoadedScenario:
    """The scenario of a file or of a shipped name, checked to its FHIR resources; what is doubtful in it is told."""
    try:
        path = scenario.find(name)
        played = checked(Script.read(path))
    except ScenarioError as error:
        raise _Refusal(str(error)) from None
    for warning in played.warnings:
        click.echo(f"{warning.where(played.script.source)}: warning: {warning.what}", err=True)
    return played


def _local_url(host: str, port: int, scheme: str = "http") -> str:
    """The URL of a listener for a client on this machine, when no public one is set."""
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared with
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"
