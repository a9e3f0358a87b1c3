"""`bulkup schedule`: have a service manager start an upload at certain times.

    schedule_commands                 the commands: install, show, remove, status
    job_building                      a job from the options and the profile, and notes about it
    scheduled_job                     the job: a command, its environment and times; the mark in all files about it
    schedule_times                    the times, in the form of each service manager
    schedulers, scheduler_choice      the interface of the three service managers, and the choice of one
    systemd_schedule                  systemd: units as files, and `systemctl`
    systemd_units, systemd_text       the text of the units; quoting by systemd's rules
    cron_schedule, cron_block         cron: a marked block in the user's crontab
    launchd_schedule, launchd_plist   launchd: a property list, and `launchctl`
    marked_files                      files that are written at once, and only over files of bulkup
    manager_programs                  the programs of service managers
    schedule_report                   the output of `status`

Modules that render files take values and return text. The run itself is an ordinary `bulkup upload`.
"""
