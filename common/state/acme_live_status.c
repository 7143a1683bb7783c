#include "state/acme_live_status.h"

#define ALONE "{\"schema\":1}"

static void
cut(struct acme_buf *out, size_t len)
{
    out->len = len;
    out->data[len] = '\0';
}

bool
acme_live_status(const struct acme_area *area, size_t lineage,
    struct acme_buf *out)
{
    return acme_area_status(area, lineage, out);
}

/* The server's object, to be gone on with. */
static void
add_server(const struct acme_area *area, struct acme_buf *out)
{
    size_t before = out->len;

    if (!acme_area_status(area, ACME_AREA_SERVER, out))
        acme_buf_add_str(out, ALONE);
    if (acme_buf_ok(out) && out->data[out->len - 1] != '}') {
        cut(out, before);
        acme_buf_add_str(out, ALONE);
    }
    if (acme_buf_ok(out))
        cut(out, out->len - 1);
}

bool
acme_live_status_all(const struct acme_area *area, size_t nlineages,
    struct acme_buf *out)
{
    size_t i, before, omitted = 0;
    bool first = true;

    add_server(area, out);
    acme_buf_add_str(out, ",\"lineages\":[");
    for (i = 0; i < nlineages && acme_buf_ok(out); i++) {
        before = out->len;
        if (!first)
            acme_buf_add_str(out, ",");
        if (acme_area_status(area, i, out)) {
            first = false;
        } else if (acme_buf_ok(out)) {
            cut(out, before);
            omitted++;
        }
    }
    acme_buf_add_str(out, "]");
    if (omitted > 0)
        acme_buf_addf(out, ",\"lineages_omitted\":%zu", omitted);
    acme_buf_add_str(out, "}");
    return acme_buf_ok(out);
}
