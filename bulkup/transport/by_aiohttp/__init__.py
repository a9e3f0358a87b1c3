"""The aiohttp client: sessions for API calls, and a second sender besides the lean one.

    client_session  sessions without cookies and without credentials of their own
    aiohttp_sender  the sender
    body_reader     reads bodies of any size
    bounded_connector  connections, with a bound on idle ones
    payload         a body as aiohttp takes it
    aiohttp_errors  the client's exceptions as problems
    unread_certificates  a quick import of aiohttp, for the command

Not here: redirects, forms and host rules, which both senders share.
"""
