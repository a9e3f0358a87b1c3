"""For the workers: one attempt to send a file, and what the answer of storage proves."""
