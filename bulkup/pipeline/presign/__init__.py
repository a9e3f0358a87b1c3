"""For the batcher: when to ask for tickets, for how many files, and the call itself."""
