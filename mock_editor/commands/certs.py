"""``mock-editor certs``."""

from pathlib import Path

import click

from mock_editor.commands.failures import Failure
from mock_editor.tls import samples
from mock_editor.tls.files import CertificatesError


@click.group()
def certs() -> None:
    """Certificates to try mutual TLS with; they protect nothing."""


@certs.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--name", "names", multiple=True, metavar="NAME", help="Another name or address of the server.")
@click.option("--days", default=365, show_default=True, help="Days that they are valid.")
@click.option("--force", is_flag=True, help="Replace those that are there.")
@click.option("--renew", type=int, metavar="N", help="Replace those that are there if they end within N days.")
def init(folder: Path, names: tuple[str, ...], days: int, force: bool, renew: int | None) -> None:
    """Make a throw-away authority, and certificates for the server, the SAS (good and bad) and INT_R03, in DIR."""
    try:
        files = samples.init(folder, names, force=force, renew=renew, days=days)
    except CertificatesError as error:
        raise Failure(error.issue) from None
    if not files:
        click.echo(f"The certificates in {folder} are valid for more than {renew} days, and stay")
        return
    click.echo(f"{len(files)} files in {folder}; {folder / 'README.md'} says what each is for")


@certs.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.argument("certificate", type=click.Path(path_type=Path), metavar="FILE")
def revoke(folder: Path, certificate: Path) -> None:
    """Add the certificate in FILE to the revocation list of the authority in DIR."""
    try:
        samples.revoke(folder, certificate)
    except CertificatesError as error:
        raise Failure(error.issue) from None
    click.echo(f"{certificate} is revoked")
