"""The store behind the upload URLs, as S3 works (docs/contracts.md section 5).

    s3_api.py         the routes: PUT, GET, HEAD and form POST
    authorization.py  which signature a URL has; sigv2.py and sigv4.py create and verify them
    object_keys.py    object keys from request paths
    put_rules.py      length and checksum of a body
    body_receiver.py  reads and stores bodies
    form_receiver.py  form POSTs; form_parser.py and form_policy.py are their rules
    object_store.py   objects as files; part_store.py stores the parts of multipart uploads
    bucket_api.py     multipart uploads and lists; s3_documents.py has their documents
    s3_errors.py      error answers

MetaStudio's uploads use the same store, with OBS's names for the parameters of a signature.
"""
