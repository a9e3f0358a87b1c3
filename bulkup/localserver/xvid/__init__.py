"""Xvid MediaHub's API (docs/contracts.md section 4): upload sessions and OAuth's tokens.

    xvid_api.py         the calls: begin, finish and get a session
    oauth.py            OAuth: issues tokens
    endpoint.py         answers a call in the requested format, errors too
    answer_encoding.py  encodes answers as JSON or XML
    parameters.py       parses and checks queries and bodies
    sessions.py         records of upload sessions
    upload_form.py      the form of a session, and its policy
    api_errors.py       error codes and messages

Files are sent to the store by form POST (`s3/form_receiver.py`).
"""
