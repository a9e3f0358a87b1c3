"""Notifications of the start and the end of a run, to services and commands (docs/notifications.md).

    notification         the content of a notification
    notification_text    its forms: JSON, text, pings, variables of a command. Pure
    delivery             one request, repeated until it is taken or time is up
    hook_command         one command
    notifier             sends to all receivers in the table of a profile

A failure here is a warning in the log. It changes neither the run nor its exit code. When notifications are sent is
decided by `bulkup.cli`. Requests are made by the API client of `bulkup.transport`.
"""
