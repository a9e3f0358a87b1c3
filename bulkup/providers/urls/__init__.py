"""A list of upload URLs instead of a service with an API (docs/providers/urls.md).

`url_line` reads one entry, `url_list` keeps the entries of a list on disk, and `adapter` makes tickets of them.
"""
