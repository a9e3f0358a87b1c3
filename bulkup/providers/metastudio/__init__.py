"""The adapter of Huawei MetaStudio (docs/contracts.md section 3).

adapter        the calls: create and complete a file
answers        the meaning of errors
asset_targets  the asset and category of a file
auth           key pair, token or IAM user
signature      signs calls with `SDK-HMAC-SHA256`
"""
