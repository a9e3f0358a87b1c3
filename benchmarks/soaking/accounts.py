"""A service's account with random credentials, for both client and server."""

from __future__ import annotations

import glob
import os
import secrets
from dataclasses import dataclass
from typing import Any

PROVIDERS = ("magic-hour", "move-ugc", "metastudio", "xvid")
# Calls under way at once, times the files of a call.
_MOST_ASKED = {"magic-hour": 4 * 100, "move-ugc": 4 * 50, "metastudio": 32, "xvid": 32}


@dataclass(frozen=True, slots=True)
class Account:
    """Options and environment of `bulkup upload`, options of `bulkup serve`, and the secrets.

    `most_asked` is the number of files of all calls that may be under way at once.
    """

    provider: str
    upload: list[str]
    environ: dict[str, str]
    serve: list[str]
    secrets: list[str]
    most_asked: int

    def object_of(self, row: dict[str, Any], objects: str) -> str:
        """Return where below `objects` the server keeps the object of a manifest row."""
        remote_id, remote = str(row["remote_id"]), row["remote"]
        match self.provider:
            case "move-ugc":
                suffix = os.path.splitext(row["path"])[1]
                return os.path.join(objects, "file-production-storage", remote_id.removeprefix("file-") + suffix)
            case "metastudio":
                pattern = os.path.join(glob.escape(objects), "metastudio-assets", "a1", f"{remote_id}.*")
                return next(iter(glob.glob(pattern)), "")
            case "xvid":
                return os.path.join(objects, "xvid-mediahub", "tmp", "p1", remote["object_key"])
        return os.path.join(objects, remote_id)


def account(provider: str) -> Account:
    """Return an account of the service with new credentials."""
    token, key, secret, access = _made_up(), _made_up(), _made_up(), secrets.token_hex(10).upper()
    serve = [f"--token={token}", f"--api-key={key}", f"--access-key={access}", f"--secret-key={secret}"]
    upload, environ = {
        "magic-hour": ([], {"BULKUP_TOKEN": token}),
        "move-ugc": ([], {"BULKUP_API_KEY": key}),
        "metastudio": (
            ["--project-id", "local-project", "--asset-id", "a1", "--rate-limit", "0"],
            {"BULKUP_ACCESS_KEY": access, "BULKUP_SECRET_KEY": secret},
        ),
        "xvid": (["--pipeline-id", "p1"], {"BULKUP_TOKEN": token}),
    }[provider]
    most_asked = _MOST_ASKED[provider]
    return Account(provider, ["--provider", provider, *upload], environ, serve, [*environ.values()], most_asked)


def _made_up() -> str:
    """Return a secret whose middle is changed by every way of quoting, and whose two ends are not."""
    return f"{secrets.token_hex(10)}/+&{secrets.token_hex(10)}"
