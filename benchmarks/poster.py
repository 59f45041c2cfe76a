"""``python -m benchmarks.poster URL THREADS FILE``: posts the lines of FILE with requests, and does nothing else.

What sending costs when nothing has to be kept, ordered or tried again.
"""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from mock_editor.base.codes import FHIR_JSON

_HEADERS = {"Content-Type": FHIR_JSON, "Accept": "application/fhir+json"}


def main() -> None:
    """Begins when it is told to: by a line on standard input. Raises HTTPError when one is refused."""
    url, threads, bodies = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]).read_bytes().splitlines()
    own = threading.local()

    def post(body: bytes) -> None:
        if not hasattr(own, "session"):
            own.session = requests.Session()
            own.session.trust_env = False
        own.session.post(url, data=body, headers=_HEADERS, timeout=60).raise_for_status()

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(post, bodies):
            pass


if __name__ == "__main__":
    main()
