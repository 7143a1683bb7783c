/*
 * The small parsers of text, all on one input: names, hosts, URLs, times,
 * base64url, key types, and what is made printable for logs.  What they
 * accept is in canonical form: given to them again, it comes out as it is.
 */
#include "base/acme_base64.h"
#include "base/acme_log.h"
#include "base/acme_name.h"
#include "base/acme_time.h"
#include "fuzz.h"
#include "protocol/acme_order.h"
#include "state/acme_issue.h"
#include "state/acme_zone.h"
#include "wrap/acme_idn.h"
#include "wrap/acme_key.h"
#include "wrap/acme_url.h"

static void
try_names(const char *text, size_t len)
{
    char name[ACME_NAME_MAX + 1], again[ACME_NAME_MAX + 1];
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_name_parse(text, len, name, &err) == ACME_OK) {
        FUZZ_CHECK(
            acme_name_parse(name, strlen(name), again, &err) == ACME_OK);
        FUZZ_CHECK(strcmp(name, again) == 0);
        FUZZ_CHECK(acme_name_covers(name, name));
        (void)acme_name_is_ip(name);
        (void)acme_name_covers(name, "www.example.com");
        (void)acme_name_covers("*.example.com", name);
    } else {
        FUZZ_CHECK(err.rc == ACME_CONFIG && err.what[0] != '\0');
    }
    if (acme_name_from_host(text, len, name)) {
        acme_error_clear(&err);
        FUZZ_CHECK(!acme_name_is_wildcard(name));
        FUZZ_CHECK(
            acme_name_parse(name, strlen(name), again, &err) == ACME_OK);
        FUZZ_CHECK(strcmp(name, again) == 0);
    }
}

static void
try_idn(const char *text, size_t len)
{
    char name[ACME_NAME_MAX + 1], again[ACME_NAME_MAX + 1];
    char shown[ACME_IDN_TEXT_MAX + 1];
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_idn_parse(text, len, name, &err) != ACME_OK) {
        FUZZ_CHECK(err.rc == ACME_CONFIG && err.what[0] != '\0');
        return;
    }
    FUZZ_CHECK(acme_name_parse(name, strlen(name), again, &err) == ACME_OK);
    FUZZ_CHECK(strcmp(name, again) == 0);
    if (acme_idn_show(name, shown))
        FUZZ_CHECK(strlen(shown) <= ACME_IDN_TEXT_MAX);
}

static void
try_base64(const char *text, size_t len)
{
    struct acme_buf bytes, back;
    struct acme_error err;

    acme_error_clear(&err);
    acme_buf_init(&bytes, len + 4);
    acme_buf_init(&back, len + 4);
    if (acme_base64_decode(&bytes, text, len, &err) == ACME_OK) {
        acme_base64_encode(&back, bytes.data, bytes.len);
        FUZZ_CHECK(acme_buf_ok(&bytes) && acme_buf_ok(&back));
        FUZZ_CHECK(back.len == len &&
                   (len == 0 || memcmp(back.data, text, len) == 0));
    }
    if (acme_token_ok(text, len))
        FUZZ_CHECK(acme_base64_is(text, len) && len <= ACME_TOKEN_MAX);
    acme_buf_clear(&bytes);
    acme_buf_clear(&back);
}

static void
try_clean(const char *text, size_t len)
{
    char line[ACME_LOG_LINE_MAX], short_line[9];
    const char *at;

    acme_log_clean(short_line, sizeof(short_line), text, len);
    FUZZ_CHECK(strlen(short_line) < sizeof(short_line));
    acme_log_clean(line, sizeof(line), text, len);
    for (at = line; *at != '\0'; at++)
        FUZZ_CHECK((unsigned char)*at >= ' ' && *at != 0x7f);
}

static void
try_url(const char *text)
{
    char resolved[ACME_URL_MAX];
    struct acme_url url;
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_url_parse(text, ACME_WIRE, &url, &err) == ACME_OK) {
        FUZZ_CHECK(strncmp(url.origin, "https://", 8) == 0);
        FUZZ_CHECK(url.host[0] != '\0' && url.path[0] == '/');
    }
    acme_error_clear(&err);
    if (acme_url_resolve("https://ca.test/a/b", text, resolved, &err) ==
        ACME_OK)
        FUZZ_CHECK(acme_url_parse(resolved, ACME_WIRE, &url, &err) == ACME_OK);
}

static void
try_time(const char *text)
{
    char first[ACME_TIME_TEXT];
    time_t t = 0, again = -1;

    if (!acme_time_parse(text, &t))
        return;
    FUZZ_CHECK(acme_time_parse(acme_time_format(t, first), &again));
    FUZZ_CHECK(t == again);
}

/* Anybody's TXT record is judged; what is given out stays one line. */
static void
try_record(const char *text, size_t len)
{
    const struct acme_persist persist = { "ca.test", "https://ca.test/1", true,
        0 };
    struct acme_issue issue;
    struct acme_buf line;
    size_t i;

    if (acme_issue_parse(text, len, &issue))
        for (i = 0; i < issue.nparams; i++)
            FUZZ_CHECK(issue.param[i].tag.len > 0 &&
                       issue.param[i].value.at + issue.param[i].value.len <=
                           text + len);
    FUZZ_CHECK(
        acme_persist_judge(text, len, &persist, 1) <= ACME_PERSIST_GOOD);
    acme_buf_init(&line, 5 * len + 64);
    acme_zone_txt(&line, "a.test", 1, text, len);
    FUZZ_CHECK(acme_buf_ok(&line));
    for (i = 0; i < line.len; i++)
        FUZZ_CHECK(line.data[i] >= ' ' && line.data[i] < 0x7f);
    acme_buf_clear(&line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    enum acme_key_type type = ACME_KEY_NONE;
    struct acme_error err;

    try_idn((const char *)data, size);
    try_names((const char *)data, size);
    try_base64((const char *)data, size);
    try_clean((const char *)data, size);
    try_record((const char *)data, size);
    try_url(text);
    try_time(text);
    acme_error_clear(&err);
    if (acme_key_type_parse(text, &type, &err) == ACME_OK)
        FUZZ_CHECK(type != ACME_KEY_NONE);
    acme_error_clear(&err);
    (void)acme_lineage_name_check(text, &err);
    (void)acme_status_parse(text);
    FUZZ_CHECK_QUEUE();
    free(text);
    return 0;
}
