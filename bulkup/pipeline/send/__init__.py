"""One attempt to send a file, and the verification of storage's answer.

    attempt       sends a file, whole or in parts
    expired_urls  tells expired URLs from refused ones
    missing_bucket  names a bucket that does not exist
    proven_hosts  the hosts whose answers have proven stored bytes
    stated_checksums  checksums that a described service has elsewhere in storage's answer
    verification  compares storage's answer with the digest
    zero_copy     which files may be sent by `sendfile`

Not here: the next step after a failed attempt (`policy.retry`), reading the file (`files`), and the request to storage
(`bulkup.transport`).
"""
