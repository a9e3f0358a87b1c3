"""`bulkup verify`: compares the files that the journal has as uploaded with the disk, and with the service.

    upload_check     the order of the comparisons, a page of rows at a time
    disk_comparison  `stat` of the files, folder by folder
    comparing_processes  several processes for many files
    disk_contents    the checksums of the files
    store_access     the provider and its calls
    marked_manifest  the rows of a manifest with the state of their files on disk
    store_comparison  what the service says, or the bytes that it returns

Memory does not grow with the number of files. Nothing is written: not to the journal, the disk or the service.
"""
