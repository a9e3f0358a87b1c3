"""Opening, reading and hashing the user's files, and noticing that one changes meanwhile."""
