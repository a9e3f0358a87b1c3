"""Huawei MetaStudio (docs/contracts.md section 3): the gateway before it, IAM's tokens, and its calls for files.

    api.py        the calls      gateway.py    who may call, and how refusals look
    fields.py     what they say  signature.py  SDK-HMAC-SHA256
    files.py      what is known  iam.py        tokens
    stored.py     what is there  errors.py     codes and texts
    upload_urls.py  where the bytes go

The API stands at the server's root: the service's own SDK drops the path of an endpoint.
"""
