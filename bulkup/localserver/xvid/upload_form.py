"""The form of an upload session, and its policy (docs/contracts.md section 4).

The policy in the service's current documentation does not fit its form. This one follows the older manual, and fits.
"""

from __future__ import annotations

import base64
import math
from typing import Any

import orjson

from bulkup.localserver.s3 import sigv2
from bulkup.localserver.s3.put_rules import MAX_OBJECT_SIZE
from bulkup.localserver.signing_types import SigningKey
from bulkup.localserver.timestamps import rfc3339

BUCKET = "xvid-mediahub"
FORM_TTL = 30 * 60  # seconds


def object_path(pipeline: str, object_key: str) -> str:
    """Return the key of an upload's object, with the bucket."""
    return f"{BUCKET}/{_prefix(pipeline)}{object_key}"


def form_post_params(pipeline: str, object_key: str, signing: SigningKey, expires: float) -> dict[str, str]:
    """Return the fields of the form in the service's order. It is valid until `expires` (Unix time, rounded up)."""
    policy = base64.b64encode(orjson.dumps(_policy(pipeline, expires))).decode("ascii")
    return {
        "name": object_key.rpartition("/")[2],
        "success_action_status": "201",
        "filename": "",
        "chunk": "0",
        "chunks": "1",
        "policy": policy,
        "signature": sigv2.signature(signing.secret, policy),
        "AWSAccessKeyId": signing.permanent_id,
        "key": f"{_prefix(pipeline)}{object_key}",
        "acl": "private",
    }


def _policy(pipeline: str, expires: float) -> dict[str, Any]:
    return {
        "expiration": rfc3339(math.ceil(expires)),
        "conditions": [
            {"bucket": BUCKET},
            ["starts-with", "$name", ""],
            ["starts-with", "$key", _prefix(pipeline)],
            ["starts-with", "$filename", ""],
            ["starts-with", "$chunk", ""],
            ["starts-with", "$chunks", ""],
            {"acl": "private"},
            {"success_action_status": "201"},
            ["content-length-range", 0, MAX_OBJECT_SIZE],
        ],
    }


def _prefix(pipeline: str) -> str:
    return f"tmp/{pipeline}/"
