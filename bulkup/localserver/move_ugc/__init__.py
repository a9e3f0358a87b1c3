"""Move UGC's GraphQL API (docs/contracts.md section 2).

move_endpoint.py  the route; works without graphql-core and answers 501 then
files.py          created files and their URLs
move_api.py       the calls; this and the modules below import graphql-core
documents.py      parses and validates GraphQL documents
schema.py         the schema and its resolvers
"""
