// What Swift's module of the C library leaves out: system calls declared only under _GNU_SOURCE, malloc's settings, and what the kernel
// says of its clock.
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#ifdef __linux__
#include <errno.h>
#include <linux/falloc.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define CLINUX_SYNC_FILE_RANGE_WRITE 2u

int fallocate(int descriptor, int mode, off_t offset, off_t length);
int sync_file_range(int descriptor, off_t offset, off_t length, unsigned int flags);
ssize_t preadv2(int descriptor, const struct iovec *parts, int count, off_t offset, int flags);

#define CLINUX_RWF_NOWAIT 0x8

// Pages of a range that are in memory, by cachestat, which Linux has since 6.5 under this number everywhere; -1 where it cannot say.
static inline long clinux_cached_pages(int descriptor, unsigned long long offset, unsigned long long length) {
    struct { unsigned long long offset, length; } range = {offset, length};
    struct { unsigned long long cached, dirty, writeback, evicted, recently_evicted; } pages = {0, 0, 0, 0, 0};
    if (syscall(451, descriptor, &range, &pages, 0) != 0) return -1;
    return (long)pages.cached;
}
#endif

#endif
