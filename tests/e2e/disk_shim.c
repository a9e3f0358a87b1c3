/* A library for LD_PRELOAD that logs the file operations of a process, and makes some of them fail.
 *
 * Operations on paths below DISK_UNDER (absolute prefixes, separated by `:`) are appended to the file DISK_LOG, and so is
 * standard output. From that log disk_world.py rebuilds the disk as a power cut would leave it.
 *
 * DISK_FAIL has rules `operation,part,skip,count,errno`, separated by `;`. After `skip` operations on a path with `part`,
 * the next `count` fail (-1: all). disk_fail() sets other rules later, and disk_failures() returns the number of failures.
 *
 * A write is logged before it is executed, and a flush afterwards. Data that the log shows as flushed is therefore on the disk.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FDS = 4096, RULES = 8 };
enum { CREATE = 1, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MKDIR, PRINT, MAPPED };

struct record {
    uint32_t op, pid;
    uint64_t inode;
    int64_t offset;
    uint32_t path_length, data_length;
};

struct rule {
    char op[16], part[256];
    long skip, count;
    int error;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *paths[FDS];
static uint64_t inodes[FDS];
static int log_fd = -1;
static char *under;
static struct rule rules[RULES];
static int rule_count;
static long failures;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

typedef long system_call(long, ...);

static system_call *real_syscall(void) {
    static system_call *real;
    if (!real) real = (system_call *)dlsym(RTLD_NEXT, "syscall");
    return real;
}
#define raw(...) real_syscall()(__VA_ARGS__)

void disk_fail(const char *text) {
    pthread_mutex_lock(&lock);
    rule_count = 0;
    failures = 0;
    char *copy = strdup(text ? text : ""), *rest = copy, *one;
    while (rule_count < RULES && (one = strsep(&rest, ";")) != NULL) {
        struct rule *rule = &rules[rule_count];
        if (sscanf(one, "%15[^,],%255[^,],%ld,%ld,%d", rule->op, rule->part, &rule->skip, &rule->count, &rule->error) == 5)
            rule_count++;
    }
    free(copy);
    pthread_mutex_unlock(&lock);
}

/* Returns how many operations have failed since the rules were set. */
long disk_failures(void) { return failures; }

__attribute__((constructor)) static void begin(void) {
    under = getenv("DISK_UNDER");
    disk_fail(getenv("DISK_FAIL"));
    const char *name = getenv("DISK_LOG");
    if (name) log_fd = (int)raw(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (name && log_fd < 0) abort();
}

static int watched(const char *path) {
    if (log_fd < 0 || !under || !path) return 0;
    for (const char *at = under; *at;) {
        size_t length = strcspn(at, ":");
        if (length && strncmp(path, at, length) == 0 && (path[length] == 0 || path[length] == '/')) return 1;
        at += length + (at[length] == ':');
    }
    return 0;
}

static void note(uint32_t op, uint64_t inode, int64_t offset, const char *path, const void *data, size_t length) {
    struct record head = {op, (uint32_t)getpid(), inode, offset, (uint32_t)strlen(path), (uint32_t)length};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)path, head.path_length}, {(void *)data, length}};
    if (raw(SYS_writev, log_fd, parts, 3) != (long)(sizeof head + head.path_length + length)) abort();
}

/* Returns the errno to fail with, 0 for none. */
static int fails(const char *op, const char *path) {
    int error = 0;
    if (!path || !rule_count) return 0;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < rule_count && !error; i++) {
        struct rule *rule = &rules[i];
        if (strcmp(rule->op, op) || !strstr(path, rule->part)) continue;
        if (rule->skip > 0) rule->skip--;
        else if (rule->count != 0) {
            if (rule->count > 0) rule->count--;
            error = rule->error;
            failures++;
        }
    }
    pthread_mutex_unlock(&lock);
    return error;
}

#define FAIL(op, path, result) \
    do { int error_ = fails(op, path); if (error_) { errno = error_; return result; } } while (0)

static const char *path_of(int fd) { return fd >= 0 && fd < FDS ? paths[fd] : NULL; }

static uint64_t inode_of_path(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 ? status.st_ino : 0;
}

static int opened(int fd, const char *path, int existed) {
    if (fd < 0 || fd >= FDS) return fd;
    struct stat status;
    fstat(fd, &status);
    free(paths[fd]);
    paths[fd] = strdup(path);
    inodes[fd] = status.st_ino;
    if (!existed && watched(path)) note(CREATE, status.st_ino, 0, path, "", 0);
    return fd;
}

/* Writes the path of an open folder, and returns its length, 0 if it is unknown. */
static size_t path_of_folder(int folder, char *path, size_t room) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, path, room - 1);
    path[length > 0 ? length : 0] = 0;
    return length > 0 ? (size_t)length : 0;
}

/* Opens a path below an open folder: how is NULL for openat, and otherwise the argument of openat2. */
static int open_below(int folder, const char *path, int flags, mode_t mode, void *how, size_t size) {
    char full[8192];
    size_t length = path_of_folder(folder, full, 4096);
    snprintf(full + length, sizeof full - length, "/%s", path);
    FAIL("open", full, -1);
    pthread_mutex_lock(&lock);
    int fd = (int)(how ? raw(SYS_openat2, folder, path, how, size) : raw(SYS_openat, folder, path, flags, mode));
    int error = errno;
    opened(fd, full, 1);
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

static int open_at(int folder, const char *path, int flags, mode_t mode) {
    if (folder != AT_FDCWD && path[0] != '/') return open_below(folder, path, flags, mode, NULL, 0);
    FAIL("open", path, -1);
    pthread_mutex_lock(&lock);
    int existed = !(flags & O_CREAT) || inode_of_path(path) != 0;
    int fd = (int)raw(SYS_openat, folder, path, flags, mode);
    int error = errno;
    if (fd >= 0 && existed && (flags & O_TRUNC) && watched(path)) note(TRUNCATE, inode_of_path(path), 0, path, "", 0);
    opened(fd, path, existed);
    pthread_mutex_unlock(&lock);
    errno = error;
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, flags); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE(flags) return open_at(folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) {
    MODE(flags) return open_at(folder, path, flags | O_LARGEFILE, mode);
}

long syscall(long number, ...) {
    long at[6];
    va_list more;
    va_start(more, number);
    for (int i = 0; i < 6; i++) at[i] = va_arg(more, long);
    va_end(more);
    if (number == SYS_openat2) return open_below((int)at[0], (const char *)at[1], 0, 0, (void *)at[2], (size_t)at[3]);
    return raw(number, at[0], at[1], at[2], at[3], at[4], at[5]);
}

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FDS && paths[fd]) {
        pthread_mutex_lock(&lock);
        free(paths[fd]);
        paths[fd] = NULL;
        pthread_mutex_unlock(&lock);
    }
    return real(fd);
}

static ssize_t write_at(int fd, const void *data, size_t length, off64_t offset, int has_offset) {
    const char *path = path_of(fd);
    int error = fails("write", path);
    if (error) {
        /* A full disk still takes the part that fits. */
        if (error == ENOSPC && length > 1 && has_offset && path && watched(path)) {
            note(WRITE, inodes[fd], offset, path, data, length / 2);
            (void)!raw(SYS_pwrite64, fd, data, length / 2, offset);
        }
        errno = error;
        return -1;
    }
    if (fd == 1 && log_fd >= 0) {
        pthread_mutex_lock(&lock);
        note(PRINT, 0, 0, "", data, length);
        pthread_mutex_unlock(&lock);
    }
    if (!watched(path)) return has_offset ? raw(SYS_pwrite64, fd, data, length, offset) : raw(SYS_write, fd, data, length);
    pthread_mutex_lock(&lock);
    off64_t at = has_offset ? offset : lseek64(fd, 0, fcntl(fd, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
    note(WRITE, inodes[fd], at, path, data, length);
    ssize_t done = has_offset ? raw(SYS_pwrite64, fd, data, length, offset) : raw(SYS_write, fd, data, length);
    error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *data, size_t length) { return write_at(fd, data, length, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return write_at(fd, data, length, at, 1); }
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t at) { return write_at(fd, data, length, at, 1); }

static int truncate_to(int fd, off64_t size) {
    const char *path = path_of(fd);
    FAIL("truncate", path, -1);
    pthread_mutex_lock(&lock);
    if (watched(path)) note(TRUNCATE, inodes[fd], size, path, "", 0);
    int done = (int)raw(SYS_ftruncate, fd, size), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int ftruncate(int fd, off_t size) { return truncate_to(fd, size); }
int ftruncate64(int fd, off64_t size) { return truncate_to(fd, size); }

static int flush(int fd, long call) {
    const char *path = path_of(fd);
    FAIL("sync", path, -1);
    pthread_mutex_lock(&lock);
    int done = (int)syscall(call, fd), error = errno;
    if (done == 0 && watched(path)) note(SYNC, inodes[fd], 0, path, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int fsync(int fd) { return flush(fd, SYS_fsync); }
int fdatasync(int fd) { return flush(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
    REAL(rename);
    FAIL("rename", to, -1);
    pthread_mutex_lock(&lock);
    int done = real(from, to), error = errno;
    if (done == 0 && (watched(from) || watched(to))) note(RENAME, inode_of_path(to), 0, from, to, strlen(to));
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int unlink(const char *path) {
    REAL(unlink);
    FAIL("unlink", path, -1);
    pthread_mutex_lock(&lock);
    if (watched(path)) note(UNLINK, inode_of_path(path), 0, path, "", 0);
    int done = real(path), error = errno;
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    FAIL("mkdir", path, -1);
    pthread_mutex_lock(&lock);
    int done = real(path, mode), error = errno;
    if (done == 0 && watched(path)) note(MKDIR, inode_of_path(path), 0, path, "", 0);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

/* Writes through a mapping cannot be logged. SQLite writes its index (-shm) that way, and rebuilds it after a cut. */
void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    REAL(mmap64);
    const char *path = path_of(fd);
    if (watched(path) && (flags & MAP_SHARED) && (protection & PROT_WRITE)) note(MAPPED, inodes[fd], 0, path, "", 0);
    return real(at, length, protection, flags, fd, offset);
}
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return mmap64(at, length, protection, flags, fd, offset);
}

ssize_t read(int fd, void *data, size_t length) {
    FAIL("read", path_of(fd), -1);
    return raw(SYS_read, fd, data, length);
}
ssize_t preadv2(int fd, const struct iovec *parts, int count, off_t at, int flags) {
    REAL(preadv2);
    FAIL("read", path_of(fd), -1);
    return real(fd, parts, count, at, flags);
}
ssize_t preadv64v2(int fd, const struct iovec *parts, int count, off64_t at, int flags) {
    REAL(preadv64v2);
    FAIL("read", path_of(fd), -1);
    return real(fd, parts, count, at, flags);
}
ssize_t pread64(int fd, void *data, size_t length, off64_t at) {
    FAIL("read", path_of(fd), -1);
    return raw(SYS_pread64, fd, data, length, at);
}

DIR *fdopendir(int fd) {
    REAL(fdopendir);
    char path[4096];
    path_of_folder(fd, path, sizeof path);
    FAIL("opendir", path, NULL);
    opened(fd, path, 1);
    return real(fd);
}
DIR *opendir(const char *path) {
    REAL(opendir);
    FAIL("opendir", path, NULL);
    DIR *folder = real(path);
    if (folder) opened(dirfd(folder), path, 1);
    return folder;
}
int closedir(DIR *folder) {
    REAL(closedir);
    int fd = dirfd(folder);
    if (fd >= 0 && fd < FDS) {
        free(paths[fd]);
        paths[fd] = NULL;
    }
    return real(folder);
}
struct dirent64 *readdir64(DIR *folder) {
    REAL(readdir64);
    FAIL("readdir", path_of(dirfd(folder)), NULL);
    return real(folder);
}
