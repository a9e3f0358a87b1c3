"""The adapter of Xvid MediaHub (docs/contracts.md section 4).

adapter  the calls: an upload session, its end, and polls
answers  reads answers in JSON or XML
auth     tokens for OAuth client credentials
form     reads the form for storage in an answer
"""
