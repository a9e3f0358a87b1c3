"""Opening, reading and hashing the user's files, and noticing that one changes meanwhile.

    file_opener  opens a file by its path below its source, under the setting for links
    opening      compares a file's `fstat` with the scan's, and before and after it is read
    slow_devices  where threads open files, because an open takes long
    mounts       the type of a device's file system
    small        small files: read whole, hashed before the first byte is sent
    large        large files: read and hashed in chunks while they are sent
    digests      files that are hashed ahead, in groups
    hashing      the checksum algorithms
    removal      removes or moves a file that still is the one that was uploaded

Not here: finding files (`scan`), and sending them (`send`).
"""
