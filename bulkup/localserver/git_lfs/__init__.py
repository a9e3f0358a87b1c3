"""A Git LFS server: `POST /objects/batch` and `POST /objects/{oid}/verify` (docs/contracts.md section 6).

    lfs_api  both calls

The repository's LFS endpoint is the root of the server. There is one repository, and no API for locks.
"""
