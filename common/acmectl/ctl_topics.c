/*
 * Chapters of the manual that belong to no verb; the first one is its
 * description.
 */
#include "acmectl/ctl_options.h"

const struct ctl_topic ctl_topics[] = {
    { "description", "DESCRIPTION",
        "acmectl works on the state directory in which the ACME module of "
        "nginx or Apache httpd keeps accounts, keys and certificates, whether "
        "a server runs on it or not. It must be run by root or by the owner "
        "of that directory; run by root, it becomes the owner for good before "
        "it reads anything there.\n"
        "A certificate with all its versions is called a lineage. Its name is "
        "that of `acme_certificate ... name=` in nginx's configuration, else "
        "its first identifier; of an `ACMEDomain` of httpd, its first name; "
        "it stays that when names change.\n" },
    { "states", "STATES",
        "The state of a lineage is the first that holds of:\n"
        "* `conflict`: servers want different things; nothing is ordered\n"
        "* `dormant`: kept, but no server wants it\n"
        "* `expired`: the certificate is not valid any more\n"
        "* `revoked`: the certificate was revoked, and is served until the "
        "next one is there\n"
        "* `expiring`: less than a tenth of its life is left, or than the "
        "configuration says\n"
        "* `waiting`: the last attempt failed; a changed configuration is "
        "needed, or a day\n"
        "* `failing`: the last attempt failed; the next one has a time\n"
        "* `damaged`: the files of a version cannot be used\n"
        "* `pending`: the first certificate is being obtained\n"
        "* `missing`: there is no certificate, and no attempt has begun\n"
        "* `due`: to be ordered or renewed now\n"
        "* `ok`: none of these\n" },
    { "configuration", "CONFIGURATION",
        "Options that are to hold for every command may be in a file, a line "
        "for each, without its dashes; a line that begins with # is a "
        "comment:\n"
        "    state-dir = /var/lib/nginx/acme\n"
        "    log-file = /var/log/acmectl.log\n"
        "    verbose = true\n"
        "What the command line says goes before `ACME_STATE_DIR`, this before "
        "acmectl.ini in `$XDG_CONFIG_HOME` (in ~/.config without it), and "
        "that before /etc/acmectl.ini; the file that `--config` names is read "
        "in place of both. An option that the verb does not take is passed "
        "over; one that says what a single command is to do, as `cert-name`, "
        "is an error, and so is a file that others can change. An option that "
        "is false may be written so.\n"
        "The command line holds before what a server's configuration says of "
        "a "
        "lineage, that before what the lineage has kept, and that before "
        "these files. `acmectl config show --cert-name NAME` tells what it "
        "comes to, `acmectl config test` what is wrong.\n" },
    { "json", "JSON",
        "Times are UTC as in RFC 3339. With `--json` print\n"
        "* `certificates`, `status`: a document with the members schema, "
        "state_dir, separated, servers, counts and lineages for each state "
        "directory, described in common/STATUS.md of the sources\n"
        "* `renew`: an array of name, state_dir, ok, text; of a dry run that "
        "succeeds "
        "also not_run with stage, hook\n"
        "* `revoke`: an array of name, ok, text, serial; of a lineage that "
        "goes with it, deleted instead of serial\n"
        "* `delete`, `relink`: an array of name, ok, text; of `relink` also "
        "version\n"
        "* `rollback`: name, ok, from, to, serial, not_after, renewal (in "
        "words), renew_at and warnings\n"
        "* `deploy`: name, ok, version, renewal (in words), renew_at; or "
        "text\n"
        "* `versions`: lineages, an array of name and versions; of each "
        "version, live, damaged, expired, revoked, not_good (in words) and "
        "certificates: key, serial, fingerprint, not_before, not_after, "
        "signed_by, issuer, obtained\n"
        "* `install`: the lines as text, by program\n"
        "* `key thumbprint`: an array of thumbprint, key, id; for files: "
        "file\n"
        "* `dns records`, `dns check`: an array of name, type, issuer, owner, "
        "rr, ttl and, but for what is made for each order, value, line; of "
        "CAA also tag, of `check` also ok, text\n"
        "* `config show`: an array of option, value, from\n"
        "* `config test`: ok, files, state_dirs with state_dir, lineages, "
        "servers, and problems, an array of texts\n"
        "* `version`: version, openssl, curl, jansson\n" },
    { "environment", "ENVIRONMENT",
        "* `ACME_STATE_DIR`: the state directory, unless `--state-dir` is "
        "given\n"
        "* `XDG_CONFIG_HOME`, `HOME`: where acmectl.ini is looked for\n"
        "* `NO_COLOR`: there is nothing to be done for it, no output has "
        "colours\n"
        "Variables that could change how CAs are reached or trusted, such as "
        "`https_proxy`, `SSL_CERT_FILE` and `OPENSSL_CONF`, are ignored.\n" },
    { "files", "FILES",
        "* /var/lib/nginx/acme: the default state directory of nginx, unless "
        "the build has another one\n"
        "* /var/lib/apache2/acme: that of Apache httpd, likewise\n"
        "* /etc/acmectl.ini: options for every command\n"
        "Below the state directory are:\n"
        "* live/NAME/fullchain.pem, privkey.pem, cert.pem, chain.pem: the "
        "certificate that is served with its chain, its key, the certificate "
        "alone, the chain alone\n"
        "* record/NAME.json: attempts, the last error, and when the next "
        "attempt is\n"
        "* record/NAME.refused.pem: a certificate of the CA that was not "
        "accepted, and why\n"
        "* renewal-hooks/pre, deploy, post: programs of yours that renewals "
        "run\n"
        "* due/NAME.json, due-mirror/NAME.json, told/NAME.json: deploy hooks "
        "and mirrors that are still to be run, and how hooks went last\n"
        "* revoked/: what was revoked with `revoke`, and the keys that are "
        "barred\n"
        "* servers/*.sock: control sockets of the servers that run\n" },
    { "exit-status", "EXIT STATUS",
        "* 0: done; with `renew` also if nothing was due\n"
        "* 1: something failed; for `renew`, any of the lineages\n"
        "* 2: the command line or a configuration file is wrong, or there are "
        "several state directories and one was needed\n"
        "* 3: somebody else is at work on the lineage\n" },
    { "examples", "EXAMPLES",
        "What is there, and when it is renewed:\n"
        "    acmectl status\n"
        "Renew one certificate now, after a change of the issuer for "
        "example:\n"
        "    acmectl renew --force --cert-name example.com\n"
        "Whether everything could be renewed, after a change of a firewall "
        "for example:\n"
        "    acmectl renew --dry-run\n"
        "The lineages that are not in order:\n"
        "    acmectl certificates --json |\n"
        "        jq -r '.lineages[] | select(.state != \"ok\") | .name'\n" },
    { "see-also", "SEE ALSO",
        "nginx(8), apache2(8). The state directory, retries and log lines are "
        "described in common/README.md, the directives in "
        "ngx_acme_module/README.md and mod_acme_httpd/README.md.\n" },
    { "standards", "STANDARDS", "RFC 8555 (ACME), RFC 7638 (thumbprints).\n" },
};

const size_t ctl_ntopics = sizeof(ctl_topics) / sizeof(ctl_topics[0]);
