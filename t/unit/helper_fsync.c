/*
 * Unit tests lose nothing in a power failure: they do not wait for the disk,
 * which took nine tenths of their time.  Linked into every one of them, this
 * is called instead of the C library's.
 */
#include <unistd.h>

int
fsync(int fd)
{
    (void)fd;
    return 0;
}
