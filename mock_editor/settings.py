"""Every setting of the simulator, declared once: name, default, help, check.

Each is an option of ``mock-editor serve`` and an environment variable ``MOCK_EDITOR_<NAME>``; the option wins. Secrets
are not options, because a list of processes would show them. They come from a variable or a file, see ``secret``.
"""

import dataclasses
import difflib
import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from mock_editor.base import sas_target
from mock_editor.base.errors import InvalidValueError, reason_of
from mock_editor.base.issues import Code, Issue, issue

PREFIX = "MOCK_EDITOR_"
SWITCH = "on|off"  # the values of a setting that is a switch
# The variable with the address of the running simulator that commands talk to.
URL_VARIABLE = f"{PREFIX}URL"
# The end of the variable that names the file of a secret.
_FILE = "_FILE"
# Variables that Kubernetes sets in every container, about a Service named mock-editor (or mock-editor-tls, …).
_LINK = re.compile(PREFIX + r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
# One of them may have the name of a setting. The value tells them apart.
_LINK_URL_NAME, _LINK_URL = re.compile(PREFIX + r"(\w+_)?PORT"), re.compile(r"(tcp|udp|sctp)://\S+")


class SettingsError(InvalidValueError):
    """Settings that the simulator cannot start with."""


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            raise InvalidValueError(Code.EXPECTED_WHOLE_NUMBER, low=low, high=high)
        return int(text)

    return parse


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?", text) or float(text) <= 0:
        raise InvalidValueError(Code.EXPECTED_SECONDS)
    return float(text)


def _up_to(bounds: sas_target.Seconds) -> Callable[[str], float]:
    def parse(text: str) -> float:
        seconds = _seconds(text)
        if seconds > bounds.most:
            raise InvalidValueError(Code.EXPECTED_SECONDS_UP_TO, above=bounds.above, most=bounds.most)
        return seconds

    return parse


def _url(text: str) -> str:
    # For wrong brackets or ports, urlsplit raises ValueError with a clear text.
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise InvalidValueError(Code.EXPECTED_URL)
    _ = parts.port
    return text.rstrip("/")


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise InvalidValueError(Code.EXPECTED_INSTANT)
    return moment


def _text(text: str) -> str:
    if not text.strip():
        raise InvalidValueError(Code.EXPECTED_VALUE)
    return text


def _secret(text: str) -> str:
    # A token is sent in a header, and must not be easy to guess.
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,200}", text):
        raise InvalidValueError(Code.EXPECTED_TOKEN)
    return text


def _file(text: str) -> Path:
    path = Path(_text(text))
    if path.is_dir():
        raise InvalidValueError(Code.EXPECTED_FILE)
    if not path.parent.is_dir():
        raise InvalidValueError(Code.NO_SUCH_FOLDER, folder=str(path.parent))
    return path


def _switch(text: str) -> bool:
    words = {"on": True, "yes": True, "true": True, "1": True, "off": False, "no": False, "false": False, "0": False}
    if text.lower() not in words:
        raise InvalidValueError(Code.EXPECTED_SWITCH)
    return words[text.lower()]


def _existing_file(text: str) -> Path:
    path = Path(_text(text))
    if not path.is_file():
        raise InvalidValueError(Code.EXPECTED_EXISTING_FILE)
    return path


def _tls_version(text: str) -> str:
    versions = get_args(sas_target.TlsVersion)
    if text not in versions:
        raise InvalidValueError(Code.EXPECTED_TLS_VERSION, least=versions[0], newest=versions[-1])
    return text


def _networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(word)) for word in _words(text))


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", text):
        raise InvalidValueError(Code.EXPECTED_HEADER_NAME)
    return text


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _sas_url(text: str) -> str:
    return text if text == "embedded" else _url(text)


def _words(text: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise InvalidValueError(Code.EXPECTED_WORDS)
    return words


def _addresses(text: str) -> tuple[str, ...]:
    for word in _words(text):
        parts = urlsplit(word)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
            raise InvalidValueError(Code.EXPECTED_URLS, found=word)
    return _words(text)


def _issuer(text: str) -> str:
    if text not in ("embedded", "none"):
        _url(text)
    # Unchanged: a slash at the end is part of an issuer.
    return text


def _setting(
    default: str | None, parse: Callable[[str], Any], help_text: str, metavar: str, *, secret: bool = False
) -> Any:
    value = None if default is None else parse(default)
    return dataclasses.field(
        default=value,
        metadata={"default": default, "parse": parse, "help": help_text, "metavar": metavar, "secret": secret},
    )


def _sas_seconds(bounds: sas_target.Seconds, help_text: str) -> Any:
    return _setting(f"{bounds.default:g}", _up_to(bounds), help_text, "S")


def secret(name: str, env: Mapping[str, str]) -> str | None:
    """The value of a secret: ``MOCK_EDITOR_<NAME>``, or the content of the file that ``MOCK_EDITOR_<NAME>_FILE`` names.

    Raises SettingsError if both are set, or if the file cannot be read.
    """
    variable = f"{PREFIX}{name.upper()}"
    value, file = env.get(variable) or None, env.get(f"{variable}{_FILE}")
    if not file:
        return value
    if value:
        raise SettingsError(Code.SETTING_SECRET_TWICE, variable=variable, other=f"{variable}{_FILE}")
    try:
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n") or None
    except OSError as error:
        reason = reason_of(error)
        raise SettingsError(
            Code.SETTING_SECRET_UNREADABLE, variable=f"{variable}{_FILE}", file=file, reason=reason
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(Code.SETTING_SECRET_ENCODING, variable=f"{variable}{_FILE}", file=file) from None


def _is_link(variable: str, value: str) -> bool:
    """Whether a variable is not a setting but the address of a Service that happens to have our name."""
    return bool(_LINK.fullmatch(variable) or (_LINK_URL_NAME.fullmatch(variable) and _LINK_URL.fullmatch(value)))


def unknown(env: Mapping[str, str]) -> list[Issue]:
    """An issue for each variable that has our prefix but is no setting, for instance because its name is misspelt."""
    known = {PREFIX + field.name.upper(): field.metadata["secret"] for field in dataclasses.fields(Settings)}
    names = [URL_VARIABLE, *known, *(f"{name}{_FILE}" for name, is_secret in known.items() if is_secret)]
    others = [
        variable
        for variable, value in sorted(env.items())
        if variable.startswith(PREFIX) and variable not in names and not _is_link(variable, value)
    ]
    nearest = [difflib.get_close_matches(variable, names, 1, 0.0)[0] for variable in others]
    return [
        issue(Code.SETTING_UNKNOWN, variable=variable, nearest=setting)
        for variable, setting in zip(others, nearest, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings that a process is started with."""

    scenario: str = _setting("decouverte", _text, "Scenario to play: a file, or the name of one that is shipped.", "S")
    host: str = _setting("127.0.0.1", _text, "Address to listen on.", "HOST")
    port: int = _setting("8000", _whole(0, 65535), "Port to listen on; 0 takes a free one.", "PORT")
    public_url: str | None = _setting(
        None, _url, "URL under which clients reach the simulator (default: http://HOST:PORT).", "URL"
    )
    tls_port: int | None = _setting(
        None, _whole(0, 65535), "Port that serves the FHIR paths with mutual TLS; 0 takes a free one.", "PORT"
    )
    tls_cert: Path | None = _setting(  # noqa: RUF009 - as for `now`
        None, _existing_file, "PEM file with the certificate of that port, and what it was issued by.", "FILE"
    )
    tls_key: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file with its key, if that is apart.", "FILE"
    )
    tls_client_ca: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file of the authorities that a client's certificate may be of.", "FILE"
    )
    tls_crl: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "File of revoked certificates (PEM or DER); read again when it changes.", "FILE"
    )
    tls_client_cn: tuple[str, ...] | None = _setting(
        None, _words, "CN that a client's certificate may have (default: any).", "LIST"
    )
    tls_client_ou: tuple[str, ...] | None = _setting(
        None, _words, "OU of which a client's certificate has to have one (default: any).", "LIST"
    )
    tls_strict: bool = _setting(
        "off", _switch, "Refuse a client without an accepted certificate in the handshake, not by a 403.", SWITCH
    )
    tls_public_url: str | None = _setting(
        None, _url, "URL under which clients reach that port (default: https://HOST:TLS_PORT).", "URL"
    )
    plain_fhir: bool = _setting("off", _switch, "Serve the FHIR paths without TLS too, where mutual TLS is on.", SWITCH)
    certificate_header: str | None = _setting(
        None, _header, "Header in which a proxy that ends TLS passes the client's certificate.", "NAME"
    )
    certificate_proxies: tuple[str, ...] | None = _setting(
        None, _networks, "Addresses or networks of those proxies; from others the header counts for nothing.", "LIST"
    )
    proxies: tuple[str, ...] | None = _setting(
        None, _networks, "Addresses or networks of proxies: who comes by one is never a local client.", "LIST"
    )
    with_bench: bool | None = _setting(
        None,
        _switch,
        "Show the bench (/_sas) and the identity provider (/_idp) (default: on a loopback address, without proxies).",
        SWITCH,
    )
    now: datetime | None = _setting(  # noqa: RUF009 - a field like the others; the rule takes `datetime` for a call
        None, _instant, "Freeze the clock at this instant (default: the scenario's clock, else real time).", "INSTANT"
    )
    database: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _file, "File that keeps accounts and all other state (default: a new one, gone at the end).", "FILE"
    )
    follow_email: bool = _setting(
        "on", _switch, "INT_R02: an update without a known identifier is for the account with its e-mail.", SWITCH
    )
    accepted_origins: tuple[str, ...] = _setting(
        "sas,sas-*", _words, "Values of `origin` that open a regulator's access; * stands for anything.", "LIST"
    )
    oidc_issuer: str = _setting(
        "embedded", _issuer, "Identity provider for the SSO: URL of an OpenID Connect issuer, embedded, or none.", "URL"
    )
    oidc_client_id: str | None = _setting(
        None, _text, "Client id at the identity provider (default: the editor's slug).", "ID"
    )
    oidc_client_secret: str | None = _setting(
        None, _text, "Client secret at the identity provider.", "SECRET", secret=True
    )
    oidc_scope: str = _setting("openid profile email", _text, "Scopes asked of the identity provider.", "SCOPES")
    oidc_acr_values: str | None = _setting(
        None, _text, "acr_values asked of the identity provider, e.g. eidas1 for Pro Santé Connect.", "ACR"
    )
    oidc_national_id_claims: tuple[str, ...] = _setting(
        "SubjectNameID,preferred_username", _words, "Claims that may hold a regulator's national identifier.", "LIST"
    )
    oidc_technical_id_claims: tuple[str, ...] = _setting(
        "sub,preferred_username", _words, "Claims that may hold the SAS technical identifier.", "LIST"
    )
    oidc_email_claims: tuple[str, ...] = _setting("email", _words, "Claims that may hold the e-mail.", "LIST")
    idp_redirect_uris: tuple[str, ...] | None = _setting(
        None, _addresses, "Where the embedded identity provider sends people back to, beside the simulator.", "LIST"
    )
    login_tries: int = _setting("5", _whole(1, 1000), "Wrong passwords in a row that lock an account.", "N")
    login_lock: int = _setting("15", _whole(1, 100000), "Minutes that a locked account takes no password.", "MINUTES")
    sas_url: str = _setting(
        "embedded", _sas_url, "FHIR base of the SAS, for appointments (INT_R03); embedded: the simulator's own.", "URL"
    )
    sas_certificate: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file with the certificate shown to the SAS.", "FILE"
    )
    sas_key: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file with its key, if that is apart.", "FILE"
    )
    sas_authority: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file of the authorities that the SAS's certificate may be of.", "FILE"
    )
    sas_tls_minimum: sas_target.TlsVersion = _setting(  # noqa: RUF009 - likewise
        sas_target.TLS_MINIMUM, _tls_version, "Lowest version of TLS spoken with the SAS.", "1.2|1.3"
    )
    sas_connect_timeout: float = _sas_seconds(
        sas_target.CONNECT_TIMEOUT, "Seconds that a connection to the SAS may take."
    )
    sas_answer_timeout: float = _sas_seconds(sas_target.ANSWER_TIMEOUT, "Seconds that an answer of the SAS may take.")
    sas_tries: int = _setting(
        str(sas_target.TRIES.default),
        _whole(sas_target.TRIES.least, sas_target.TRIES.most),
        "Attempts to notify the SAS before it is given up.",
        "N",
    )
    sas_first_wait: float = _sas_seconds(
        sas_target.FIRST_WAIT, "Seconds before the second attempt; then twice as long."
    )
    sas_longest_wait: float = _sas_seconds(sas_target.LONGEST_WAIT, "Seconds between two attempts at most.")
    sas_parallel: int = _setting("8", _whole(1, 200), "Notifications that one process sends at once.", "N")
    bench_certificate: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file with the certificate that the bench shows to editors.", "FILE"
    )
    bench_key: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file with its key, if that is apart.", "FILE"
    )
    bench_authority: Path | None = _setting(  # noqa: RUF009 - likewise
        None, _existing_file, "PEM file of the authorities that an editor's certificate may be of.", "FILE"
    )
    deliver: bool = _setting("on", _switch, "Send notifications; off: `mock-editor deliver` does, or nobody.", SWITCH)
    admin_token: str | None = _setting(
        None,
        _secret,
        "Token that /_admin and /_console ask of other machines (default: a new one, printed).",
        "TOKEN",
        secret=True,
    )
    journal: bool = _setting("on", _switch, "Keep a journal of every exchange, see /_admin/journal.", SWITCH)
    journal_entries: int = _setting("10000", _whole(1, 10_000_000), "Exchanges that the journal keeps at most.", "N")
    journal_bytes: int = _setting(
        "67108864", _whole(1_000_000, 999_999_999), "Bytes that the journal keeps at most, of all together.", "BYTES"
    )
    journal_hours: int = _setting("24", _whole(1, 100_000), "Hours that the journal keeps an exchange.", "H")
    journal_body: int = _setting(
        "8192", _whole(0, 1_000_000), "Bytes of a body that the journal keeps whole; of a longer one, 2048.", "BYTES"
    )
    search_slots: int = _setting("25000", _whole(1, 10_000_000), "Slots that a search answers at most.", "N")
    search_bytes: int = _setting(
        "33554432", _whole(10_000, 999_999_999), "Bytes that a search answers at most.", "BYTES"
    )
    workers: int = _setting("1", _whole(1, 64), "Server processes.", "N")
    # Requests that wait may take all but a twentieth of the threads: about a thousand by default.
    threads: int = _setting(
        "1100", _whole(1, 20000), "Requests that one process handles (or holds waiting, all but 5 %) at once.", "N"
    )
    worker_connections: int | None = _setting(
        None,
        _whole(2, 100000),
        "Connections that one process keeps open, above the threads (default: 1000 more than threads, 4000 at least).",
        "N",
    )
    header_timeout: float = _setting("10", _seconds, "Seconds a client has to send a request's head.", "S")
    body_timeout: float = _setting("10", _seconds, "Seconds a client has to send a request's body.", "S")
    write_timeout: float = _setting("60", _seconds, "Seconds a client has to take an answer.", "S")
    keepalive: int = _setting("75", _whole(1, 3600), "Seconds an idle connection is kept.", "S")

    @classmethod
    def from_env(cls, env: Mapping[str, str], **overrides: str | None) -> "Settings":
        """Settings from ``MOCK_EDITOR_*`` variables. The options in ``overrides`` take precedence.

        Raises SettingsError for an invalid value. Ignores variables that are no settings, see ``unknown``.
        """
        values: dict[str, Any] = {}
        for setting in dataclasses.fields(cls):
            name = setting.name
            text, origin = overrides.get(name), "--" + name.replace("_", "-")
            if text is None:
                origin = PREFIX + name.upper()
                text = secret(name, env) if setting.metadata["secret"] else env.get(origin) or None
                if text and _is_link(origin, text):
                    continue
            if text is not None:
                try:
                    values[name] = setting.metadata["parse"](text)
                except (OSError, ValueError) as error:
                    # OSError: the name of a file is too long, or its folder is closed to us.
                    if setting.metadata["secret"]:
                        raise SettingsError(Code.SETTING_WRONG, name=origin, reason=reason_of(error)) from None
                    raise SettingsError(
                        Code.SETTING_INVALID, name=origin, reason=reason_of(error), found=text
                    ) from None
        settings = cls(**values)
        if settings.connections <= settings.threads:
            raise SettingsError(Code.SETTING_CONNECTIONS, connections=settings.connections, threads=settings.threads)
        settings.check_tls()
        return settings

    def check_tls(self) -> None:
        """Raises SettingsError if a setting of mutual TLS needs another one that is missing."""
        if (self.certificate_header is None) != (self.certificate_proxies is None):
            raise SettingsError(Code.SETTING_PAIR, first="--certificate-header", second="--certificate-proxies")
        if self.tls_port is None:
            alone = dict.fromkeys(["tls_cert", "tls_key", "tls_strict"], Code.SETTING_NEEDS_TLS_PORT)
            if self.certificate_header is None:
                both = ["tls_client_ca", "tls_crl", "tls_client_cn", "tls_client_ou", "tls_public_url", "plain_fhir"]
                alone |= dict.fromkeys(both, Code.SETTING_NEEDS_TLS)
            for name, code in alone.items():
                if getattr(self, name):
                    raise SettingsError(code, name=f"--{name.replace('_', '-')}")

    @property
    def shows_bench(self) -> bool:
        """Whether clients reach the bench and the identity provider: as set, or if all clients are on this machine."""
        if self.with_bench is not None:
            return self.with_bench
        return not self.all_proxies and (self.host == "localhost" or _is_loopback(self.host))

    @property
    def all_proxies(self) -> tuple[str, ...]:
        """All proxies that settings name."""
        return (*(self.proxies or ()), *(self.certificate_proxies or ()))

    @property
    def connections(self) -> int:
        """How many connections a process keeps open: as set, or enough for all threads and a thousand idle clients."""
        return self.worker_connections or max(self.threads + 1000, 4000)
