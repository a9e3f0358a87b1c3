"""`bulkup dashboard`: a page on this machine about the journals of this user, and its server.

    dashboard_server    listens, and owns the rest; dashboard_options are its limits
    page_connection     the connections of browsers, with their limits
    access              decides whether a request is answered; guard applies it
    handlers            the requests for data; request_parameters reads their parameters
    dashboard_state     state shared by the requests, and the task that watches the journals
    journal_list        finds the journals, with the state of each
    index_keeper        reads a journal into a file_index, which searches and sorts; name_search has its paths
    run_figures         figures of summaries
    run_objects         runs, files and failures as the page gets them
    event_hub           events for the open pages; event_stream sends them to one
    live_runs           follows runs under way over their control sockets, and passes requests on
    retry_jobs          uploads chosen files again
    page_files          serves the folder `page`: HTML, styles and modules without a build step

Journals are only read here. Every change is made by a run: one that the page starts, or one that it asks through the
run's control socket.
"""
