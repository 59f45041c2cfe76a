"""The published guide and the independent validator, where they lie beside the checkout."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
VALIDATOR = ROOT / "var" / "fhir-validate"
VERSIONS = ("1.1.0", "1.2.0")

needs_validator = pytest.mark.skipif(
    not (SHARED / "ig").is_dir() or not (VALIDATOR / "node_modules").is_dir() or shutil.which("node") is None,
    reason="needs the guide in ../shared/ig, Node, and var/fhir-validate (set up by `make test`)",
)


def errors_of(files: Sequence[Path], *options: str) -> list[str]:
    """What the validator finds wrong with the files, under both versions of the guide; one line each."""

    def run(version: str) -> list[str]:
        command = ["node", str(VALIDATOR / "validate.mjs"), "--json", *options, *map(str, files)]
        environment = os.environ | {"SAS_IG_PACKAGE": str(SHARED / "ig" / version)}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
        assert done.returncode in (0, 1), done.stderr
        report: list[dict[str, Any]] = json.loads(done.stdout)
        assert len(report) == len(files)
        return [
            f"{version} {Path(entry['file']).name} {issue['location']}: {issue['message']}"
            for entry in report
            for issue in entry["issues"]
            # Only warnings there; here they have to be right too.
            if issue["severity"] == "error" or issue["rule"] in ("self-link", "orphan", "search-mode")
        ]

    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        return [line for lines in pool.map(run, VERSIONS) for line in lines]
