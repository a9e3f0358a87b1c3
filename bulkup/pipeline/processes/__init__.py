"""Sending on more than one core: processes that make the attempts, while their parent decides and records.

In the parent, the process of the run:

    process_pool     gives attempts to the sending processes in groups, and passes their results on
    sending_process  one sending process: its start, its attempts, its end
    silence          when a silent sending process counts as stopped, pure

In a sending process:

    __main__         the program
    child            takes jobs, makes the attempts over connections of its own, reports
    granted_throttle asks the parent for each piece that is to be sent, while there is a limit on the bandwidth

In both, pure:

    frames           messages on the socket between them
    jobs             the set-up, jobs and reports as plain values

A sending process knows of a file what an attempt needs. It knows no runs, journals or retries, and holds no
credentials. It ends when its parent ends.

`tuning.process_tuner` decides how many there are (`processes = "auto"`).
"""
