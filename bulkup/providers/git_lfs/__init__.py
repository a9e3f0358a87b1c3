"""Git LFS: objects named by their SHA-256, by the Batch API and basic transfers (docs/contracts.md section 6).

    adapter      batch calls, tickets and closing calls
    answers      reads the answer to a batch call, and its errors
    credentials  the credentials of the settings, of netrc, and of git's credential helpers

Other transfers (multipart, ssh) do not belong here, nor do pointer files in a repository.
"""
