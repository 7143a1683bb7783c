#include "fake_host.h"

#include <string.h>

#include "base/acme_log.h"

static void
take_line(void *ctx, enum acme_level level, const char *line)
{
    struct fake_host *fake = ctx;

    fake->nlines++;
    acme_buf_add_str(&fake->lines, acme_level_name(level));
    acme_buf_add_str(&fake->lines, ": ");
    acme_buf_add_str(&fake->lines, line);
    acme_buf_add_str(&fake->lines, "\n");
}

static time_t
tell_time(void *ctx)
{
    struct fake_host *fake = ctx;

    return fake->now;
}

static bool
pass_time(void *ctx, unsigned ms)
{
    struct fake_host *fake = ctx;

    if (ms == 0) {
        fake->asks++;
        return !fake->stopping;
    }
    if (fake->stop_after >= 0 && fake->waits >= (unsigned)fake->stop_after)
        fake->stopping = true;
    if (fake->stopping)
        return false;
    fake->waits++;
    fake->waited_ms += ms;
    fake->now += (time_t)((fake->ms + ms) / 1000);
    fake->ms = (fake->ms + ms) % 1000;
    return true;
}

void
fake_host_init(struct fake_host *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->host.ctx = fake;
    fake->host.log = take_line;
    fake->host.now = tell_time;
    fake->host.wait = pass_time;
    fake->now = FAKE_NOW;
    fake->stop_after = -1;
    acme_buf_init(&fake->lines, (size_t)1 << 24);
}

void
fake_host_clear(struct fake_host *fake)
{
    acme_buf_clear(&fake->lines);
}

void
fake_host_pass(struct fake_host *fake, time_t seconds)
{
    fake->now += seconds;
}

const char *
fake_host_lines(const struct fake_host *fake)
{
    return acme_buf_str(&fake->lines);
}

bool
fake_host_logged(const struct fake_host *fake, const char *text)
{
    return strstr(fake_host_lines(fake), text) != NULL;
}

void
fake_host_forget(struct fake_host *fake)
{
    acme_buf_reset(&fake->lines);
    fake->nlines = 0;
}
