/*
 * A stranger's request at the challenge path: the first line is the Host
 * header, what follows is the path.  The answer is the token and one of our
 * thumbprints, or none.
 */
#include "drive/acme_challenge.h"
#include "fuzz.h"

#define PRINT_0 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define PRINT_1 "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static const struct acme_config *
good_config(void)
{
    static const char *const names[] = { "a.test", "192.0.2.1" };
    static struct acme_config *config;
    const struct acme_issuer issuer = { .name = "ca",
        .directory = "https://ca.test/dir",
        .key_type = ACME_KEY_ECDSA_256,
        .verify = true };
    const struct acme_lineage lineage = { .nnames = 2,
        .names = names,
        .ntypes = 1,
        .type = { ACME_KEY_ECDSA_256 } };
    const struct acme_thumbprint thumbprint = { PRINT_1, NULL };
    struct acme_error err;
    size_t index;

    if (config != NULL)
        return config;
    acme_error_clear(&err);
    config = acme_config_new("/nowhere", "nginx", "/etc/nginx/nginx.conf");
    FUZZ_CHECK(config != NULL);
    FUZZ_CHECK(
        acme_config_add_issuer(config, &issuer, &index, &err) == ACME_OK);
    FUZZ_CHECK(
        acme_config_add_lineage(config, &lineage, &index, &err) == ACME_OK);
    FUZZ_CHECK(acme_config_add_thumbprint(config, &thumbprint, &index, &err) ==
               ACME_OK);
    FUZZ_CHECK(acme_config_finish(config, &err) == ACME_OK);
    return config;
}

static const struct acme_area *
good_area(void)
{
    static struct acme_area *area;
    const struct acme_area_token token = { .name = "b.test",
        .token = "pending",
        .thumbprint = PRINT_1 };
    struct acme_error err;

    if (area != NULL)
        return area;
    acme_error_clear(&err);
    FUZZ_CHECK(acme_area_new(1, 1, &area, &err) == ACME_OK);
    acme_area_put_thumbprint(area, 0, PRINT_0);
    acme_area_put_tokens(area, &token, 1);
    return area;
}

static void
check_answer(const char *answer, const struct fuzz_input *path)
{
    const size_t prefix = strlen(ACME_CHALLENGE_PATH);
    size_t len;

    FUZZ_CHECK(path->left > prefix);
    len = path->left - prefix;
    FUZZ_CHECK(len <= ACME_TOKEN_MAX);
    FUZZ_CHECK(strlen(answer) == len + 1 + ACME_THUMBPRINT_LEN);
    FUZZ_CHECK(memcmp(answer, path->at + prefix, len) == 0);
    FUZZ_CHECK(strcmp(answer + len, "." PRINT_0) == 0 ||
               strcmp(answer + len, "." PRINT_1) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct acme_answering how[] = {
        { ACME_ANSWERS_ON, -1, -1 },
        { ACME_ANSWERS_PENDING, -1, -1 },
        { ACME_ANSWERS_ANY, 0, -1 },
        { ACME_ANSWERS_ON, -1, 0 },
        { ACME_ANSWERS_OFF, 0, 0 },
    };
    char answer[ACME_KEY_AUTHORIZATION_MAX + 1];
    struct fuzz_input path = { data, size }, host = fuzz_line(&path);
    bool answered[sizeof(how) / sizeof(how[0])];
    size_t i;

    for (i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
        answered[i] = acme_challenge_answer(good_config(), good_area(),
            &how[i], (const char *)host.at, host.left, (const char *)path.at,
            path.left, answer);
        if (answered[i])
            check_answer(answer, &path);
    }
    FUZZ_CHECK(!answered[4]);
    FUZZ_CHECK(answered[0] || !answered[1]); /* each has more than the last */
    FUZZ_CHECK(answered[2] || !answered[0]);
    FUZZ_CHECK(answered[2] == answered[3]);
    return 0;
}
