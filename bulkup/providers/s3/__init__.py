"""S3 and compatible stores, with upload URLs that are signed on this machine.

adapter         the tickets of files
answers         the meaning of errors, where the user owns keys and bucket
credentials     keys of the settings, or of botocore's search, and their renewal
endpoint        the host and path of a bucket
object_headers  the properties of objects as headers
signing         signature version 4, of URLs and of calls
"""
