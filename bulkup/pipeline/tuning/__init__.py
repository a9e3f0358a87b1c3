"""Finding the number of workers and of sending processes by measuring goodput.

    goodput        cuts observations of the workers into samples
    controller     the number of workers, found by trial
    least_latency  the time that a file takes at least
    tuner          observes the workers, and sets the worker limit
    process_plan   how many sending processes pay
    process_tuner  measures the run, and starts or withdraws sending processes
    cores          the usable cores, and the idle ones

Not here: limits that a host sets (`policy.host_gate`), and the trials of `bulkup bench` (`bulkup.api.bench`).
"""
