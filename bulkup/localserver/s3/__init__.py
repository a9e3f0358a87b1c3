"""The store behind the upload URLs, as S3 works (docs/contracts.md section 5).

s3_api.py         the routes: PUT, GET, HEAD and form POST
authorization.py  which signature a URL has; sigv2.py, sigv4.py verify and create them
object_keys.py    object keys from request paths
put_rules.py      length and checksum of a body
body_receiver.py  reads and stores bodies
form_receiver.py  form POSTs; form_parser.py, form_policy.py
object_store.py   objects as files; part_store.py for multipart uploads
s3_errors.py      error answers; signing_types.py requests and keys as plain values
"""
