"""Decisions about problems.

    retry            the next step after a failed attempt or API call
    host_gate        the limit on requests to one host; gates_by_host has one for each
    retry_budget     delays retries to a host that fails most requests
    pace             the rate at which requests to a throttling host begin, learned from its answers
    earlier_origins  hosts that tickets of an earlier run name and that do not answer
    quota            the largest number of files and bytes of a run
    bandwidth        how many bytes may be sent now
    issued_tickets   finds an id or object that the service gives to a second file
    common_refusals  refusals that concern every file, and the end of a run in which none is accepted
    kind_refusal     whether a refusal is about the kind of a file
    refused_kinds    the extensions that the service refuses, and how a refused group is divided
    repeated_warnings  which warnings are logged, of those that many files repeat
    ticket_losses    tickets that are over when they arrive, and the end of a run that gets no other ones
    fatal            the error that ends a run, as the user sees it
    redaction        masks secrets in messages of services and storage

Not here: the kind of a problem (providers and transport choose it), and carrying a decision out (the stages do it).
"""
