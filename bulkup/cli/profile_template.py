"""The commented profile that `bulkup provider new` writes."""

from __future__ import annotations

import re

_WITH_CALL = """\
[profiles.NAME]
provider = "http"
source = ["."]                          # what to upload
base_url = "https://api.vendor.example" # the root of the service's API
token = "env:VARIABLE_TOKEN" # also file:PATH or command:ARGV

# docs/providers/http.md explains each key. `bulkup config check` finds mistakes, and
# `bulkup provider try FILE --profile NAME` sends one file and shows each step.
[profiles.NAME.http]
batch_size = 1                          # files in one call
checksum = "none"                       # needed before the call: none, md5, sha256, crc32c or crc64nvme
# extensions = ["mp4", "mov"]           # what the service takes; all without it
# max_size = "5GiB"

# The call for upload URLs. Of a file: {path} {name} {stem} {ext} {extension} {dir} {size} {content_type} {mtime} {date}
# {uuid}, and with checksum {md5_base64} {md5_hex} {sha256_hex}. Of the profile: {token} and other settings by name.
[profiles.NAME.http.presign]
method = "POST"
path = "/v1/uploads"
headers = { Authorization = "Bearer {token}" }
item = { name = "{name}", size = "{size}", type = "{content_type}" }
# With batch_size above 1 the body has a list of items:
# body = { files = "{items}" }

# Where the answer has what is needed, as JMESPath (https://jmespath.org).
[profiles.NAME.http.answer]
# tickets = "items"                     # the list with one entry for each file
# match = { answer = "name", file = "{name}" }  # if it is not in the order of the request
url = "upload_url"                      # in one entry
id = "id"
# expires = "expires_at"                # RFC 3339 or Unix seconds; or expires_in = "ttl", in seconds
# headers = "headers"                   # to be sent with the bytes
# fields = "fields"                     # of a form (POST)
# rejected = "error"                    # why this file is refused
error = "message"                       # of the whole answer, for people

# The request with the bytes.
# [profiles.NAME.http.put]
# headers = { Content-Type = "{content_type}" }
# success = [200]
# checksum = "etag"                     # the header with the checksum of the stored bytes

# A call that completes each upload.
# [profiles.NAME.http.confirm]
# path = "/v1/uploads/{id}/complete"
# body = { size = "{size}" }
# done = "status == 'READY'"            # polled until then
# poll = "/v1/uploads/{id}"             # the path of the GET that is polled; without it, the call is repeated
# failed = "reason"                     # the reason, in the answer about an upload that failed
"""

_WITHOUT_CALL = """\
[profiles.NAME]
provider = "http"
source = ["."]                          # what to upload

# docs/providers/http.md explains each key. `bulkup config check` finds mistakes, and
# `bulkup provider try FILE --profile NAME` sends one file and shows each step.
[profiles.NAME.http]
# Of a file: {path} {name} {stem} {ext} {dir} {date} {uuid}. Own secrets and values by name.
url = "https://storage.vendor.example/folder/{path}?{key}"
secrets = { key = "env:VARIABLE_KEY" }
# max_size = "5GiB"

# The request with the bytes.
[profiles.NAME.http.put]
method = "PUT"
# headers = { Content-Type = "{content_type}" }
# success = [200, 201, 204]
# checksum = "etag"                     # the header with the checksum of the stored bytes
"""


def profile_text(name: str, *, without_call: bool) -> str:
    """Return a profile of that name, of a service with a presign call or of one without.

    Variables of the environment begin with the name, in the characters that they can have.
    """
    text = _WITHOUT_CALL if without_call else _WITH_CALL
    variable = name.upper().replace("-", "_")
    variable = f"_{variable}" if variable[0].isdigit() else variable
    own = {"NAME": name, "VARIABLE": variable}
    return re.sub("NAME|VARIABLE", lambda found: own[found[0]], text)
