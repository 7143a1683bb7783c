/*
 * What acmectl says to people: messages, the lines of the processes that it
 * has started, and the log file, which has both.
 */
#include "acmectl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/acme_log.h"
#include "base/acme_time.h"

#define CTL_LINE_MAX 4096

/* What every message needs, and who fails does not have. */
static int log_fd = -1;
static struct acme_json *failures; /* instead of stderr; or NULL */

/* ---- the log file ----------------------------------------------------- */

/* FILE.(n-1) becomes FILE.n, and FILE the first of them; the one beyond the
 * last goes. */
static void
rotate(const char *path, long backups)
{
    char from[4096], to[4096];
    struct stat st;
    long n = 0;

    while (n < backups) {
        (void)snprintf(to, sizeof(to), "%s.%ld", path, n + 1);
        if (lstat(to, &st) != 0)
            break;
        n++;
    }
    for (n = n < backups ? n : backups - 1; n >= 0; n--) {
        (void)snprintf(from, sizeof(from), n > 0 ? "%s.%ld" : "%s", path, n);
        (void)snprintf(to, sizeof(to), "%s.%ld", path, n + 1);
        (void)rename(from, to);
    }
}

int
ctl_log_open(const char *path, long backups)
{
    struct stat st;

    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return ctl_fail(CTL_FAILED,
            "--log-file \"%s\" is no file; nothing else is written to", path);
    rotate(path, backups);
    log_fd = open(path,
        O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
        0600);
    if (log_fd < 0)
        return ctl_fail(CTL_FAILED, "cannot write to --log-file \"%s\": %s",
            path, strerror(errno));
    return CTL_OK;
}

static void
write_line(const char *word, const char *line)
{
    char whole[CTL_LINE_MAX + 128], stamp[ACME_TIME_TEXT];
    int len;

    if (log_fd < 0)
        return;
    len = snprintf(whole, sizeof(whole), "%s [%ld] %s: %s\n",
        acme_time_format(time(NULL), stamp), (long)getpid(), word, line);
    if (len > 0 && write(log_fd, whole, (size_t)len) < 0)
        (void)fprintf(stderr, "acmectl: cannot write to the log file: %s\n",
            strerror(errno));
}

/* ---- messages --------------------------------------------------------- */

int
ctl_fail(int code, const char *fmt, ...)
{
    char line[CTL_LINE_MAX], clean[CTL_LINE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (failures != NULL)
        acme_json_append_str(failures,
            acme_log_clean(clean, sizeof(clean), line, strlen(line)));
    else
        (void)fprintf(stderr, "acmectl: %s\n", line);
    write_line("acmectl", line);
    return code;
}

void
ctl_fail_into(struct acme_json *list)
{
    failures = list;
}

void
ctl_log(void *ctx, enum acme_level level, const char *line)
{
    const struct ctl *ctl = ctx;

    if (level <= ACME_LOG_WARN || ctl->verbose > 0)
        (void)fprintf(stderr, "acmectl: %s\n", line);
    write_line(acme_level_name(level), line);
}
