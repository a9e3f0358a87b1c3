"""The control socket of a run: a Unix socket beside its journal, to watch the run and to change it.

    control_messages    the requests, checked
    progress_message    the progress as JSON, and back
    control_socket      the socket as a file: its path, its mode, who may use it
    run_controls        carries requests out on an `Uploader`
    control_server      serves the socket while a run is under way
    control_client      sends requests: for `bulkup control`, and for anyone else

docs/how-to/control.md describes the protocol. Nothing that a client does may hurt the upload.
"""
