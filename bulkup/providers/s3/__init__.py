"""S3 and compatible stores, with upload URLs that are signed on this machine.

adapter         the tickets of files
answers         the meaning of errors, where the user owns keys and bucket
calls           the calls about a bucket: multipart uploads, and lists
credentials     keys of the settings, or of botocore's search, and their renewal
endpoint        the host and path of a bucket
existing_objects  files that the bucket has already
object_checksum  the checksum of an object that is made of parts
object_headers  the properties of objects as headers
signing         signature version 4, of URLs and of calls
"""
