/*
 * A request for the status, and what there is to be told: the first line is an
 * Accept field, the second the arguments, the third a path, and the rest the
 * text of a lineage.  Whatever they are, an answer comes, header fields are
 * lines, and no markup in it is theirs.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "fuzz.h"
#include "state/acme_status_query.h"

const unsigned fuzz_replay_step = 2;

static struct acme_config *config;
static struct acme_area *area;

static void
set_up(void)
{
    static const char *const name = "a.test";
    const struct acme_issuer issuer = { .name = "ca",
        .directory = "https://ca.test/dir",
        .verify = true,
        .key_type = ACME_KEY_ECDSA_256 };
    const struct acme_lineage lineage = { .names = &name,
        .nnames = 1,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    struct acme_error err;
    size_t i;

    acme_error_clear(&err);
    config = acme_config_new("/state", "nginx", "/etc/nginx/nginx.conf");
    FUZZ_CHECK(config != NULL);
    FUZZ_CHECK(acme_config_add_issuer(config, &issuer, &i, &err) == ACME_OK);
    FUZZ_CHECK(acme_config_add_lineage(config, &lineage, &i, &err) == ACME_OK);
    FUZZ_CHECK(acme_config_finish(config, &err) == ACME_OK);
    FUZZ_CHECK(acme_area_new(1, 1, &area, &err) == ACME_OK);
}

static size_t
times(const char *text, const char *part)
{
    size_t n = 0;

    while ((text = strstr(text, part)) != NULL) {
        text++;
        n++;
    }
    return n;
}

/* Elements, their ends, and the one script. */
static void
check_html(const char *text)
{
    const char *at = text;

    FUZZ_CHECK(times(text, "<script") <= 1);
    FUZZ_CHECK(times(text, "href=\"javascript") == 0);
    while ((at = strchr(at, '<')) != NULL) {
        at++;
        FUZZ_CHECK((*at >= 'a' && *at <= 'z') || *at == '/' || *at == '!');
    }
}

/* Each line is a comment or a sample of ours. */
static void
check_metrics(const char *text)
{
    for (; *text != '\0'; text = strchr(text, '\n') + 1) {
        FUZZ_CHECK(
            strncmp(text, "# ", 2) == 0 || strncmp(text, "acme_", 5) == 0);
        FUZZ_CHECK(strchr(text, '\n') != NULL);
    }
}

static void
check_fields(const struct acme_status_reply *reply)
{
    size_t i;

    FUZZ_CHECK(reply->nfields < ACME_STATUS_FIELDS_MAX);
    for (i = 0; i < reply->nfields; i++) {
        const char *c = reply->field[i].value;

        for (; *c != '\0'; c++)
            FUZZ_CHECK(*c >= ' ' && *c <= '~');
    }
}

static void
ask(struct acme_status_query *query, const char *method)
{
    static const struct acme_status_policy policy = { ACME_STATUS_ADMIN, 0,
        NULL };
    struct acme_status_reply reply;
    struct acme_buf body;

    query->method = method;
    acme_status_answer(config, area, &policy, query, &reply, &body);
    FUZZ_CHECK(acme_buf_ok(&body));
    FUZZ_CHECK(reply.status >= 200 && reply.status <= 503);
    check_fields(&reply);
    if (strncmp(reply.type, "text/html", 9) == 0)
        check_html(acme_buf_str(&body));
    if (reply.status == 200 && strstr(reply.type, "version=") != NULL)
        check_metrics(acme_buf_str(&body));
    acme_buf_clear(&body);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sockaddr_in client = { .sin_family = AF_INET };
    struct fuzz_input in = { data, size };
    char *accept = fuzz_line_text(&in), *args = fuzz_line_text(&in);
    char *path = fuzz_line_text(&in);
    struct acme_status_query query = { .host = "localhost",
        .client = (struct sockaddr *)&client,
        .accept = accept,
        .args = args,
        .path = path,
        .admin = "1" };
    struct acme_error ignored;

    if (area == NULL)
        set_up();
    acme_error_clear(&ignored);
    client.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)acme_area_put_status(area, 0, in.at, in.left, &ignored);
    ask(&query, "GET");
    ask(&query, "POST");
    free(path);
    free(args);
    free(accept);
    FUZZ_CHECK_QUEUE();
    return 0;
}
