"""Xvid MediaHub (docs/contracts.md section 4): OAuth's tokens and upload sessions.

    api.py       the calls       sessions.py  what is known of an upload
    fields.py    what they say   form.py      what is to be posted, and the policy for it
    desk.py      every answer    answers.py   JSON and XML
    oauth.py     tokens          errors.py    codes and texts

The bytes go to the store by form POST (`localserver/forms.py`).
"""
