/*
 * Directives: their words checked one by one and kept.  What they mean
 * together is acme_httpd_lineage.c's.
 */
#include "mod_acme_httpd.h"

#include <apr_lib.h>
#include <apr_uri.h>
#include <strings.h>

#define USERDATA "acme_httpd"

/* In a command's cmd_data: it may stand in <ACMEDomain>; in <ACMEIssuer>, too.
 */
#define IN_SECTION ((void *)&acme_httpd_module)
#define IN_ISSUER ((void *)(&acme_httpd_module + 1))

/* ---- where things are kept -------------------------------------------- */

static struct acme_httpd_conf *
conf_of(apr_pool_t *pconf)
{
    void *data = NULL;
    struct acme_httpd_conf *conf;

    (void)apr_pool_userdata_get(&data, USERDATA, pconf);
    if (data != NULL)
        return data;
    conf = apr_pcalloc(pconf, sizeof(*conf));
    conf->pool = pconf;
    conf->domains =
        apr_array_make(pconf, 8, sizeof(struct acme_httpd_domain *));
    conf->issuers =
        apr_array_make(pconf, 4, sizeof(struct acme_httpd_issuer *));
    conf->notes = apr_array_make(pconf, 4, sizeof(struct acme_httpd_note));
    conf->service.lifetime = -1;
    conf->server_status = conf->certificate_status = 1;
    conf->check.name = ACME_MD_CHECK_NAME;
    conf->check.url = ACME_MD_CHECK_URL;
    (void)apr_pool_userdata_setn(conf, USERDATA, apr_pool_cleanup_null, pconf);
    return conf;
}

static void
settings_init(struct acme_httpd_settings *settings)
{
    memset(settings, 0, sizeof(*settings));
    settings->terms = -1;
    settings->profile_required = -1;
    settings->renewal_info = -1;
    settings->cn_in_csr = -1;
    settings->staging = -1;
    settings->must_staple = -1;
    settings->reuse_key = -1;
    settings->allow_subset = -1;
    settings->members = -1;
    settings->stapling = -1;
    settings->account_type = ACME_KEY_NONE;
    acme_proof_init(&settings->proof);
}

void *
acme_httpd_create_server(apr_pool_t *pool, server_rec *s)
{
    struct acme_httpd_server *server = apr_pcalloc(pool, sizeof(*server));

    (void)s;
    server->conf = conf_of(pool);
    server->stateless = -1;
    server->answering = acme_answering_default;
    server->placeholder = -1;
    settings_init(&server->settings);
    return server;
}

static void
merge_flag(int *narrow, int wide)
{
    if (*narrow == -1)
        *narrow = wide;
}

struct acme_httpd_settings
acme_httpd_settings_merge(apr_pool_t *pool,
    const struct acme_httpd_settings *wide,
    const struct acme_httpd_settings *narrow)
{
    struct acme_httpd_settings merged = *narrow;

    if (merged.cas == NULL)
        merged.cas = wide->cas;
    if (merged.ca_file == NULL)
        merged.ca_file = wide->ca_file;
    if (merged.proxy == NULL)
        merged.proxy = wide->proxy;
    if (merged.proxy_ca_file == NULL)
        merged.proxy_ca_file = wide->proxy_ca_file;
    if (merged.contacts == NULL)
        merged.contacts = wide->contacts;
    if (merged.eab_file == NULL && merged.eab_key == NULL) {
        merged.eab_kid = wide->eab_kid;
        merged.eab_file = wide->eab_file;
        merged.eab_key = wide->eab_key;
    }
    if (merged.profile == NULL)
        merged.profile = wide->profile;
    if (merged.preferred_chain == NULL)
        merged.preferred_chain = wide->preferred_chain;
    if (merged.issuer_domain == NULL)
        merged.issuer_domain = wide->issuer_domain;
    merge_flag(&merged.terms, wide->terms);
    merge_flag(&merged.profile_required, wide->profile_required);
    merge_flag(&merged.renewal_info, wide->renewal_info);
    merge_flag(&merged.cn_in_csr, wide->cn_in_csr);
    merge_flag(&merged.staging, wide->staging);
    merge_flag(&merged.must_staple, wide->must_staple);
    merge_flag(&merged.reuse_key, wide->reuse_key);
    merge_flag(&merged.allow_subset, wide->allow_subset);
    merge_flag(&merged.members, wide->members);
    merge_flag(&merged.stapling, wide->stapling);
    if (merged.csr_file == NULL)
        merged.csr_file = wide->csr_file;
    if (merged.ntypes == 0) {
        merged.ntypes = wide->ntypes;
        memcpy(merged.type, wide->type, sizeof(merged.type));
    }
    if (merged.account_type == ACME_KEY_NONE && merged.account_file == NULL) {
        merged.account_type = wide->account_type;
        merged.account_file = wide->account_file;
    }
    acme_proof_merge(&merged.proof, &wide->proof);
    merged.hooks = acme_httpd_hooks_merge(pool, wide->hooks, merged.hooks);
    acme_timing_merge(&merged.timing, &wide->timing);
    acme_enhance_merge(&merged.enhance, &wide->enhance);
    return merged;
}

void *
acme_httpd_merge_server(apr_pool_t *pool, void *base, void *add)
{
    const struct acme_httpd_server *wide = base, *narrow = add;
    struct acme_httpd_server *merged = apr_palloc(pool, sizeof(*merged));

    *merged = *narrow;
    merged->settings =
        acme_httpd_settings_merge(pool, &wide->settings, &narrow->settings);
    merge_flag(&merged->stateless, wide->stateless);
    if (merged->thumbprint == NULL)
        merged->thumbprint = wide->thumbprint;
    merge_flag(&merged->placeholder, wide->placeholder);
    return merged;
}

struct acme_httpd_server *
acme_httpd_server_of(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &acme_httpd_module);
}

static struct acme_httpd_server *
server_of(cmd_parms *cmd)
{
    struct acme_httpd_server *server = acme_httpd_server_of(cmd->server);

    server->conf->used = server->conf->wants_more = true;
    return server;
}

static struct acme_httpd_settings *
settings_in(struct acme_httpd_server *server)
{
    if (server->issuer != NULL)
        return &server->issuer->settings;
    return server->section != NULL ? &server->section->settings
                                   : &server->settings;
}

static struct acme_httpd_settings *
settings_of(cmd_parms *cmd)
{
    return settings_in(server_of(cmd));
}

static const char *
fail(cmd_parms *cmd, const char *value, const char *why)
{
    return apr_psprintf(cmd->pool, "%s \"%s\": %s", cmd->cmd->name, value,
        why);
}

/* ---- for the whole server --------------------------------------------- */

static const char *
set_state_dir(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY), *path;

    (void)dir;
    if (error != NULL)
        return error;
    path = ap_server_root_relative(cmd->pool, arg);
    if (path == NULL)
        return fail(cmd, arg, "not a path");
    server_of(cmd)->conf->state_dir = path;
    return NULL;
}

static const char *
set_user(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    apr_uid_t uid;
    apr_gid_t gid;

    (void)dir;
    if (error != NULL)
        return error;
    if (apr_uid_get(&uid, &gid, arg, cmd->temp_pool) != APR_SUCCESS)
        return fail(cmd, arg,
            "there is no such user; make it (useradd --system) or name "
            "another");
    server_of(cmd)->conf->user = arg;
    return NULL;
}

static const char *
set_key_group(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    apr_gid_t gid;

    (void)dir;
    if (error != NULL)
        return error;
    if (apr_gid_get(&gid, arg, cmd->temp_pool) != APR_SUCCESS)
        return fail(cmd, arg,
            "there is no such group; make it (groupadd --system) or name "
            "another");
    server_of(cmd)->conf->key_group = arg;
    return NULL;
}

static const char *
set_port_map(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (error != NULL)
        return error;
    return acme_httpd_set_port_map(cmd, &server_of(cmd)->conf->port_map, arg);
}

static const char *
set_dns01_version(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (error != NULL)
        return error;
    return acme_httpd_set_dns01_version(cmd,
        &server_of(cmd)->conf->dns01_version, arg);
}

static const char *
set_match_names(cmd_parms *cmd, void *dir, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (error != NULL)
        return error;
    return acme_httpd_set_match_names(cmd, server_of(cmd)->conf, arg);
}

static const char *
set_base_server(cmd_parms *cmd, void *dir, int on)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dir;
    if (error == NULL)
        server_of(cmd)->conf->no_base = !on;
    return error;
}

/* ---- for a server or a virtual host ----------------------------------- */

static const char *
set_placeholder(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_httpd_server *server = server_of(cmd);

    (void)dir;
    if (strcmp(arg, "503") == 0)
        server->placeholder = ACME_HTTPD_PLACEHOLDER_503;
    else if (strcasecmp(arg, "serve") == 0)
        server->placeholder = ACME_HTTPD_PLACEHOLDER_SERVE;
    else
        return fail(cmd, arg,
            "it must be \"503\" (requests are refused until there is a "
            "certificate) or \"serve\"");
    return NULL;
}

/* ---- for domains, also in their section ------------------------------- */

/* The core looks more closely, but cannot say where it was written. */
static bool
is_https_url(apr_pool_t *pool, const char *text)
{
    apr_uri_t uri;

    return apr_uri_parse(pool, text, &uri) == APR_SUCCESS &&
           uri.scheme != NULL && strcasecmp(uri.scheme, "https") == 0 &&
           uri.hostname != NULL && *uri.hostname != '\0';
}

/* The first one is asked; the others while it fails. */
static const char *
set_cas(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    struct acme_httpd_settings *settings = settings_of(cmd);
    const bool named = acme_httpd_server_of(cmd->server)->issuer == NULL;
    int i;

    (void)dir;
    if (argc == 0)
        return "ACMECertificateAuthority needs the URL of a CA's ACME "
               "directory or a short name such as letsencrypt";
    if (argc > ACME_FALLBACKS_MAX + 1)
        return fail(cmd, argv[ACME_FALLBACKS_MAX + 1],
            apr_psprintf(cmd->temp_pool, "there are more than %d CAs",
                ACME_FALLBACKS_MAX + 1));
    if (argc > 1 && !named)
        return fail(cmd, argv[1], "an <ACMEIssuer> is one CA");
    settings->cas = apr_array_make(cmd->pool, argc, sizeof(char *));
    for (i = 0; i < argc; i++) {
        if (acme_issuer_directory(argv[i]) == NULL &&
            !is_https_url(cmd->temp_pool, argv[i]) &&
            (!named || !acme_httpd_has_issuer(server_of(cmd)->conf, argv[i])))
            return fail(cmd, argv[i],
                apr_pstrcat(cmd->temp_pool,
                    "it must be the https URL of a CA's ACME directory, ",
                    named ? "the name of an <ACMEIssuer>, " : "", "or one of ",
                    acme_issuer_short_names, NULL));
        APR_ARRAY_PUSH(settings->cas, const char *) =
            apr_pstrdup(cmd->pool, argv[i]);
    }
    return NULL;
}

/* Files that an issuer names, checked where they are named. */
static const char *
check_files(cmd_parms *cmd, const char *arg, const struct acme_issuer *issuer)
{
    struct acme_error err;

    acme_error_clear(&err);
    if (acme_host_check_issuer(issuer, &err) == ACME_OK)
        return NULL;
    return fail(cmd, arg, err.what);
}

static const char *
set_ca_file(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_issuer issuer;

    (void)dir;
    memset(&issuer, 0, sizeof(issuer));
    if (strcasecmp(arg, "none") == 0) {
        settings_of(cmd)->ca_file = "";
        return NULL;
    }
    issuer.ca_file = ap_server_root_relative(cmd->pool, arg);
    if (issuer.ca_file == NULL)
        return fail(cmd, arg, "not a path");
    settings_of(cmd)->ca_file = issuer.ca_file;
    return check_files(cmd, arg, &issuer);
}

static const char *
set_proxy(cmd_parms *cmd, void *dir, const char *arg)
{
    char origin[ACME_URL_MAX];
    struct acme_error err;

    (void)dir;
    settings_of(cmd)->proxy = "";
    if (strcasecmp(arg, "none") == 0)
        return NULL;
    acme_error_clear(&err);
    if (acme_host_proxy(arg, origin, &err) != ACME_OK)
        return fail(cmd, arg, err.what);
    settings_of(cmd)->proxy = apr_pstrdup(cmd->pool, origin);
    return NULL;
}

static const char *
set_proxy_ca_file(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_issuer issuer;

    (void)dir;
    settings_of(cmd)->proxy_ca_file = "";
    if (strcasecmp(arg, "none") == 0)
        return NULL;
    memset(&issuer, 0, sizeof(issuer));
    issuer.proxy_ca_file = ap_server_root_relative(cmd->pool, arg);
    if (issuer.proxy_ca_file == NULL)
        return fail(cmd, arg, "not a path");
    settings_of(cmd)->proxy_ca_file = issuer.proxy_ca_file;
    return check_files(cmd, arg, &issuer);
}

static const char *
set_agreement(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    if (strcasecmp(arg, "accepted") != 0 &&
        strncasecmp(arg, "https://", 8) != 0 &&
        strncasecmp(arg, "http://", 7) != 0)
        return fail(cmd, arg,
            "it must be \"accepted\": that you have read and accept the "
            "CA's terms of service; or their URL");
    settings_of(cmd)->terms = 1;
    return NULL;
}

static const char *
add_contact(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_httpd_settings *settings = settings_of(cmd);
    char url[ACME_URL_MAX];
    struct acme_error err;

    (void)dir;
    acme_error_clear(&err);
    if (acme_host_contact(arg, url, &err) != ACME_OK)
        return fail(cmd, arg, err.what);
    if (settings->contacts == NULL)
        settings->contacts = apr_array_make(cmd->pool, 1, sizeof(char *));
    if (settings->contacts->nelts == ACME_CONTACTS_MAX)
        return fail(cmd, arg,
            apr_psprintf(cmd->temp_pool,
                "there are more than %d contacts; remove some",
                ACME_CONTACTS_MAX));
    APR_ARRAY_PUSH(settings->contacts, const char *) =
        apr_pstrdup(cmd->pool, url);
    return NULL;
}

static const char *
set_account_key(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_httpd_settings *settings = settings_of(cmd);
    enum acme_key_type type = ACME_KEY_NONE;
    struct acme_issuer issuer;
    struct acme_error err;
    bool is_file;

    (void)dir;
    acme_error_clear(&err);
    memset(&issuer, 0, sizeof(issuer));
    if (acme_host_account_key(arg, &type, &is_file, &err) != ACME_OK)
        return fail(cmd, arg, err.what);
    settings->account_type = type;
    settings->account_file = NULL;
    if (!is_file)
        return NULL;
    issuer.key_file = ap_server_root_relative(cmd->pool, arg);
    if (issuer.key_file == NULL)
        return fail(cmd, arg, "not a path");
    settings->account_file = issuer.key_file;
    return check_files(cmd, arg, &issuer);
}

/* Key id and MAC key, or a JSON file with both, or "none". */
static const char *
set_eab(cmd_parms *cmd, void *dir, const char *arg, const char *key)
{
    struct acme_httpd_settings *settings = settings_of(cmd);
    struct acme_issuer issuer;
    struct acme_error err;

    (void)dir;
    acme_error_clear(&err);
    memset(&issuer, 0, sizeof(issuer));
    settings->eab_kid = settings->eab_file = NULL;
    settings->eab_key = "";
    if (key == NULL && strcasecmp(arg, "none") == 0)
        return NULL;
    if (key != NULL) {
        if (acme_host_eab_key(key, &err) != ACME_OK)
            return fail(cmd, arg, err.what);
        settings->eab_kid = arg;
        settings->eab_key = key;
        return NULL;
    }
    issuer.eab_file = ap_server_root_relative(cmd->pool, arg);
    if (issuer.eab_file == NULL)
        return fail(cmd, arg, "not a path");
    settings->eab_key = NULL;
    settings->eab_file = issuer.eab_file;
    return check_files(cmd, arg, &issuer);
}

static const char *
set_profile(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    settings_of(cmd)->profile = strcasecmp(arg, "none") == 0 ? "" : arg;
    return NULL;
}

static const char *
set_preferred_chain(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    settings_of(cmd)->preferred_chain = arg;
    return NULL;
}

static const char *
set_issuer_domain(cmd_parms *cmd, void *dir, const char *arg)
{
    char domain[ACME_NAME_MAX + 1];
    struct acme_error err;

    (void)dir;
    acme_error_clear(&err);
    if (acme_host_issuer_domain(arg, domain, &err) != ACME_OK)
        return apr_psprintf(cmd->pool, "%s %s", cmd->cmd->name, err.what);
    settings_of(cmd)->issuer_domain = apr_pstrdup(cmd->pool, domain);
    return NULL;
}

static const char *
set_csr(cmd_parms *cmd, void *dir, const char *arg)
{
    struct acme_httpd_settings *settings = settings_of(cmd);

    (void)dir;
    settings->csr_file = ap_server_root_relative(cmd->pool, arg);
    return settings->csr_file != NULL ? NULL : fail(cmd, arg, "not a path");
}

/* How names would be proved: without a name it asks for nothing. */
static const char *
set_proof(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    struct acme_httpd_server *server = acme_httpd_server_of(cmd->server);

    (void)dir;
    return acme_httpd_set_proof(cmd, &settings_in(server)->proof, argc, argv);
}

static const char *
set_hook(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    struct acme_httpd_server *server = acme_httpd_server_of(cmd->server);

    (void)dir;
    return acme_httpd_set_hook(cmd, &settings_in(server)->hooks, argc, argv);
}

static const char *
set_hooks(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    struct acme_httpd_server *server = acme_httpd_server_of(cmd->server);

    (void)dir;
    return acme_httpd_set_hooks(cmd, &settings_in(server)->hooks, argc, argv);
}

static const char *
set_timing(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    (void)dir;
    return acme_httpd_set_timing(cmd, &settings_of(cmd)->timing, argc, argv);
}

/* The directives that are on or off, and where they are kept. */
static const struct {
    const char *name;
    size_t offset;
} flags[] = {
#define FLAG(name, field)                                 \
    {                                                     \
        name, offsetof(struct acme_httpd_settings, field) \
    }
    FLAG("ACMEProfileMandatory", profile_required),
    FLAG("ACMERenewViaARI", renewal_info),
    FLAG("ACMECommonNameInCSR", cn_in_csr),
    FLAG("ACMEStaging", staging),
    FLAG("ACMEMustStaple", must_staple),
    FLAG("ACMEStapling", stapling),
    FLAG("ACMEReuseKey", reuse_key),
    FLAG("ACMEAllowSubset", allow_subset),
#undef FLAG
};

static const char *
set_flag(cmd_parms *cmd, void *dir, int flag)
{
    char *settings = (char *)settings_of(cmd);
    size_t i;

    (void)dir;
    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcasecmp(flags[i].name, cmd->cmd->name) == 0)
            *(int *)(settings + flags[i].offset) = flag;
    return NULL;
}

/* mod_md's words for a key, and ours ("ecdsa:384"), as ours. */
static const char *
key_word(apr_pool_t *pool, const char *word, const char *bits)
{
    static const char *const curves[][2] = { { "p-256", "ecdsa:256" },
        { "secp256r1", "ecdsa:256" }, { "prime256v1", "ecdsa:256" },
        { "p-384", "ecdsa:384" }, { "secp384r1", "ecdsa:384" },
        { "p-521", "ecdsa:521" }, { "secp521r1", "ecdsa:521" } };
    size_t i;

    for (i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
        if (strcasecmp(word, curves[i][0]) == 0)
            return curves[i][1];
    if (strncasecmp(word, "rsa", 3) == 0 && apr_isdigit(word[3]))
        return apr_pstrcat(pool, "rsa:", word + 3, NULL);
    if (strcasecmp(word, "rsa") == 0 && bits != NULL)
        return apr_pstrcat(pool, "rsa:", bits, NULL);
    return word;
}

#define KEY_TYPES "Default, P-256, P-384, P-521 or RSA [2048|3072|4096]"

static const char *
add_key_type(cmd_parms *cmd, struct acme_httpd_settings *settings,
    const char *word, const char *bits)
{
    enum acme_key_type type = ACME_KEY_NONE;
    struct acme_error err;
    const char *shown =
        bits != NULL ? apr_pstrcat(cmd->temp_pool, word, " ", bits, NULL)
                     : word;
    size_t i;

    acme_error_clear(&err);
    if (acme_key_type_parse(key_word(cmd->pool, word, bits), &type, &err) !=
        ACME_OK)
        return fail(cmd, shown, "no such key type; use " KEY_TYPES);
    for (i = 0; i < settings->ntypes; i++)
        if (acme_key_algorithm_number(settings->type[i]) ==
            acme_key_algorithm_number(type))
            return fail(cmd, shown,
                "one curve and one RSA size is all there can be");
    settings->type[settings->ntypes++] = type;
    return NULL;
}

static const char *
set_private_keys(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    struct acme_httpd_settings *settings = settings_of(cmd);
    const char *error = NULL, *bits;
    int i;

    (void)dir;
    settings->ntypes = 0;
    if (argc == 0)
        return "ACMEPrivateKeys needs a key type: " KEY_TYPES;
    for (i = 0; i < argc && error == NULL; i++) {
        const char *word = argv[i];

        if (strcasecmp(word, "default") == 0) {
            settings->type[settings->ntypes++] = ACME_KEY_NONE;
            return argc > 1 ? fail(cmd, word, "it stands alone") : NULL;
        }
        bits = NULL;
        if (strcasecmp(word, "rsa") == 0 && i + 1 < argc &&
            apr_isdigit(*argv[i + 1]))
            bits = argv[++i];
        error = add_key_type(cmd, settings, word, bits);
    }
    return error;
}

/* ---- domains ---------------------------------------------------------- */

static const char *
add_domain(cmd_parms *cmd, const char *words, struct acme_httpd_domain **out)
{
    struct acme_httpd_domain *domain = apr_pcalloc(cmd->pool, sizeof(*domain));
    struct acme_httpd_conf *conf = server_of(cmd)->conf;
    const char *word, *error = NULL;

    domain->names = apr_array_make(cmd->pool, 4, sizeof(const char *));
    settings_init(&domain->settings);
    domain->within = cmd->server;
    domain->file = cmd->directive->filename;
    domain->line = cmd->directive->line_num;
    while (error == NULL && *words != '\0') {
        word = ap_getword_conf(cmd->pool, &words);
        error = acme_httpd_add_member(cmd, domain, word);
    }
    if (error == NULL && apr_is_empty_array(domain->names))
        error = "ACMEDomain needs the names to get a certificate for, e.g. "
                "\"ACMEDomain example.com www.example.com\"";
    if (error != NULL)
        return error;
    APR_ARRAY_PUSH(conf->domains, struct acme_httpd_domain *) = domain;
    *out = domain;
    return NULL;
}

static const char *
set_members(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    (void)dir;
    return acme_httpd_set_members(cmd, server_of(cmd), argc, argv);
}

static const char *
add_certificate_file(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return acme_httpd_add_certificate_file(cmd, server_of(cmd)->section, arg);
}

static const char *
add_key_file(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return acme_httpd_add_key_file(cmd, server_of(cmd)->section, arg);
}

static const char *
set_enhance(cmd_parms *cmd, void *dir, int argc, char *const argv[])
{
    (void)dir;
    return acme_httpd_set_enhance(cmd, &settings_of(cmd)->enhance, argc, argv);
}

static const char *
domain_line(cmd_parms *cmd, void *dir, const char *words)
{
    struct acme_httpd_domain *domain;

    (void)dir;
    return add_domain(cmd, words, &domain);
}

static bool
may_stand(const ap_directive_t *line, bool issuer)
{
    const command_rec *known;

    for (known = acme_httpd_commands; known->name != NULL; known++)
        if (strcasecmp(known->name, line->directive) == 0)
            return known->cmd_data == IN_ISSUER ||
                   (!issuer && known->cmd_data == IN_SECTION);
    return false;
}

static const char *
check_section(cmd_parms *cmd, const ap_directive_t *line, bool issuer)
{
    const char *name = issuer ? "ACMEIssuer" : "ACMEDomain";

    for (; line != NULL; line = line->next)
        if (!may_stand(line, issuer)) {
            cmd->err_directive = line;
            return apr_psprintf(cmd->pool,
                "%s%s not allowed in <%s>; close it with </%s> before",
                line->directive, *line->directive == '<' ? ">" : "", name,
                name);
        }
    return NULL;
}

static const char *
domain_section(cmd_parms *cmd, void *dir, const char *words)
{
    struct acme_httpd_server *server = server_of(cmd);
    const char *end = ap_strrchr_c(words, '>'), *error;
    struct acme_httpd_domain *domain = NULL;

    (void)dir;
    if (end == NULL)
        return "<ACMEDomain> is missing its closing \">\"";
    error = add_domain(cmd,
        apr_pstrmemdup(cmd->pool, words, (apr_size_t)(end - words)), &domain);
    if (error == NULL)
        error = check_section(cmd, cmd->directive->first_child, false);
    if (error != NULL)
        return error;
    server->section = domain;
    error = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    server->section = NULL;
    return error;
}

static const char *
issuer_section(cmd_parms *cmd, void *dir, const char *words)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);
    struct acme_httpd_server *server = server_of(cmd);
    struct acme_httpd_issuer *issuer = NULL;

    (void)dir;
    if (error == NULL)
        error = acme_httpd_add_issuer(cmd, server->conf, words, &issuer);
    if (error == NULL)
        error = check_section(cmd, cmd->directive->first_child, true);
    if (error != NULL)
        return error;
    settings_init(&issuer->settings);
    server->issuer = issuer;
    error = ap_walk_config(cmd->directive->first_child, cmd, cmd->context);
    server->issuer = NULL;
    return error != NULL ? error : acme_httpd_check_issuer(cmd, issuer);
}

#define STATE_DIR_HELP "directory for keys, certificates and accounts"

const command_rec acme_httpd_commands[] = {
    AP_INIT_TAKE1("ACMEStateDir", set_state_dir, NULL, RSRC_CONF,
        STATE_DIR_HELP),
    AP_INIT_TAKE1("ACMEStoreDir", set_state_dir, NULL, RSRC_CONF,
        STATE_DIR_HELP ": another name of ACMEStateDir"),
    AP_INIT_TAKE1("ACMEUser", set_user, NULL, RSRC_CONF,
        "user that the process which talks to the CA runs as"),
    AP_INIT_TAKE1("ACMEKeyGroup", set_key_group, NULL, RSRC_CONF,
        "group that may read certificates and keys"),
    AP_INIT_ITERATE("ACMEPortMap", set_port_map, NULL, RSRC_CONF,
        "where the public ports lead: http:PORT, https:PORT, or - for none"),
    AP_INIT_TAKE1("ACMEStateless", acme_httpd_set_stateless, NULL, RSRC_CONF,
        "which challenges of the CA are answered: on, any, pending or off"),
    AP_INIT_TAKE1("ACMEThumbprint", acme_httpd_set_thumbprint, NULL, RSRC_CONF,
        "thumbprint of an account key that another host has, or file:PATH"),
    AP_INIT_TAKE1("ACMEPlaceholder", set_placeholder, NULL, RSRC_CONF,
        "what https requests get before the first certificate: 503 or serve"),
    AP_INIT_FLAG("ACMEServerStatus", acme_httpd_set_shown, NULL, RSRC_CONF,
        "whether certificates are in the page of mod_status: on or off"),
    AP_INIT_FLAG("ACMECertificateStatus", acme_httpd_set_shown, NULL,
        RSRC_CONF,
        "whether anybody may ask for the certificate of a host "
        "at " ACME_MD_CERTIFICATE_PATH ": on or off"),
    AP_INIT_TAKE_ARGV("ACMEStatus", acme_httpd_set_status, NULL,
        RSRC_CONF | ACCESS_CONF,
        "what the handler acme-status is for: on, admin or off, and the names "
        "it may be asked for by"),
    AP_INIT_TAKE_ARGV("ACMECertificateAuthority", set_cas, IN_ISSUER,
        RSRC_CONF,
        "URL of a CA's ACME directory, or a short name such as letsencrypt; "
        "further ones are asked while the first fails"),
    AP_INIT_TAKE1("ACMECACertificateFile", set_ca_file, IN_ISSUER, RSRC_CONF,
        "PEM file of the roots that the CA's server is trusted by, or none"),
    AP_INIT_TAKE1("ACMEHttpProxy", set_proxy, IN_ISSUER, RSRC_CONF,
        "http or https URL of a proxy that leads to the CA, or none"),
    AP_INIT_TAKE1("ACMEHttpProxyCACertificateFile", set_proxy_ca_file,
        IN_ISSUER, RSRC_CONF,
        "PEM file of the roots that the proxy is trusted by, or none"),
    AP_INIT_TAKE1("ACMECertificateAgreement", set_agreement, IN_ISSUER,
        RSRC_CONF, "\"accepted\": the CA's terms of service are accepted"),
    AP_INIT_ITERATE("ACMEContactEmail", add_contact, IN_ISSUER, RSRC_CONF,
        "addresses at which the CA can reach you"),
    AP_INIT_TAKE1("ACMEAccountKey", set_account_key, IN_ISSUER, RSRC_CONF,
        "type of the account key to make, or file of one to use"),
    AP_INIT_TAKE12("ACMEExternalAccountBinding", set_eab, IN_ISSUER, RSRC_CONF,
        "key id and MAC key that the CA gave you, or a JSON file with both, "
        "or none"),
    AP_INIT_TAKE1("ACMEProfile", set_profile, IN_ISSUER, RSRC_CONF,
        "certificate profile to ask the CA for, or none"),
    AP_INIT_FLAG("ACMEProfileMandatory", set_flag, IN_ISSUER, RSRC_CONF,
        "whether nothing is ordered if the CA lacks the profile: on or off"),
    AP_INIT_TAKE1("ACMEPreferredChain", set_preferred_chain, IN_ISSUER,
        RSRC_CONF, "common name of the topmost issuer of the chain to use"),
    AP_INIT_TAKE1("ACMEIssuerDomain", set_issuer_domain, IN_ISSUER, RSRC_CONF,
        "domain name that the CA is called by in CAA records"),
    AP_INIT_FLAG("ACMERenewViaARI", set_flag, IN_ISSUER, RSRC_CONF,
        "whether the CA is asked when to renew: on or off"),
    AP_INIT_FLAG("ACMEStaging", set_flag, IN_ISSUER, RSRC_CONF,
        "whether the CA's own CA for tests is asked instead: on or off"),
    AP_INIT_FLAG("ACMECommonNameInCSR", set_flag, IN_ISSUER, RSRC_CONF,
        "whether requests name the first name as common name too: on or off"),
    AP_INIT_TAKE_ARGV("ACMECAChallenges", set_proof, IN_SECTION, RSRC_CONF,
        "challenges to prove names with, the preferred ones first"),
    AP_INIT_TAKE_ARGV("ACMEChallengeCmd", set_proof, IN_SECTION, RSRC_CONF,
        "convention and program that changes the DNS, or none"),
    AP_INIT_TAKE_ARGV("ACMEChallengeDns01", set_proof, IN_SECTION, RSRC_CONF,
        "program that changes the DNS, as mod_md calls it"),
    AP_INIT_TAKE1("ACMEChallengeDns01Version", set_dns01_version, NULL,
        RSRC_CONF, "2: that program gets the value at teardown, too; or 1"),
    AP_INIT_TAKE_ARGV("ACMEPreflight", set_proof, IN_SECTION, RSRC_CONF,
        "what is looked at before an order may do: off, warn or require"),
    AP_INIT_TAKE_ARGV("ACMEDNSUpdate", set_proof, IN_SECTION, RSRC_CONF,
        "primary name server that takes updates, and the file of its TSIG "
        "key, or none"),
    AP_INIT_TAKE_ARGV("ACMEDNSDelegation", set_proof, IN_SECTION, RSRC_CONF,
        "zones that CNAME records of _acme-challenge names may lead to"),
    AP_INIT_TAKE_ARGV("ACMEDNSPropagation", set_proof, IN_SECTION, RSRC_CONF,
        "how long name servers may take to have a record, and how often they "
        "are asked, or off"),
    AP_INIT_TAKE_ARGV("ACMEDNSResolver", set_proof, IN_SECTION, RSRC_CONF,
        "addresses of the name servers that are asked about other zones"),
    AP_INIT_TAKE_ARGV("ACMEHook", set_hook, IN_SECTION, RSRC_CONF,
        "pre, deploy or post, and a command to be run then, or none"),
    AP_INIT_TAKE_ARGV("ACMEEventCmd", set_hooks, IN_SECTION, RSRC_CONF,
        "program that is told of events, or none"),
    AP_INIT_TAKE_ARGV("ACMEMessageCmd", set_hooks, IN_SECTION, RSRC_CONF,
        "the same, as mod_md names it"),
    AP_INIT_TAKE_ARGV("ACMENotifyCmd", set_hooks, IN_SECTION, RSRC_CONF,
        "program that is told that a certificate was renewed, or none"),
    AP_INIT_TAKE_ARGV("ACMEDirectoryHooks", set_hooks, IN_SECTION, RSRC_CONF,
        "whether renewals run what is in renewal-hooks/: on or off"),
    AP_INIT_TAKE_ARGV("ACMEHookValidation", set_hooks, IN_SECTION, RSRC_CONF,
        "whether programs of hooks must exist at start: on or off"),
    AP_INIT_TAKE_ARGV("ACMEHookTimeout", set_hooks, IN_SECTION, RSRC_CONF,
        "how long one hook may run"),
    AP_INIT_TAKE_ARGV("ACMEWarnWindow", set_hooks, IN_SECTION, RSRC_CONF,
        "what is left of a certificate's life when people are warned"),
    AP_INIT_TAKE_ARGV("ACMERenewMode", set_timing, IN_SECTION, RSRC_CONF,
        "whether certificates are renewed: auto, always (also unused ones) or "
        "manual"),
    AP_INIT_TAKE_ARGV("ACMEDriveMode", set_timing, IN_SECTION, RSRC_CONF,
        "the same, as mod_md named it once"),
    AP_INIT_TAKE_ARGV("ACMERenewWindow", set_timing, IN_SECTION, RSRC_CONF,
        "what is left of a certificate's life when it is renewed"),
    AP_INIT_TAKE_ARGV("ACMECheckInterval", set_timing, IN_SECTION, RSRC_CONF,
        "how often a CA that names no time is asked when to renew"),
    AP_INIT_TAKE_ARGV("ACMEInitialDelay", set_timing, IN_SECTION, RSRC_CONF,
        "how long nothing is ordered after a start"),
    AP_INIT_TAKE_ARGV("ACMERetryDelay", set_timing, IN_SECTION, RSRC_CONF,
        "how long after the first failure it is tried again"),
    AP_INIT_TAKE_ARGV("ACMERetryFailover", set_timing, IN_SECTION, RSRC_CONF,
        "how many failures before the next CA is asked"),
    AP_INIT_TAKE_ARGV("ACMEActivationDelay", set_timing, IN_SECTION, RSRC_CONF,
        "how old a new certificate is when it is first served"),
    AP_INIT_TAKE_ARGV("ACMEMirror", set_hooks, IN_SECTION, RSRC_CONF,
        "program that copies each new certificate elsewhere, or none"),
    AP_INIT_TAKE_ARGV("ACMETracking", set_hooks, IN_SECTION, RSRC_CONF,
        "keeps a record of each renewal: file:DIRECTORY, cmd:PROGRAM WORD "
        "..., or none"),
    AP_INIT_TAKE_ARGV("ACMETrackingData", set_hooks, IN_SECTION, RSRC_CONF,
        "what those records get: csr, crt, lineage, or none"),
    AP_INIT_TAKE_ARGV("ACMETrackingRequired", set_hooks, IN_SECTION, RSRC_CONF,
        "nothing is ordered without a record: on or off"),
    AP_INIT_TAKE_ARGV("ACMEMirrorFailure", set_hooks, IN_SECTION, RSRC_CONF,
        "what follows when that program fails: retry or ignore"),
    AP_INIT_FLAG("ACMEMustStaple", set_flag, IN_SECTION, RSRC_CONF,
        "whether the certificate demands a stapled OCSP answer: on or off"),
    AP_INIT_FLAG("ACMEReuseKey", set_flag, IN_SECTION, RSRC_CONF,
        "whether renewals keep the private key: on or off"),
    AP_INIT_FLAG("ACMEAllowSubset", set_flag, IN_SECTION, RSRC_CONF,
        "whether names that cannot be proved are left out: on or off"),
    AP_INIT_TAKE_ARGV("ACMEPrivateKeys", set_private_keys, IN_SECTION,
        RSRC_CONF, "key types: " KEY_TYPES ", or one of each"),
    AP_INIT_TAKE1("ACMECSRFile", set_csr, IN_SECTION, RSRC_CONF,
        "signing request of one ACMEDomain, whose key only you have"),
    AP_INIT_TAKE_ARGV("ACMEMembers", set_members, IN_SECTION, RSRC_CONF,
        "more names of the certificate; auto or manual: whether names of its "
        "virtual hosts are put in"),
    AP_INIT_TAKE_ARGV("ACMEMember", set_members, IN_SECTION, RSRC_CONF,
        "the same as ACMEMembers"),
    AP_INIT_TAKE1("ACMEMatchNames", set_match_names, NULL, RSRC_CONF,
        "names that lead from a virtual host to its certificate: all or "
        "servernames"),
    AP_INIT_FLAG("ACMEBaseServer", set_base_server, NULL, RSRC_CONF,
        "whether the main server gets a certificate: on or off"),
    AP_INIT_TAKE1("ACMECertificateFile", add_certificate_file, IN_SECTION,
        RSRC_CONF, "file of a certificate that you have yourself"),
    AP_INIT_TAKE1("ACMECertificateKeyFile", add_key_file, IN_SECTION,
        RSRC_CONF, "file of its key"),
    AP_INIT_TAKE_ARGV("ACMERequireHttps", set_enhance, IN_SECTION, RSRC_CONF,
        "whether plain requests are sent to https: off, temporary or "
        "permanent"),
    AP_INIT_TAKE_ARGV("ACMEHSTS", set_enhance, IN_SECTION, RSRC_CONF,
        "how long clients are told to come by https alone: off, auto, or a "
        "time, subdomains, preload"),
    AP_INIT_TAKE_ARGV("ACMEUpgradeInsecure", set_enhance, IN_SECTION,
        RSRC_CONF,
        "whether clients are told to fetch all that pages refer to by https: "
        "on or off"),
    AP_INIT_TAKE1("ACMECertificateProtocol", acme_httpd_set_protocol,
        IN_ISSUER, RSRC_CONF, "ACME, as there is no other"),
    AP_INIT_TAKE1("ACMEStoreLocks", acme_httpd_set_store_locks, NULL,
        RSRC_CONF, "of mod_md: the state directory always has its locks"),
    AP_INIT_TAKE2("ACMECertificateCheck", acme_httpd_set_check, NULL,
        RSRC_CONF, "name and URL of a site that knows certificates"),
    AP_INIT_FLAG("ACMEStapling", set_flag, IN_SECTION, RSRC_CONF,
        "whether certificates are sent with answers of OCSP: on or off"),
    AP_INIT_FLAG("ACMEStapleOthers", acme_httpd_set_staple_others, IN_SECTION,
        RSRC_CONF, "of mod_md: certificates of others are left to mod_ssl"),
    AP_INIT_TAKE1("ACMEStaplingKeepResponse", acme_httpd_set_stapling_keep,
        NULL, RSRC_CONF, "of mod_md: one answer is kept, until the next one"),
    AP_INIT_TAKE1("ACMEStaplingRenewWindow", acme_httpd_set_stapling_window,
        NULL, RSRC_CONF,
        "how much of an answer's life is left when it is "
        "asked for again: N% or a time"),
    AP_INIT_RAW_ARGS("ACMEDomain", domain_line, NULL, RSRC_CONF,
        "names of one certificate, then auto or manual"),
    AP_INIT_RAW_ARGS("<ACMEDomain", domain_section, NULL, RSRC_CONF,
        "names of one certificate with settings of its own"),
    AP_INIT_RAW_ARGS(ACME_HTTPD_ISSUER, issuer_section, NULL, RSRC_CONF,
        "name of a CA with settings of its own"),
    AP_INIT_RAW_ARGS("<ACMEDomainSet", domain_section, NULL, RSRC_CONF,
        "the same, as mod_md names it"),
    { .name = NULL },
};
