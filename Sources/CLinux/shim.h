// What Swift's module of the C library leaves out: system calls declared only under _GNU_SOURCE, malloc's settings, and what the kernel
// says of its clock.
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#ifdef __linux__
#include <linux/falloc.h>
#include <malloc.h>
#include <sys/timex.h>
#include <sys/types.h>
#include <sys/uio.h>

#define CLINUX_SYNC_FILE_RANGE_WRITE 2u

int fallocate(int descriptor, int mode, off_t offset, off_t length);
int sync_file_range(int descriptor, off_t offset, off_t length, unsigned int flags);
ssize_t preadv2(int descriptor, const struct iovec *parts, int count, off_t offset, int flags);

#define CLINUX_RWF_NOWAIT 0x8
#endif

#endif
