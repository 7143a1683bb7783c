/*
 * Preloaded ahead of the sanitizers' runtimes where `make asan` runs servers:
 * whatever they print, in whatever process, is found in the file that
 * ASAN_OPTIONS has as log_path.  By themselves they cannot do that here: two
 * runtimes share one set of symbols, so that UBSan's reports never reach a
 * log_path, and store and engine can open no file in their sandbox.
 *
 * The file is mapped when the program starts: that outlives fork(), closed
 * descriptors, another user and the sandbox.  Without a log_path this does
 * nothing, and reports go where standard error goes.
 */
#define _GNU_SOURCE

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX (1u << 20)

struct shared {
    uint32_t used;
    char newline;
    char text[TEXT_MAX];
};

void __sanitizer_on_print(const char *text);
void __sanitizer_set_report_path(const char *path);

static struct shared *shared;

__attribute__((constructor)) static void
map_report(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    const char *value = options != NULL ? strstr(options, "log_path=") : NULL;
    char path[4096];
    size_t len;
    void *map;
    int fd;

    if (value == NULL)
        return;
    value += strlen("log_path=");
    len = strcspn(value, ":");
    if (len == 0 || len >= sizeof(path))
        return;
    memcpy(path, value, len);
    path[len] = '\0';
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd == -1)
        return;
    (void)fchmod(fd, 0666);
    if (ftruncate(fd, sizeof(struct shared)) == 0) {
        map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
            MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) {
            shared = map;
            shared->newline = '\n';
        }
    }
    close(fd);
}

/* The runtimes call this with all that they print. */
void
__sanitizer_on_print(const char *text)
{
    size_t len = strlen(text);
    uint32_t at;

    if (shared == NULL || len >= TEXT_MAX)
        return;
    at = __atomic_fetch_add(&shared->used, (uint32_t)len, __ATOMIC_SEQ_CST);
    if (at < TEXT_MAX - len)
        memcpy(shared->text + at, text, len);
}

/* In place of theirs: no path, so nobody tries to open one and dies of it. */
void
__sanitizer_set_report_path(const char *path)
{
    (void)path;
}
