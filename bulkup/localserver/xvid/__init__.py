"""Xvid MediaHub (contracts.md section 4): OAuth's tokens and upload sessions; the bytes go by form POST.

api.py       the calls       sessions.py  what is known of an upload
fields.py    what they say   form.py      what is to be posted, and the policy for it
oauth.py     tokens          answers.py   JSON and XML
errors.py    codes
"""
