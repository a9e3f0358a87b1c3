"""Where bytes may go.

    host_rules        the allowed hosts, and no private addresses for a public service
    resolver          name resolution by the system
    guarded_resolver  enforces the rules on names and addresses
    redirects         which redirects are followed, and with which headers

Not here: opening connections (`lean`, `by_aiohttp`).
"""
