"""The platform of a world, with everything its pages need."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from urllib.parse import urlsplit

from flask import request
from requests.adapters import BaseAdapter

from mock_editor.base.forms import Forms
from mock_editor.base.keys import Keys
from mock_editor.base.paths import Surface
from mock_editor.base.waits import Waits
from mock_editor.bench.idp.people import Person
from mock_editor.bench.platform import view
from mock_editor.bench.platform.accounts import Accounts, Peer
from mock_editor.bench.platform.calls import EditorClient, TlsFiles
from mock_editor.bench.platform.directory import Directory
from mock_editor.bench.platform.search import Searcher
from mock_editor.bench.platform.sign_in import RETURN_PATH, SignIn
from mock_editor.bench.platform.store import PlatformStore

# Seconds that an editor has to answer the platform (guide: service level).
SECONDS = 7.0
SESSION = "sas_session"


class Platform:
    """A platform that knows the people of ``directory``, the editors ``peers`` and its own ``people``.

    ``provider`` carries calls to the identity provider of the bench. Editors see the certificate of ``files``, and have
    ``seconds`` for each answer. A client has ``body_timeout`` seconds to send a form.
    """

    def __init__(
        self,
        *,
        public_url: str,
        store: PlatformStore,
        keys: Keys,
        now: Callable[[], datetime],
        waits: Waits,
        directory: Directory,
        peers: Sequence[Peer],
        people: Callable[[], Sequence[Person]],
        provider: BaseAdapter,
        files: TlsFiles,
        body_timeout: float,
        seconds: float = SECONDS,
    ) -> None:
        self.public_url = public_url
        self.store = store
        self.waits = waits
        self.directory = directory
        self.peers = peers
        self.people = people
        self.body_timeout = body_timeout
        client = EditorClient(seconds, files)
        self.accounts, self.searcher = Accounts(peers, client, store, now), Searcher(peers, client, store, now)
        self.forms = Forms("sas", keys, public_url, seconds=body_timeout, owner=self._owner)
        self.issuer = f"{public_url}/{Surface.IDP}"
        back = f"{public_url}{RETURN_PATH}"
        secret = partial(keys.get, "sas-sign-in", view.new_secret)
        self.sign_in = SignIn(people, self.issuer, back, provider, secret)

    @property
    def base(self) -> str:
        """The path of its pages."""
        return f"{urlsplit(self.public_url).path}/{Surface.SAS}"

    def visitor(self) -> Person | None:
        """The person signed in at the browser of the current request."""
        return self.store.session(request.cookies.get(SESSION))

    def _owner(self) -> str:
        return person.key if (person := self.visitor()) else ""
