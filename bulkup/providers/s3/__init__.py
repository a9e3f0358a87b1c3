"""S3 and compatible stores, with presigned URLs made on this machine.

The provider is in `adapter`. `signing` makes signatures, `endpoint` the addresses of a bucket.
"""
