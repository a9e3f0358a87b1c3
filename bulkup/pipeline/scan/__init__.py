"""The files of a source, and the action for each of them; used by the scanner and by a preview.

    walk          lists the files of a source
    counting      walks ahead of the scanner, and keeps only the number and size of the files
    open_folders  the folders that a walk has open
    own_files     the files of bulkup itself, which are not uploaded
    filters       the user's patterns and limits; ignore_file has those of a source
    name_list     reads a list of names (`files_from`)
    triage        counts settled files, and decides about the others
    decision      the action for one file
    file_order    the order in which files enter the pipeline

Not here: reading the content of files (`files`), and carrying an action out (`scanner`).
"""
