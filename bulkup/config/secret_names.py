"""Which secrets may be shown. In a module of its own, because a sending process needs it without the settings."""

from __future__ import annotations

# They are given in the same ways as secrets, but only name an account.
IDENTIFIERS = ("access_key", "iam_user", "iam_domain", "client_id", "lfs_user")
