"""The adapter of a service that the configuration describes (docs/providers/http.md).

adapter        the calls: presign, closing call, abandon
file_values    the values of placeholders that belong to one file
rendering      compiles templates into functions
answers        reads tickets out of answers
answer_shape   the shape of an answer, for messages
compared_keys  the compared values of entries that belong to no file, for messages
auth           tokens for OAuth client credentials
"""
