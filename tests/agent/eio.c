/* Preloaded into the agent by reads.rs: the N-th read of a file below EIO_BELOW fails, as a bad sector
   makes it. N is EIO_AT; that it came to it shows EIO_MARK. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_long reads;

static int fails(int fd) {
    const char *below = getenv("EIO_BELOW"), *at = getenv("EIO_AT"), *mark = getenv("EIO_MARK");
    char link[64], path[4096];
    if (!below || !at || !mark) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    if (strncmp(path, below, strlen(below))) return 0;
    if (atomic_fetch_add(&reads, 1) + 1 != atol(at)) return 0;
    close(open(mark, O_CREAT | O_WRONLY, 0600));
    return 1;
}

ssize_t read(int fd, void *to, size_t most) {
    static ssize_t (*real)(int, void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "read");
    if (fails(fd)) { errno = EIO; return -1; }
    return real(fd, to, most);
}

ssize_t pread64(int fd, void *to, size_t most, off64_t at) {
    static ssize_t (*real)(int, void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pread64");
    if (fails(fd)) { errno = EIO; return -1; }
    return real(fd, to, most, at);
}
