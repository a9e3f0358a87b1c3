"""Move UGC's GraphQL API (docs/contracts.md section 2).

    move_endpoint.py  the route; answers 501 if graphql-core is not installed
    api_errors.py     errors with a status of their own
    file_records.py   created files and their URLs
    move_api.py       the calls
    documents.py      parses and validates GraphQL documents
    schema.py         the schema and its resolvers

The last three import graphql-core.
"""
