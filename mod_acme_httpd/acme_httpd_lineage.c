/*
 * Issuers and lineages out of the directives: what the core is asked for, and
 * which virtual host serves what.  Names are looked up in hashes: domains are
 * never compared with every virtual host.
 */
#include "mod_acme_httpd.h"

#include <apr_uri.h>
#include <mpm_common.h>
#include <stdarg.h>

APLOG_USE_MODULE(acme_httpd);

/* mod_md's default, below ServerRoot. */
#define MD_STORE "md"

struct build {
    struct acme_httpd_conf *conf;
    apr_pool_t *pool;    /* temporary */
    apr_hash_t *owner;   /* name -> domain */
    apr_hash_t *below;   /* ".example.com" -> domain, or `several` */
    apr_hash_t *written; /* place of a virtual host -> struct written */
    bool certificate;    /* an SSLCertificateFile for all */
    bool stapling;       /* SSLUseStapling for all */
    bool startup;        /* somebody looks at stderr */
    const char *demoted; /* a command that was warned of */
};

/* What mod_ssl and httpd itself do not tell of a virtual host. */
struct written {
    bool name, tls, certificate;
    bool stapling; /* of its own or for all */
};

/* In build.below: names of more than one domain end so. */
static const struct acme_httpd_domain several;

/* ---- telling ---------------------------------------------------------- */

/* At a start nobody can log yet: stderr is gone, the error log not open. */
static void
note(struct acme_httpd_conf *conf, int level, const char *text)
{
    struct acme_httpd_note *made = apr_array_push(conf->notes);

    made->level = level;
    made->text = apr_pstrdup(conf->pool, text);
}

void
acme_httpd_check_log(struct acme_httpd_conf *conf)
{
    int i;

    for (i = 0; i < conf->notes->nelts; i++) {
        const struct acme_httpd_note *one =
            &APR_ARRAY_IDX(conf->notes, i, struct acme_httpd_note);

        ap_log_error(APLOG_MARK, one->level, 0, conf->base, "%s", one->text);
    }
}

static void say(const struct build *b, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void
say(const struct build *b, int level, const char *fmt, ...)
{
    const char *text;
    va_list args;

    va_start(args, fmt);
    text = apr_pvsprintf(b->pool, fmt, args);
    va_end(args);
    if (b->startup)
        ap_log_error(APLOG_MARK, level | APLOG_STARTUP, 0, NULL, "%s", text);
    else if (level <= APLOG_ERR)
        ap_log_error(APLOG_MARK, level, 0, b->conf->base, "%s", text);
    else
        note(b->conf, level, text);
}

/* "ACMEDomain example.com (/etc/apache2/apache2.conf:12)" */
static const char *
describe(const struct build *b, const struct acme_httpd_domain *domain)
{
    return apr_psprintf(b->pool, "ACMEDomain %s (%s:%d)",
        APR_ARRAY_IDX(domain->names, 0, const char *), domain->file,
        domain->line);
}

static const char *
describe_host(const struct build *b, const server_rec *s)
{
    if (!s->is_virtual)
        return "the main server";
    return apr_psprintf(b->pool, "the virtual host in %s:%u",
        s->defn_name != NULL ? s->defn_name : "?", s->defn_line_number);
}

static const char *
lower(apr_pool_t *pool, const char *text)
{
    char *copy = apr_pstrdup(pool, text);

    ap_str_tolower(copy);
    return copy;
}

/* ---- names and their domains ------------------------------------------ */

static struct acme_httpd_settings
settings_of(const struct build *b, const struct acme_httpd_domain *domain)
{
    return acme_httpd_settings_merge(b->pool,
        &acme_httpd_server_of(domain->within)->settings, &domain->settings);
}

static bool
add_owner(struct build *b, struct acme_httpd_domain *domain, const char *name)
{
    const struct acme_httpd_domain *other =
        apr_hash_get(b->owner, name, APR_HASH_KEY_STRING);

    if (other == domain)
        return true;
    if (other != NULL) {
        say(b, APLOG_ERR,
            "the name \"%s\" is in %s and in %s; a name belongs to one "
            "certificate, remove it from one of them",
            name, describe(b, other), describe(b, domain));
        return false;
    }
    apr_hash_set(b->owner, name, APR_HASH_KEY_STRING, domain);
    return true;
}

static void
add_below(struct build *b, const struct acme_httpd_domain *domain,
    const char *name)
{
    const struct acme_httpd_domain *other;
    const char *end;

    for (end = strchr(name, '.'); end != NULL; end = strchr(end + 1, '.')) {
        other = apr_hash_get(b->below, end, APR_HASH_KEY_STRING);
        apr_hash_set(b->below, end, APR_HASH_KEY_STRING,
            other == NULL || other == domain ? domain : &several);
    }
}

static bool
index_domains(struct build *b)
{
    int i, k;

    for (i = 0; i < b->conf->domains->nelts; i++) {
        struct acme_httpd_domain *domain =
            APR_ARRAY_IDX(b->conf->domains, i, struct acme_httpd_domain *);

        domain->automatic = settings_of(b, domain).members != 0;
        for (k = 0; k < domain->names->nelts; k++) {
            const char *name = APR_ARRAY_IDX(domain->names, k, const char *);

            if (!add_owner(b, domain, name))
                return false;
            add_below(b, domain, name);
        }
    }
    return true;
}

/* NULL: not a name a certificate could have. */
static const char *
canonical(const struct build *b, const char *host)
{
    char name[ACME_NAME_MAX + 1];
    struct acme_error ignored;

    acme_error_clear(&ignored);
    if (acme_idn_parse(host, strlen(host), name, &ignored) != ACME_OK)
        return NULL;
    return apr_pstrdup(b->pool, name);
}

static const char *
place(const struct build *b, const char *file, int line)
{
    return apr_psprintf(b->pool, "%s:%d", file, line);
}

static void
read_host(struct build *b, const ap_directive_t *host)
{
    struct written *written = apr_pcalloc(b->pool, sizeof(*written));
    const ap_directive_t *line;

    written->stapling = b->stapling;
    for (line = host->first_child; line != NULL; line = line->next) {
        if (strcasecmp(line->directive, "ServerName") == 0)
            written->name = true;
        else if (strcasecmp(line->directive, "SSLEngine") == 0)
            written->tls = strcasecmp(line->args, "off") != 0;
        else if (strcasecmp(line->directive, "SSLCertificateFile") == 0)
            written->certificate = true;
        else if (strcasecmp(line->directive, "SSLUseStapling") == 0)
            written->stapling = strcasecmp(line->args, "on") == 0;
    }
    apr_hash_set(b->written, place(b, host->filename, host->line_num),
        APR_HASH_KEY_STRING, written);
}

static void
read_tree(struct build *b)
{
    const ap_directive_t *line;

    for (line = ap_conftree; line != NULL; line = line->next)
        if (strcasecmp(line->directive, "SSLCertificateFile") == 0)
            b->certificate = true;
        else if (strcasecmp(line->directive, "SSLUseStapling") == 0)
            b->stapling = strcasecmp(line->args, "on") == 0;
    for (line = ap_conftree; line != NULL; line = line->next)
        if (strcasecmp(line->directive, "<VirtualHost") == 0)
            read_host(b, line);
}

/* NULL: not known, or the main server. */
static const struct written *
written_in(const struct build *b, const server_rec *s)
{
    if (!s->is_virtual || s->defn_name == NULL)
        return NULL;
    return apr_hash_get(b->written,
        place(b, s->defn_name, (int)s->defn_line_number), APR_HASH_KEY_STRING);
}

/* A virtual host without a ServerName has been given one by now: the main
 * server's, or what its address is called in the DNS. */
static bool
is_named(const struct build *b, const server_rec *s)
{
    const struct written *written = written_in(b, s);

    return s->server_hostname != NULL &&
           (s->is_virtual ? written != NULL && written->name : true);
}

/* ServerName alone, as written. */
static apr_array_header_t *
server_name(const struct build *b, const server_rec *s)
{
    apr_array_header_t *names = apr_array_make(b->pool, 4, sizeof(char *));

    if (is_named(b, s))
        APR_ARRAY_PUSH(names, const char *) = s->server_hostname;
    return names;
}

/* And those of ServerAlias without a wildcard. */
static apr_array_header_t *
exact_names(const struct build *b, const server_rec *s)
{
    apr_array_header_t *names = server_name(b, s);
    int i;

    for (i = 0; s->names != NULL && i < s->names->nelts; i++) {
        const char *name = APR_ARRAY_IDX(s->names, i, const char *);

        if (name != NULL)
            APR_ARRAY_PUSH(names, const char *) = name;
    }
    return names;
}

/* A virtual host without a directive of ours shares the main server's
 * configuration: each needs its own to note its domain in. */
static void
separate(struct build *b)
{
    struct acme_httpd_server *shared = acme_httpd_server_of(b->conf->base);
    server_rec *s;

    for (s = b->conf->base->next; s != NULL; s = s->next)
        if (acme_httpd_server_of(s) == shared)
            ap_set_module_config(s->module_config, &acme_httpd_module,
                apr_pmemdup(b->conf->pool, shared, sizeof(*shared)));
}

/* ---- virtual hosts and their domain ----------------------------------- */

/* The domain of a name, or else of the wildcard above it. */
static struct acme_httpd_domain *
owner_of(const struct build *b, const char *name)
{
    struct acme_httpd_domain *domain =
        apr_hash_get(b->owner, name, APR_HASH_KEY_STRING);
    const char *dot = strchr(name, '.');

    if (domain != NULL || dot == NULL || acme_name_is_wildcard(name))
        return domain;
    return apr_hash_get(b->owner, apr_pstrcat(b->pool, "*", dot, NULL),
        APR_HASH_KEY_STRING);
}

/* *domain: the one that the exact names are in, or NULL.  False: in two. */
static bool
match_exact(struct build *b, const server_rec *s,
    const apr_array_header_t *names, struct acme_httpd_domain **domain)
{
    const char *first = NULL;
    int i;

    for (i = 0; i < names->nelts; i++) {
        const char *name = canonical(b, APR_ARRAY_IDX(names, i, const char *));
        struct acme_httpd_domain *found =
            name == NULL ? NULL : owner_of(b, name);

        if (found == NULL || found == *domain)
            continue;
        if (*domain != NULL) {
            say(b, APLOG_ERR,
                "%s has names of two certificates: \"%s\" of %s and \"%s\" "
                "of %s; put them into one ACMEDomain, or into a virtual host "
                "each",
                describe_host(b, s), first, describe(b, *domain), name,
                describe(b, found));
            return false;
        }
        *domain = found;
        first = name;
    }
    return true;
}

/* "*.example.com": where there is no exact name, the only domain with names
 * that end so. */
static struct acme_httpd_domain *
match_wild(const struct build *b, const server_rec *s)
{
    struct acme_httpd_domain *domain = NULL, *found;
    const char *name;
    int i;

    for (i = 0; s->wild_names != NULL && i < s->wild_names->nelts; i++) {
        name = APR_ARRAY_IDX(s->wild_names, i, const char *);
        if (name == NULL || strncmp(name, "*.", 2) != 0 ||
            strpbrk(name + 1, "*?") != NULL)
            continue;
        found = apr_hash_get(b->below, lower(b->pool, name + 1),
            APR_HASH_KEY_STRING);
        if (found == &several ||
            (domain != NULL && found != NULL && found != domain))
            return NULL;
        if (found != NULL)
            domain = found;
    }
    return domain;
}

/* A name of a virtual host that its domain does not have yet. */
static bool
take_in(struct build *b, const server_rec *s, struct acme_httpd_domain *domain,
    const char *written, bool *grown)
{
    const char *name = canonical(b, written);
    const struct acme_httpd_domain *owner =
        name != NULL ? owner_of(b, name) : NULL;

    if (owner != NULL && owner == domain)
        return true;
    if (b->conf->servernames && (owner != NULL || !domain->automatic)) {
        say(b, APLOG_INFO,
            "\"%s\" of %s is not put into the certificate of %s: %s", written,
            describe_host(b, s), describe(b, domain),
            owner != NULL ? "another one has it" : "that is \"manual\"");
        return true;
    }
    if (!domain->automatic) {
        say(b, APLOG_ERR,
            "\"%s\" of %s is not among the names of %s, which is \"manual\"; "
            "add it there, or write \"auto\"",
            written, describe_host(b, s), describe(b, domain));
        return false;
    }
    if (name == NULL || acme_name_is_ip(name) || strchr(name, '.') == NULL) {
        say(b, APLOG_WARNING,
            "\"%s\" of %s is not put into the certificate of %s: no public "
            "CA would sign it",
            written, describe_host(b, s), describe(b, domain));
        return true;
    }
    if (!add_owner(b, domain, name))
        return false;
    add_below(b, domain, name);
    APR_ARRAY_PUSH(domain->names, const char *) =
        apr_pstrdup(b->conf->pool, name);
    say(b, APLOG_INFO, "\"%s\" of %s is put into the certificate of %s", name,
        describe_host(b, s), describe(b, domain));
    *grown = true;
    return true;
}

/* httpd compares bytes, and clients send the A-labels. */
static void
warn_unicode(const struct build *b, const server_rec *s,
    const apr_array_header_t *names)
{
    int i, k;

    for (i = 0; i < names->nelts; i++) {
        const char *written = APR_ARRAY_IDX(names, i, const char *);
        const char *name = canonical(b, written);

        if (name == NULL || strcasecmp(name, written) == 0 ||
            acme_name_is_ip(name))
            continue;
        for (k = 0; k < names->nelts; k++)
            if (strcasecmp(name, APR_ARRAY_IDX(names, k, const char *)) == 0)
                break;
        if (k == names->nelts)
            say(b, APLOG_WARNING,
                "\"%s\" of %s is in no request: clients send \"%s\"; add "
                "that as a ServerAlias, there and to others with this name",
                written, describe_host(b, s), name);
    }
}

/* "*.example.com", where the DNS can be changed; no other pattern is a name
 * of a certificate. */
static bool
take_in_wild(struct build *b, const server_rec *s,
    struct acme_httpd_domain *domain, bool *grown)
{
    const struct acme_httpd_settings settings = settings_of(b, domain);
    const bool provable = acme_proof_has_dns(&settings.proof);
    int i;

    for (i = 0; s->wild_names != NULL && i < s->wild_names->nelts; i++) {
        const char *written = APR_ARRAY_IDX(s->wild_names, i, const char *);
        const char *name = canonical(b, written);

        if (name != NULL && owner_of(b, name) == domain)
            continue;
        if (name != NULL && provable) {
            if (!take_in(b, s, domain, written, grown))
                return false;
            continue;
        }
        say(b, APLOG_WARNING,
            "\"%s\" of %s is not put into the certificate of %s: %s", written,
            describe_host(b, s), describe(b, domain),
            name == NULL ? "no certificate has such a name"
                         : "a wildcard is proved by the DNS alone, see "
                           "ACMEChallengeCmd and ACMEDNSUpdate");
    }
    return true;
}

static void
serve(server_rec *s, struct acme_httpd_domain *domain)
{
    struct acme_httpd_server *server = acme_httpd_server_of(s);

    server->domain = domain;
    server->enhance = domain->settings.enhance;
    acme_enhance_merge(&server->enhance, &server->settings.enhance);
    domain->used = true;
}

static bool
match(struct build *b, server_rec *s, bool *grown)
{
    apr_array_header_t *names = exact_names(b, s);
    struct acme_httpd_domain *domain = NULL;
    int i;

    if (!match_exact(b, s, b->conf->servernames ? server_name(b, s) : names,
            &domain))
        return false;
    if (domain == NULL)
        return true;
    serve(s, domain);
    warn_unicode(b, s, names);
    for (i = 0; i < names->nelts; i++)
        if (!take_in(b, s, domain, APR_ARRAY_IDX(names, i, const char *),
                grown))
            return false;
    return take_in_wild(b, s, domain, grown);
}

/* A name taken in may make another virtual host one of the domain's; only
 * who has no such name then is left to its wildcards. */
static bool
match_hosts(struct build *b)
{
    struct acme_httpd_domain *domain;
    server_rec *const first =
        b->conf->no_base ? b->conf->base->next : b->conf->base;
    bool grown = true;
    server_rec *s;

    separate(b);
    while (grown) {
        grown = false;
        for (s = first; s != NULL; s = s->next)
            if (acme_httpd_server_of(s)->domain == NULL &&
                !match(b, s, &grown))
                return false;
    }
    for (s = first; s != NULL; s = s->next)
        if (!b->conf->servernames && acme_httpd_server_of(s)->domain == NULL &&
            (domain = match_wild(b, s)) != NULL)
            serve(s, domain);
    return true;
}

/*
 * mod_ssl would end the server for it, and not before the start, where a
 * configuration test says nothing any more.  mod_md gives certificates too.
 */
static bool
check_uncovered(const struct build *b)
{
    const struct written *written;
    const server_rec *s;

    if (apr_is_empty_array(b->conf->domains) || b->certificate ||
        ap_find_linked_module("mod_md.c") != NULL)
        return true;
    for (s = b->conf->base; s != NULL; s = s->next) {
        written = written_in(b, s);
        if (written == NULL || !written->tls || written->certificate ||
            acme_httpd_server_of(s)->domain != NULL)
            continue;
        say(b, APLOG_ERR,
            "%s has SSLEngine on but no certificate: none of its names is in "
            "an ACMEDomain, and it has no SSLCertificateFile; add one of them",
            describe_host(b, s));
        return false;
    }
    return true;
}

/* ---- the core's config ------------------------------------------------ */

static void
name_issuer(struct build *b, struct acme_issuer *issuer, const char *ca)
{
    const char *base = lower(b->pool, ca);
    size_t ignored;
    apr_uri_t uri;
    int n;

    if (acme_issuer_directory(ca) == NULL &&
        acme_httpd_find_issuer(b->conf, ca) == NULL &&
        apr_uri_parse(b->pool, ca, &uri) == APR_SUCCESS &&
        uri.hostname != NULL && *uri.hostname != '\0')
        base = lower(b->pool, uri.hostname);
    issuer->name = base;
    for (n = 2;
         acme_config_find_issuer(b->conf->config, issuer->name, &ignored); n++)
        issuer->name = apr_psprintf(b->pool, "%s-%d", base, n);
}

/* NULL, or "" for what a narrower word took back. */
static const char *
said(const char *text)
{
    return text != NULL && *text != '\0' ? text : NULL;
}

static void
fill_issuer(const struct build *b, const struct acme_httpd_settings *settings,
    const char *ca, struct acme_issuer *issuer)
{
    int i;

    acme_issuer_init(issuer);
    issuer->directory = acme_issuer_directory(ca);
    if (issuer->directory == NULL)
        issuer->directory = ca;
    issuer->terms_accepted = settings->terms == 1;
    issuer->key_file = settings->account_file;
    if (settings->account_type != ACME_KEY_NONE)
        issuer->key_type = settings->account_type;
    else if (b->conf->md_store != NULL)
        issuer->key_type = ACME_KEY_RSA_3072;
    issuer->ca_file = said(settings->ca_file);
    issuer->proxy = said(settings->proxy);
    issuer->proxy_ca_file = said(settings->proxy_ca_file);
    issuer->eab_kid = settings->eab_kid;
    issuer->eab_file = settings->eab_file;
    issuer->eab_key = said(settings->eab_key);
    issuer->profile = said(settings->profile);
    issuer->profile_required = settings->profile_required == 1;
    issuer->preferred_chain = settings->preferred_chain;
    /* Of several CAs it is that of the one that nothing is known of. */
    if (settings->cas == NULL || settings->cas->nelts < 2 ||
        acme_issuer_domain(issuer) == NULL)
        issuer->domain = settings->issuer_domain;
    issuer->renewal_info = settings->renewal_info != 0;
    issuer->cn_in_csr = settings->cn_in_csr == 1;
    for (i = 0; settings->contacts != NULL && i < settings->contacts->nelts;
         i++)
        issuer->contact[issuer->ncontacts++] =
            APR_ARRAY_IDX(settings->contacts, i, const char *);
}

/* The one that was asked for the same before.  False: there is none. */
static bool
find_issuer(const struct build *b, const struct acme_issuer *issuer,
    size_t *index)
{
    const struct acme_config *config = b->conf->config;
    struct acme_issuer named = *issuer;
    size_t i;

    for (i = 0; i < config->nissuers; i++) {
        named.name = config->issuer[i].name;
        if (acme_issuer_equal(&named, &config->issuer[i]) &&
            strcmp(issuer->eab_key != NULL ? issuer->eab_key : "",
                config->issuer[i].eab_key != NULL ? config->issuer[i].eab_key
                                                  : "") == 0)
            break;
    }
    *index = i;
    return i < config->nissuers;
}

static void
warn_issuer(const struct build *b, const struct acme_issuer *issuer)
{
    if (!issuer->terms_accepted)
        say(b, APLOG_WARNING,
            "the terms of service of \"%s\" are not accepted; an account "
            "can be made only with \"ACMECertificateAgreement accepted\"",
            issuer->name);
    if (issuer->eab_key != NULL)
        say(b, APLOG_WARNING,
            "the key in ACMEExternalAccountBinding \"%s\" can be read in the "
            "configuration; put it into a file of mode 600, as "
            "{\"kid\":\"...\",\"hmac\":\"...\"}, and give its name",
            issuer->eab_kid);
}

/* Domains with the same settings share an issuer; `ca` is a word of
 * ACMECertificateAuthority. */
static enum acme_rc
use_issuer(struct build *b, const struct acme_httpd_settings *domain,
    const char *ca, size_t *index, struct acme_error *err)
{
    const struct acme_httpd_issuer *section =
        acme_httpd_find_issuer(b->conf, ca);
    struct acme_httpd_settings settings = *domain;
    struct acme_issuer issuer;
    enum acme_rc rc;

    if (section != NULL)
        settings =
            acme_httpd_settings_merge(b->pool, domain, &section->settings);
    fill_issuer(b, &settings,
        section != NULL ? acme_httpd_issuer_ca(section) : ca, &issuer);
    if (section != NULL && section->settings.issuer_domain != NULL)
        issuer.domain = section->settings.issuer_domain;
    if (settings.staging == 1 && acme_host_staging(&issuer, err) != ACME_OK)
        return err->rc;
    if (find_issuer(b, &issuer, index))
        return ACME_OK;
    name_issuer(b, &issuer, ca);
    rc = acme_config_add_issuer(b->conf->config, &issuer, index, err);
    if (rc == ACME_OK)
        warn_issuer(b, &issuer);
    return rc;
}

static enum acme_rc
use_issuers(struct build *b, const struct acme_httpd_settings *settings,
    struct acme_lineage *lineage, struct acme_error *err)
{
    enum acme_rc rc = ACME_OK;
    const char *ca;
    size_t index;
    int i;

    if (settings->cas == NULL)
        return use_issuer(b, settings, "letsencrypt", &lineage->issuer, err);
    for (i = 0; rc == ACME_OK && i < settings->cas->nelts; i++) {
        ca = APR_ARRAY_IDX(settings->cas, i, const char *);
        rc = use_issuer(b, settings, ca, &index, err);
        if (i == 0)
            lineage->issuer = index;
        else
            lineage->fallback[lineage->nfallbacks++] = index;
    }
    return rc;
}

/* A request is one certificate's. */
static bool
check_csr(const struct build *b, const struct acme_httpd_domain *domain,
    const char *file)
{
    const struct acme_config *config = b->conf->config;
    size_t i;

    for (i = 0; file != NULL && i < config->nlineages; i++) {
        if (config->lineage[i].csr_file == NULL ||
            strcmp(config->lineage[i].csr_file, file) != 0)
            continue;
        say(b, APLOG_ERR,
            "%s: the ACMECSRFile \"%s\" is used by the certificate of "
            "\"%s\" too; move it into the <ACMEDomain> that it is for",
            describe(b, domain), file, config->lineage[i].names[0]);
        return false;
    }
    return true;
}

/* Said once of each directive. */
static void
settle_command(struct build *b, const struct acme_httpd_domain *domain,
    struct acme_command *command)
{
    struct acme_error why;

    if (command->kind == ACME_COMMAND_NONE)
        return;
    if (command->kind == ACME_COMMAND_MOD_MD && command->version == 0)
        command->version = b->conf->dns01_version;
    acme_error_clear(&why);
    if (b->demoted == command->word[0] ||
        !acme_host_demotes_command(command, &why))
        return;
    b->demoted = command->word[0];
    say(b, APLOG_WARNING,
        "%s: the command that changes the DNS is run as the server's user, "
        "not as root: %s",
        describe(b, domain), why.what);
}

static bool
add_lineage(struct build *b, struct acme_httpd_domain *domain)
{
    struct acme_httpd_settings settings = settings_of(b, domain);
    struct acme_lineage lineage;
    struct acme_error err;
    const char *error;
    enum acme_rc rc;

    if (!domain->used && settings.timing.mode != ACME_RENEW_ALWAYS) {
        say(b, APLOG_WARNING,
            "%s: no virtual host has any of these names, no certificate is "
            "requested; name one in a ServerName or ServerAlias, or write "
            "\"ACMERenewMode always\"",
            describe(b, domain));
        return true;
    }
    error = acme_httpd_check_files(domain, b->pool);
    if (error != NULL) {
        say(b, APLOG_ERR, "%s: %s", describe(b, domain), error);
        return false;
    }
    /* What has files is renewed by whoever has made them. */
    if (domain->certs != NULL && settings.timing.mode != ACME_RENEW_ALWAYS) {
        if (settings.csr_file != NULL)
            say(b, APLOG_WARNING,
                "%s: nothing is ordered with the ACMECSRFile, as there is an "
                "ACMECertificateFile; add \"ACMERenewMode always\"",
                describe(b, domain));
        return true;
    }
    acme_error_clear(&err);
    memset(&lineage, 0, sizeof(lineage));
    lineage.nnames = (size_t)domain->names->nelts;
    lineage.names = (const char *const *)domain->names->elts;
    lineage.ntypes = settings.ntypes > 0 ? settings.ntypes : 1;
    memcpy(lineage.type, settings.type, sizeof(settings.type));
    if (lineage.type[0] == ACME_KEY_NONE)
        lineage.type[0] =
            b->conf->md_store != NULL ? ACME_KEY_RSA_2048 : ACME_KEY_ECDSA_256;
    lineage.must_staple = settings.must_staple == 1;
    lineage.stapling = settings.stapling != -1
                           ? settings.stapling == 1
                           : lineage.must_staple || domain->stapled;
    lineage.reuse_key = settings.reuse_key == 1;
    lineage.allow_subset = settings.allow_subset == 1;
    lineage.csr_file = settings.csr_file;
    lineage.proof = &settings.proof;
    lineage.hooks = settings.hooks;
    lineage.timing = settings.timing;
    if (!check_csr(b, domain, settings.csr_file))
        return false;
    settle_command(b, domain, &settings.proof.command);
    rc = use_issuers(b, &settings, &lineage, &err);
    if (rc == ACME_OK)
        rc = acme_host_check_csr(&lineage, &err);
    if (rc == ACME_OK && settings.hooks != NULL)
        rc = acme_host_check_hooks(settings.hooks, &err);
    if (rc == ACME_OK)
        rc = acme_config_add_lineage(b->conf->config, &lineage,
            &domain->lineage, &err);
    domain->managed = rc == ACME_OK;
    if (domain->managed)
        return true;
    say(b, APLOG_ERR, "%s: %s", describe(b, domain), err.what);
    return false;
}

/* ---- answers ---------------------------------------------------------- */

/* False: an error was told. */
static bool
tell(const struct build *b, const server_rec *s, struct acme_httpd_told told)
{
    if (told.error != NULL)
        say(b, APLOG_ERR, "%s: %s", describe_host(b, s), told.error);
    else if (told.warning != NULL)
        say(b, APLOG_WARNING, "%s: %s", describe_host(b, s), told.warning);
    return told.error == NULL;
}

static bool
add_thumbprints(const struct build *b)
{
    struct acme_httpd_conf *conf = b->conf;
    const struct acme_httpd_server *wide = acme_httpd_server_of(conf->base);
    server_rec *s;

    for (s = conf->base; s != NULL; s = s->next)
        if (!tell(b, s,
                acme_httpd_answering_init(acme_httpd_server_of(s),
                    s == conf->base ? NULL : wide)))
            return false;
    conf->config->workers_ask = conf->admin;
    conf->config->answers_only =
        !conf->wants_more && conf->config->nthumbprints > 0;
    return true;
}

static bool
finish_answers(const struct build *b)
{
    const struct acme_httpd_server *wide = acme_httpd_server_of(b->conf->base);
    server_rec *s;

    for (s = b->conf->base; s != NULL; s = s->next)
        if (!tell(b, s,
                acme_httpd_answering_finish(acme_httpd_server_of(s),
                    s == b->conf->base ? NULL : wide)))
            return false;
    return true;
}

static apr_status_t
free_config(void *data)
{
    acme_config_free(data);
    return APR_SUCCESS;
}

/* What the server can be reached at. */
static void
find_reach(const struct build *b)
{
    apr_hash_t *tls = apr_hash_make(b->pool);
    const struct written *written;
    const server_addr_rec *addr;
    server_rec *s;

    for (s = b->conf->base->next; s != NULL; s = s->next) {
        written = written_in(b, s);
        for (addr = s->addrs; addr != NULL; addr = addr->next)
            if (written != NULL && written->tls)
                apr_hash_set(tls, &addr->host_port, sizeof(addr->host_port),
                    s);
    }
    acme_httpd_reach(b->conf, tls);
}

/* mod_ssl itself staples only what it has loaded from files; of such ours is
 * not served. */
static void
find_stapling(const struct build *b)
{
    struct acme_httpd_server *server;
    const struct written *written;
    server_rec *s;

    for (s = b->conf->base; s != NULL; s = s->next) {
        server = acme_httpd_server_of(s);
        written = written_in(b, s);
        server->ssl_stapling =
            written != NULL ? written->stapling : b->stapling;
        if (server->domain != NULL && server->ssl_stapling &&
            !b->certificate && (written == NULL || !written->certificate))
            server->domain->stapled = true;
    }
}

/*
 * mod_md's store keeps what it has, and ours is below it.  Who says nothing
 * may have it where mod_md makes it, unless that is still at work there or
 * ours is elsewhere already.  Keys are then of the types that mod_md makes:
 * those that are there stay.
 */
static void
settle_state(struct build *b)
{
    struct acme_httpd_conf *conf = b->conf;
    const char *store = conf->state_dir;
    apr_finfo_t ours;

    if (store == NULL) {
        conf->state_dir = ACME_HTTPD_STATE_DIR;
        if (apr_stat(&ours, conf->state_dir, APR_FINFO_TYPE, b->pool) ==
                APR_SUCCESS ||
            ap_find_linked_module("mod_md.c") != NULL)
            return;
        store = ap_server_root_relative(conf->pool, MD_STORE);
    }
    if (store == NULL || !acme_md_store_is(store))
        return;
    conf->md_store = store;
    conf->state_dir = apr_pstrcat(conf->pool, store, "/acme", NULL);
}

/* Lineages whose clients are told to come by https for longer and longer:
 * since when is kept with them. */
static void
note_growing(const struct build *b)
{
    const struct acme_httpd_server *server;
    server_rec *s;

    for (s = b->conf->base; s != NULL; s = s->next) {
        server = acme_httpd_server_of(s);
        if (server->domain == NULL ||
            server->enhance.hsts.mode != ACME_HSTS_AUTO)
            continue;
        if (server->domain->managed)
            b->conf->config->lineage[server->domain->lineage].auto_hsts = true;
        if (server->domain->certs != NULL)
            say(b, APLOG_WARNING,
                "ACMEHSTS auto of %s stays at its first step, a minute, as "
                "the certificate of %s is not renewed here; write a time",
                describe_host(b, s), describe(b, server->domain));
    }
}

static bool
make_config(struct build *b, server_rec *base)
{
    struct acme_httpd_conf *conf = b->conf;
    struct acme_error err;
    int i;

    acme_error_clear(&err);
    conf->config = acme_config_new(conf->state_dir, "httpd",
        acme_httpd_conf_path(base->process, b->pool));
    if (conf->config != NULL)
        apr_pool_cleanup_register(conf->pool, conf->config, free_config,
            apr_pool_cleanup_null);
    if (conf->config == NULL ||
        !acme_config_adopt_md(conf->config, conf->md_store)) {
        say(b, APLOG_ERR, "out of memory");
        return false;
    }
    conf->config->stapling = conf->stapling;
    find_reach(b);
    find_stapling(b);
    for (i = 0; i < conf->domains->nelts; i++)
        if (!add_lineage(b,
                APR_ARRAY_IDX(conf->domains, i, struct acme_httpd_domain *)))
            return false;
    if (!add_thumbprints(b) || !finish_answers(b))
        return false;
    note_growing(b);
    if (acme_host_known_lineages(conf->config, &err) == ACME_OK &&
        acme_config_finish(conf->config, &err) == ACME_OK)
        return true;
    say(b, APLOG_ERR, "%s", err.what);
    return false;
}

/* ---- the check -------------------------------------------------------- */

/* One word of a directive of mod_md's. */
static bool
check_other(const struct build *b, const ap_directive_t *line,
    const char *word)
{
    const char *name = canonical(b, word);
    const struct acme_httpd_domain *domain =
        name != NULL ? owner_of(b, name) : NULL;

    if (domain == NULL)
        return true;
    say(b, APLOG_ERR,
        "the name \"%s\" is in %s and in mod_md's %s%s (%s:%d), and mod_md is "
        "loaded: both would order, answer for and serve it; rename that "
        "directive, or take one of the names out, or do not load mod_md",
        word, describe(b, domain), line->directive,
        *line->directive == '<' ? ">" : "", line->filename, line->line_num);
    return false;
}

static bool
is_other(const char *directive)
{
    static const char *const names[] = { "MDomain", "<MDomain", "<MDomainSet",
        "MDMember", "MDMembers" };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcasecmp(directive, names[i]) == 0)
            return true;
    return false;
}

/* Two modules that look after one name do it against each other. */
static bool
check_mod_md(const struct build *b, const ap_directive_t *line)
{
    const char *words, *word;
    size_t len;

    for (; line != NULL; line = line->next) {
        words =
            is_other(line->directive) && line->args != NULL ? line->args : "";
        while (*words != '\0') {
            word = ap_getword_conf(b->pool, &words);
            len = strlen(word);
            if (len > 0 && word[len - 1] == '>')
                word = apr_pstrmemdup(b->pool, word, len - 1);
            if (*word != '\0' && !check_other(b, line, word))
                return false;
        }
        if (!check_mod_md(b, line->first_child))
            return false;
    }
    return true;
}

static bool
check_ssl(const struct build *b)
{
    if (apr_is_empty_array(b->conf->domains) ||
        ap_find_linked_module("mod_ssl.c") != NULL)
        return true;
    say(b, APLOG_ERR,
        "%s needs mod_ssl, which is not loaded; add \"LoadModule ssl_module "
        "modules/mod_ssl.so\", or on Debian run \"a2enmod ssl\"",
        describe(b,
            APR_ARRAY_IDX(b->conf->domains, 0, struct acme_httpd_domain *)));
    return false;
}

/* What is obtained with a request of the operator's cannot be served without
 * his key. */
static bool
check_keys(const struct build *b)
{
    const struct acme_config *config = b->conf->config;
    const struct acme_lineage *lineage;
    const struct written *written;
    const server_rec *s;

    for (s = b->conf->base->next; s != NULL; s = s->next) {
        const struct acme_httpd_domain *domain =
            acme_httpd_server_of(s)->domain;

        written = written_in(b, s);
        if (domain == NULL || !domain->managed || domain->certs != NULL ||
            written == NULL || !written->tls || written->certificate ||
            b->certificate)
            continue;
        lineage = &config->lineage[domain->lineage];
        if (lineage->csr_file == NULL)
            continue;
        say(b, APLOG_ERR,
            "%s serves %s, whose key only you have (ACMECSRFile), but has no "
            "SSLCertificateFile; name a certificate there, later "
            "\"%s/live/%s/fullchain.pem\", and your key in "
            "SSLCertificateKeyFile, and reload after renewals",
            describe_host(b, s), describe(b, domain), b->conf->state_dir,
            lineage->name);
        return false;
    }
    return true;
}

/* Those of a virtual host are the server's, as merged, where it says nothing
 * of its own. */
static bool
same_settings(const struct acme_httpd_settings *one,
    const struct acme_httpd_settings *other)
{
    return one->cas == other->cas && one->ca_file == other->ca_file &&
           one->proxy == other->proxy &&
           one->proxy_ca_file == other->proxy_ca_file &&
           one->contacts == other->contacts &&
           one->eab_kid == other->eab_kid &&
           one->eab_file == other->eab_file &&
           one->eab_key == other->eab_key && one->profile == other->profile &&
           one->preferred_chain == other->preferred_chain &&
           one->issuer_domain == other->issuer_domain &&
           one->terms == other->terms &&
           one->profile_required == other->profile_required &&
           one->renewal_info == other->renewal_info &&
           one->cn_in_csr == other->cn_in_csr &&
           one->staging == other->staging &&
           one->must_staple == other->must_staple &&
           one->stapling == other->stapling &&
           one->reuse_key == other->reuse_key &&
           one->allow_subset == other->allow_subset &&
           one->csr_file == other->csr_file && one->ntypes == other->ntypes &&
           memcmp(one->type, other->type, sizeof(one->type)) == 0 &&
           one->account_type == other->account_type &&
           one->account_file == other->account_file &&
           acme_proof_equal(&one->proof, &other->proof) &&
           acme_httpd_hooks_equal(one->hooks, other->hooks) &&
           acme_timing_equal(&one->timing, &other->timing);
}

/* They are for what is written next to them, not for what is served there. */
static void
warn_settings(const struct build *b)
{
    const struct acme_httpd_server *wide = acme_httpd_server_of(b->conf->base);
    apr_hash_t *within = apr_hash_make(b->pool);
    const server_rec *s;
    int i;

    for (i = 0; i < b->conf->domains->nelts; i++) {
        const struct acme_httpd_domain *domain =
            APR_ARRAY_IDX(b->conf->domains, i, struct acme_httpd_domain *);

        apr_hash_set(within, &domain->within, sizeof(domain->within), domain);
    }
    for (s = b->conf->base->next; s != NULL; s = s->next)
        if (!same_settings(&acme_httpd_server_of(s)->settings,
                &wide->settings) &&
            apr_hash_get(within, &s, sizeof(s)) == NULL)
            say(b, APLOG_WARNING,
                "the ACME settings in %s have no effect without an "
                "ACMEDomain there; move them into <ACMEDomain>",
                describe_host(b, s));
}

/* Certificates of others' files would have to be told to the engine, which
 * knows of lineages only. */
static void
warn_stapling(const struct build *b)
{
    const struct acme_config *config = b->conf->config;
    bool stapling = false;
    size_t i;

    for (i = 0; i < config->nlineages; i++)
        stapling |= config->lineage[i].stapling;
    if (stapling && b->conf->staple_others)
        say(b, APLOG_WARNING,
            "ACMEStapleOthers: only certificates of an ACMEDomain are stapled "
            "here; write \"SSLUseStapling on\" for the others, and "
            "\"ACMEStapleOthers off\"");
}

/* Sent where nobody listens, once there is a certificate. */
static void
warn_https(const struct build *b)
{
    apr_hash_t *tls = apr_hash_make(b->pool);
    const struct acme_httpd_server *server;
    const struct written *written;
    server_rec *s;

    for (s = b->conf->base; s != NULL; s = s->next) {
        written = written_in(b, s);
        server = acme_httpd_server_of(s);
        if (server->domain != NULL &&
            (written == NULL || written->tls)) /* of the main one: not known */
            apr_hash_set(tls, &server->domain, sizeof(server->domain), s);
    }
    for (s = b->conf->base->next; s != NULL; s = s->next) {
        server = acme_httpd_server_of(s);
        if (server->enhance.redirect > ACME_REDIRECT_OFF &&
            server->domain != NULL &&
            apr_hash_get(tls, &server->domain, sizeof(server->domain)) == NULL)
            say(b, APLOG_WARNING,
                "ACMERequireHttps sends requests of %s to https, but no "
                "virtual host of %s has SSLEngine on; add one, or write "
                "\"ACMERequireHttps off\"",
                describe_host(b, s), describe(b, server->domain));
    }
}

/* What must not keep the server from starting. */
static void
warn(const struct build *b)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (!b->conf->config->answers_only &&
        acme_host_check_state(b->conf->config, &err) != ACME_OK)
        say(b, APLOG_WARNING, "ACMEStateDir \"%s\" cannot be used: %s",
            b->conf->state_dir, err.what);
    warn_settings(b);
    warn_stapling(b);
    warn_https(b);
    if (ap_coredumpdir_configured)
        say(b, APLOG_WARNING,
            "CoreDumpDirectory makes children dumpable: core files and other "
            "processes of their user can read the private keys");
}

int
acme_httpd_check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
    server_rec *base)
{
    struct build b;

    (void)pconf;
    (void)plog;
    memset(&b, 0, sizeof(b));
    b.conf = acme_httpd_server_of(base)->conf;
    if (!b.conf->used)
        return OK;
    b.conf->base = base;
    b.pool = ptemp;
    b.owner = apr_hash_make(ptemp);
    b.below = apr_hash_make(ptemp);
    b.written = apr_hash_make(ptemp);
    b.startup = ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG;
    read_tree(&b);
    settle_state(&b);
    if (!check_ssl(&b) || !index_domains(&b) || !match_hosts(&b) ||
        (ap_find_linked_module("mod_md.c") != NULL &&
            !check_mod_md(&b, ap_conftree)) ||
        !check_uncovered(&b) || !make_config(&b, base) || !check_keys(&b))
        return HTTP_INTERNAL_SERVER_ERROR;
    warn(&b);
    return OK;
}
