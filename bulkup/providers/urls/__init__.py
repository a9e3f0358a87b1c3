"""A list of upload URLs instead of a service with an API (docs/providers/urls.md).

adapter   tickets from the entries
url_line  one entry: its values and their checks
url_list  all entries, kept on disk and found by path
"""
