"""Huawei MetaStudio's API (docs/contracts.md section 3): its gateway, IAM's tokens, and the calls for files.

    metastudio_api.py  the calls: create, complete, delete
    gateway.py         authentication, and the format of answers
    sdk_signature.py   verifies SDK-HMAC-SHA256 signatures
    iam.py             IAM: issues tokens
    parameters.py      parses and checks the bodies of calls
    file_records.py    records of files and their states
    file_storage.py    the stored bytes of files
    upload_urls.py     OBS upload URLs
    api_errors.py      error codes and messages

The API is at the server's root, because the service's SDK drops the path of an endpoint.
"""
