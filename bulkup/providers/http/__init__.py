"""The adapter of a service that the configuration describes (docs/providers/http.md).

adapter        the provider: which call and which reader a file needs
limits         the capabilities that follow from a description
calls          compiles and makes calls
closing        the closing call, its polls, and the call for files that are given up
url_tickets    tickets of a description with a URL in place of a call
answers        reads tickets out of answers: the entry of each file
entries        reads the ticket of one file out of its entry
answer_paths   follows the paths of a description, and says which does not fit
answer_shape   the shape of an answer, for messages
compared_keys  the compared values of entries that belong to no file, for messages
json_values    values of an answer, as the types that are needed
file_values    the values of placeholders that belong to one file
rendering      compiles templates into functions
auth           tokens for OAuth client credentials
"""
