"""Small modules that know nothing of uploads. A module belongs here if it could be a library of its own.

    address_literals   addresses of IP that are written in place of a host's name
    alarm              wakes one loop, at a time or when another task calls it
    beneath            opens files below a folder without following links
    clock              clocks that are passed in, so that tests need not sleep
    delay_queue        values, each with the time from which it may be taken
    descriptors        errors when no descriptor is left; closing a descriptor that a thread uses
    event_logger       log lines: to a function, to the standard `logging`, or to structlog if the program uses it
    event_loop         uvloop if it is installed, else asyncio's loop
    garbage_collector  how often Python's garbage collector runs
    gitignore          patterns in the form of a .gitignore file
    input_files        opening files that a user names, and nothing that blocks
    lazy_import        names of a package that are imported at their first use
    lazy_pattern       regular expressions that are compiled at their first use
    private_files      files and folders that only their owner can read
    quick_dataclass    `dataclass`, which takes a fifth of the time to make a class
    real_paths         real paths below a root, with each folder examined once
    sd_notify          messages to the service manager that started the process
    secrets            types of values that are never printed
    send_queue         the bytes that the other side of a socket has not acknowledged
    short_text         texts of another party, cut to a length
    signal_reset       signals that end the process even if no Python code can run
    standard_streams   the null device on standard streams that are closed
    systemd_stream     standard error that the journal of systemd keeps
    thread_limit       the error when no thread can be started
    utf8_mode          file names as text, whatever the locale

Not here: errors with exit codes (`bulkup.errors`), and values of the domain such as files and tickets (`bulkup.model`).
"""
