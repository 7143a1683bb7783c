#include "drive/acme_watcher.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "drive/acme_sandbox.h"

#define LOOK_MS 1000

/* A file is read again when any of this has moved; a directory or a link on
 * the way that has been exchanged leads to another file. */
struct trace {
    bool there;
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec modified, changed;
};

struct watched {
    struct trace seen;
    bool looked;
    char value[ACME_THUMBPRINT_LEN + 1]; /* "": none yet */
    char trouble[512];                   /* "" or what the log has been told */
};

struct watcher {
    const struct acme_config *config;
    struct acme_area *area;
    struct acme_host host;
    struct watched file[ACME_THUMBPRINTS_MAX];
};

static struct trace
look_at(const char *path)
{
    struct trace trace;
    struct stat st;

    memset(&trace, 0, sizeof(trace));
    if (stat(path, &st) != 0)
        return trace;
    trace.there = true;
    trace.dev = st.st_dev;
    trace.ino = st.st_ino;
    trace.size = st.st_size;
    trace.modified = st.st_mtim;
    trace.changed = st.st_ctim;
    return trace;
}

static bool
same_time(const struct timespec *one, const struct timespec *other)
{
    return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

static bool
same(const struct trace *one, const struct trace *other)
{
    return one->there == other->there && one->dev == other->dev &&
           one->ino == other->ino && one->size == other->size &&
           same_time(&one->modified, &other->modified) &&
           same_time(&one->changed, &other->changed);
}

static void
take(struct watcher *watcher, size_t i, const char *value)
{
    struct watched *file = &watcher->file[i];

    if (file->looked &&
        (strcmp(file->value, value) != 0 || file->trouble[0] != '\0'))
        acme_log(&watcher->host, ACME_LOG_NOTICE,
            "thumbprint file \"%s\" read again, %s",
            watcher->config->thumbprint[i].file,
            strcmp(file->value, value) != 0 ? "another thumbprint"
                                            : "the same thumbprint");
    memcpy(file->value, value, sizeof(file->value));
    file->trouble[0] = '\0';
    acme_area_put_thumbprint(watcher->area, watcher->config->nissuers + i,
        value);
}

/* Once for each reason: it is looked at every second. */
static void
tell(struct watcher *watcher, size_t i, const struct acme_error *err)
{
    struct watched *file = &watcher->file[i];

    if (strcmp(file->trouble, err->what) == 0)
        return;
    memcpy(file->trouble, err->what, sizeof(file->trouble));
    acme_log(&watcher->host, ACME_LOG_WARN,
        file->value[0] != '\0'
            ? "%s; the one it had before is answered with"
            : "%s; challenges are not answered with it until it can be used",
        err->what);
}

/* One that cannot be used is looked into each time: what is wrong may be a
 * directory's mode. */
static void
look(struct watcher *watcher, size_t i)
{
    const char *path = watcher->config->thumbprint[i].file;
    struct watched *file = &watcher->file[i];
    char value[ACME_THUMBPRINT_LEN + 1];
    struct acme_error err;
    struct trace now;

    if (path == NULL)
        return;
    now = look_at(path);
    if (file->looked && file->trouble[0] == '\0' && same(&now, &file->seen))
        return;
    acme_error_clear(&err);
    if (acme_thumbprint_read(path, value, &err) == ACME_OK)
        take(watcher, i, value);
    else
        tell(watcher, i, &err);
    file->seen = now;
    file->looked = true;
}

/* The end of the pipe says it: who waits finds us without it then. */
static void
tell_ready(struct acme_child *child)
{
    if (child->ready != -1)
        close(child->ready);
    child->ready = -1;
}

void
acme_watcher_process(const struct acme_config *config, struct acme_area *area,
    struct acme_child *child)
{
    struct acme_sandbox_report ignored;
    struct watcher watcher;
    size_t i;

    memset(&watcher, 0, sizeof(watcher));
    watcher.config = config;
    watcher.area = area;
    watcher.host = acme_child_host(child);
    acme_sandbox_process();
    acme_sandbox_watcher(&ignored);
    do {
        for (i = 0; i < config->nthumbprints; i++)
            look(&watcher, i);
        /* Who has a store hears of that instead. */
        if (config->answers_only)
            acme_area_beat(area, watcher.host.now(watcher.host.ctx));
        tell_ready(child);
    } while (watcher.host.wait(watcher.host.ctx, LOOK_MS));
    _exit(ACME_EXIT_STOPPED);
}
