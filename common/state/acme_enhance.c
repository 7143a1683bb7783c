#include "state/acme_enhance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "state/acme_words.h"

#define DAY 86400U
#define HSTS_MOST (10 * 365 * DAY)
#define PORT_HTTP 80
#define PORT_HTTPS 443

/* ---- words ------------------------------------------------------------ */

static const char *const redirects[ACME_REDIRECTS] = {
    [ACME_REDIRECT_OFF] = "off",
    [ACME_REDIRECT_TEMPORARY] = "temporary",
    [ACME_REDIRECT_PERMANENT] = "permanent",
};

static const char *const modes[ACME_HSTS_MODES] = {
    [ACME_HSTS_OFF] = "off",
    [ACME_HSTS_FIXED] = "fixed",
    [ACME_HSTS_AUTO] = "auto",
};

/* The number of a word; 0, which is nothing, if it is none of them. */
static unsigned
find(const char *const *words, unsigned n, const char *word)
{
    unsigned i;

    for (i = 1; word != NULL && i < n; i++)
        if (strcasecmp(words[i], word) == 0)
            return i;
    return 0;
}

static enum acme_rc
set_redirect(enum acme_redirect *redirect, const char *const *words,
    size_t nwords, struct acme_error *err)
{
    static const char cure[] = "it must be off, temporary or permanent";
    unsigned number;

    if (nwords != 1)
        return acme_words_count(err, cure);
    number = find(redirects, ACME_REDIRECTS, words[0]);
    if (number == ACME_REDIRECT_UNSAID)
        return acme_words_bad(err, words[0], cure);
    *redirect = (enum acme_redirect)number;
    return ACME_OK;
}

const char *
acme_redirect_word(enum acme_redirect redirect)
{
    return redirects[redirect] != NULL ? redirects[redirect] : "";
}

/* 0 takes back what clients were told. */
static enum acme_rc
parse_age(const char *word, unsigned *age, struct acme_error *err)
{
    char *end;
    unsigned long value = strtoul(word, &end, 10), unit = 1;

    if (*end == 'd')
        unit = DAY;
    if (*end != '\0')
        end += *end == 'd' || *end == 's';
    if (end == word || *end != '\0' || *word < '0' || *word > '9' ||
        value > HSTS_MOST / unit)
        return acme_words_bad(err, word,
            "it must be off, auto, or a time of at most ten years, such as "
            "31536000 or 365d");
    *age = (unsigned)(value * unit);
    return ACME_OK;
}

static enum acme_rc
set_more(struct acme_hsts *hsts, const char *word, struct acme_error *err)
{
    bool *flag = NULL;

    if (strcasecmp(word, "subdomains") == 0)
        flag = &hsts->subdomains;
    else if (strcasecmp(word, "preload") == 0)
        flag = &hsts->preload;
    if (hsts->mode != ACME_HSTS_FIXED || flag == NULL)
        return acme_words_bad(err, word,
            "only \"subdomains\" and \"preload\" may stand behind a time, "
            "and nothing behind off or auto");
    if (*flag)
        return acme_words_bad(err, word, "it is there twice");
    *flag = true;
    return ACME_OK;
}

static enum acme_rc
set_hsts(struct acme_hsts *hsts, const char *const *words, size_t nwords,
    struct acme_error *err)
{
    struct acme_hsts said = { .mode = ACME_HSTS_FIXED };
    enum acme_rc rc = ACME_OK;
    size_t i;

    if (nwords == 0)
        return acme_words_count(err,
            "off, auto, or a time with or without \"subdomains\" and "
            "\"preload\"");
    if (strcasecmp(words[0], "off") == 0)
        said.mode = ACME_HSTS_OFF;
    else if (strcasecmp(words[0], "auto") == 0)
        said.mode = ACME_HSTS_AUTO;
    else
        rc = parse_age(words[0], &said.max_age, err);
    for (i = 1; i < nwords && rc == ACME_OK; i++)
        rc = set_more(&said, words[i], err);
    if (rc == ACME_OK && said.preload &&
        (!said.subdomains || said.max_age < ACME_HSTS_LONG))
        rc = acme_words_bad(err, "preload",
            "the lists of browsers take \"31536000 subdomains preload\" or a "
            "longer time only");
    if (rc == ACME_OK)
        *hsts = said;
    return rc;
}

static enum acme_rc
set_upgrade(enum acme_upgrade *upgrade, const char *const *words,
    size_t nwords, struct acme_error *err)
{
    bool on = false;
    enum acme_rc rc;

    if (nwords != 1)
        return acme_words_count(err, "it must be on or off");
    rc = acme_words_flag(words[0], &on, err);
    if (rc == ACME_OK)
        *upgrade = on ? ACME_UPGRADE_ON : ACME_UPGRADE_OFF;
    return rc;
}

enum acme_rc
acme_enhance_set(struct acme_enhance *enhance, enum acme_enhance_item item,
    const char *const *words, size_t nwords, struct acme_error *err)
{
    switch (item) {
    case ACME_ENHANCE_REDIRECT:
        return set_redirect(&enhance->redirect, words, nwords, err);
    case ACME_ENHANCE_HSTS:
        return set_hsts(&enhance->hsts, words, nwords, err);
    default:
        return set_upgrade(&enhance->upgrade, words, nwords, err);
    }
}

bool
acme_enhance_is_said(const struct acme_enhance *enhance,
    enum acme_enhance_item item)
{
    switch (item) {
    case ACME_ENHANCE_REDIRECT:
        return enhance->redirect != ACME_REDIRECT_UNSAID;
    case ACME_ENHANCE_HSTS:
        return enhance->hsts.mode != ACME_HSTS_UNSAID;
    default:
        return enhance->upgrade != ACME_UPGRADE_UNSAID;
    }
}

void
acme_enhance_merge(struct acme_enhance *narrow,
    const struct acme_enhance *wide)
{
    if (narrow->redirect == ACME_REDIRECT_UNSAID)
        narrow->redirect = wide->redirect;
    if (narrow->hsts.mode == ACME_HSTS_UNSAID)
        narrow->hsts = wide->hsts;
    if (narrow->upgrade == ACME_UPGRADE_UNSAID)
        narrow->upgrade = wide->upgrade;
}

bool
acme_enhance_equal(const struct acme_enhance *a, const struct acme_enhance *b)
{
    return a->redirect == b->redirect && a->hsts.mode == b->hsts.mode &&
           a->hsts.max_age == b->hsts.max_age &&
           a->hsts.subdomains == b->hsts.subdomains &&
           a->hsts.preload == b->hsts.preload && a->upgrade == b->upgrade;
}

/* ---- stored ----------------------------------------------------------- */

struct acme_json *
acme_enhance_render(const struct acme_enhance *enhance)
{
    const struct acme_hsts *hsts = &enhance->hsts;
    struct acme_json *json = acme_json_object();

    if (enhance->redirect != ACME_REDIRECT_UNSAID)
        acme_json_set_str(json, "redirect",
            acme_redirect_word(enhance->redirect));
    if (hsts->mode != ACME_HSTS_UNSAID)
        acme_json_set_str(json, "hsts", modes[hsts->mode]);
    if (hsts->mode == ACME_HSTS_FIXED) {
        acme_json_set_int(json, "max_age", hsts->max_age);
        acme_json_set_bool(json, "subdomains", hsts->subdomains);
        acme_json_set_bool(json, "preload", hsts->preload);
    }
    if (enhance->upgrade != ACME_UPGRADE_UNSAID)
        acme_json_set_bool(json, "uir", enhance->upgrade == ACME_UPGRADE_ON);
    return json;
}

static void
parse_hsts(const struct acme_json *json, struct acme_hsts *hsts)
{
    int64_t age = acme_json_int(json, "max_age", -1);

    hsts->mode = (enum acme_hsts_mode)find(modes, ACME_HSTS_MODES,
        acme_json_str(json, "hsts"));
    if (hsts->mode != ACME_HSTS_FIXED)
        return;
    if (age < 0 || age > (int64_t)HSTS_MOST) {
        hsts->mode = ACME_HSTS_UNSAID;
        return;
    }
    hsts->max_age = (unsigned)age;
    hsts->subdomains = acme_json_bool(json, "subdomains", false);
    hsts->preload = acme_json_bool(json, "preload", false);
}

void
acme_enhance_parse(const struct acme_json *json, struct acme_enhance *enhance)
{
    memset(enhance, 0, sizeof(*enhance));
    if (!acme_json_is_object(json))
        return;
    enhance->redirect = (enum acme_redirect)find(redirects, ACME_REDIRECTS,
        acme_json_str(json, "redirect"));
    parse_hsts(json, &enhance->hsts);
    if (acme_json_bool(json, "uir", false))
        enhance->upgrade = ACME_UPGRADE_ON;
    else if (!acme_json_bool(json, "uir", true))
        enhance->upgrade = ACME_UPGRADE_OFF;
}

/* ---- what comes of it ------------------------------------------------- */

static const unsigned ladder[] = { 60, 300, 900, 3600, 21600, 43200, 86400 };

#define STEPS (sizeof(ladder) / sizeof(ladder[0]))
#define STEP_EVERY ((time_t)48 * 3600)
#define LAST_STEP_AFTER ((time_t)(STEPS - 1) * STEP_EVERY)

unsigned
acme_hsts_auto(time_t since, time_t issued, time_t now)
{
    size_t step;

    if (since <= 0 || now < since)
        return ladder[0];
    if (now - since < LAST_STEP_AFTER) {
        step = (size_t)((now - since) / STEP_EVERY);
        return ladder[step];
    }
    return issued - since >= LAST_STEP_AFTER ? ACME_HSTS_LONG
                                             : ladder[STEPS - 1];
}

time_t
acme_hsts_auto_next(time_t since, time_t now)
{
    if (since <= 0 || now < since || now - since >= LAST_STEP_AFTER)
        return 0;
    return since + ((now - since) / STEP_EVERY + 1) * STEP_EVERY;
}

const char *
acme_hsts_text(const struct acme_hsts *hsts, unsigned max_age,
    char text[ACME_HSTS_TEXT])
{
    (void)snprintf(text, ACME_HSTS_TEXT, "max-age=%u%s%s", max_age,
        hsts->subdomains ? "; includeSubDomains" : "",
        hsts->preload ? "; preload" : "");
    return text;
}

int
acme_redirect_status(enum acme_redirect redirect, bool get)
{
    if (redirect == ACME_REDIRECT_PERMANENT)
        return get ? 301 : 308;
    return get ? 302 : 307;
}

unsigned
acme_redirect_port(int https, unsigned named)
{
    if (https <= 0 || https == PORT_HTTPS || named == 0 || named == PORT_HTTP)
        return 0;
    return (unsigned)https;
}

bool
acme_csp_upgrades(const char *policy, size_t len)
{
    static const char between[] = " \t;,";
    const size_t size = sizeof(ACME_CSP_UPGRADE) - 1;
    size_t i, word;

    for (i = 0; i < len; i += word) {
        for (word = 0; i + word < len && memchr(between, policy[i + word],
                                             sizeof(between) - 1) == NULL;)
            word++;
        if (word == size &&
            strncasecmp(policy + i, ACME_CSP_UPGRADE, size) == 0)
            return true;
        word += word == 0;
    }
    return false;
}
