/*
 * Verbs about versions of lineages and what is done with them.
 */
#include "acmectl/ctl_options.h"

const struct ctl_verb ctl_verbs_versions[] = {
    { .name = "versions",
        .aliases = "checkpoints",
        .group = CTL_GROUP_VERSIONS,
        .run = ctl_versions,
        .options = "cert-name",
        .usage = "[--cert-name NAME]",
        .summary = "the versions of a lineage",
        .text =
            "Shows the versions that there are of every lineage, the newest "
            "first: number, names, key type, serial number, times, who has "
            "signed it and the CA it is from; which one is live; and why one "
            "should not be: because it is damaged, was revoked, has expired. "
            "The newest five are kept, and any that is younger than an "
            "hour.\n" },
    { .name = "rollback",
        .group = CTL_GROUP_VERSIONS,
        .run = ctl_rollback,
        .options = "cert-name checkpoints to force lock-timeout",
        .usage = "--cert-name NAME [--checkpoints N | --to VERSION] "
                 "[--force]",
        .summary = "make an older version live again",
        .text =
            "Makes an older version of a lineage live again: the one before, "
            "or so many back, or the one that is named, which may be a newer "
            "one too. Versions that are damaged are passed over; one that was "
            "revoked, has expired or is not valid yet is refused without "
            "`--force`. Where there are fewer versions than asked for it is "
            "the oldest, and where there is none nothing is done; both is a "
            "warning.\n"
            "Servers that run serve it within two seconds, and run the deploy "
            "hooks and the mirror for it; without one that happens at the "
            "next start. An event `rolled-back` tells of it. It stays so, "
            "until the lineage is renewed: that is when the certificate that "
            "is live now has to be, which the output says. If that is at "
            "once, because little is left of it, a name is missing or it was "
            "revoked, the new version takes its place within seconds.\n" },
    { .name = "delete",
        .group = CTL_GROUP_VERSIONS,
        .flags = CTL_SEVERAL,
        .run = ctl_delete,
        .options = "cert-name force yes lock-timeout",
        .usage = "--cert-name NAME... [--force] [--yes]",
        .summary = "delete all there is of a lineage",
        .text =
            "Deletes all there is of a lineage: settings, record, orders, "
            "every version with its keys, and the live link; also what is "
            "left of one. Its events stay, and files of somebody else's "
            "beside the versions. A person at a terminal is asked before, "
            "without `--yes` or `-n`. Of several nothing is deleted unless "
            "all may be.\n"
            "What a server declares is deleted with `--force` alone. A server "
            "that runs goes on serving its certificate from memory. Once it "
            "is reloaded or restarted it has none until it has obtained "
            "another one, which it does at once, and which counts towards the "
            "CA's limits. Settings that cannot be read may be of a server.\n"
            "Nothing is revoked by this; the CA knows nothing of it.\n" },
    { .name = "deploy",
        .group = CTL_GROUP_VERSIONS,
        .run = ctl_deploy,
        .options = "cert-name private-key certificate chain force "
                   "lock-timeout",
        .usage = "--cert-name NAME --private-key FILE --certificate FILE "
                 "[--chain FILE] [--force]\n"
                 "--cert-name NAME [--force]",
        .summary = "bring in a certificate, or run its hooks again",
        .text =
            "Brings a key and a certificate that came from elsewhere in as "
            "the live version of a lineage. They have to pass what a CA's "
            "have to, and what is wrong is said in one of these words:\n"
            "* `KeyMismatch`: the key is that of another certificate\n"
            "* `ExpiredCertificate`: it has expired; or it would be renewed "
            "at once, which `--force` accepts\n"
            "* `DefinitionMismatch`: a name that is wanted is missing, or the "
            "key is of another type, which `--force` accepts\n"
            "* `InvalidTrustChain`: a certificate of the chain was not signed "
            "by the next one\n"
            "* `RevokedCertificate`, `InvalidCertificate`: anything else\n"
            "Certificates of the lineage for keys of another algorithm stay. "
            "Servers that run serve it within two seconds and run the deploy "
            "hooks; it is renewed as any other. One that is live already "
            "changes nothing.\n"
            "Without the files the deploy hooks of what is live are run, if "
            "they have not been, or with `--force` once more: by a server "
            "that runs, else by the next start. A tracking record is written "
            "by who runs them.\n" },
    { .name = "export",
        .group = CTL_GROUP_VERSIONS,
        .run = ctl_export,
        .options = "cert-name format part of-version key-algorithm output "
                   "password-file",
        .usage = "--cert-name NAME [--format FORMAT] [--part PART] "
                 "[-o FILE]\n"
                 "--cert-name NAME --format pkcs12 [--password-file FILE] "
                 "[-o FILE]\n"
                 "--format certbot [--cert-name NAME] -o DIRECTORY",
        .summary = "one file with what another program wants",
        .text =
            "Writes the certificate of a lineage in the form that another "
            "program reads, to a file that did not exist or to standard "
            "output. It is a copy: for programs that have to follow renewals, "
            "have a deploy hook do it.\n"
            "With `--format certbot` a directory is made, with all lineages "
            "or "
            "that one, their versions, settings and accounts, which Certbot "
            "renews from there on: `certbot renew --config-dir DIRECTORY`. Of "
            "two keys it has the first. How names are proved it cannot know: "
            "`authenticator` in renewal/NAME.conf is `standalone`, or "
            "`manual` "
            "with the hooks that change the DNS.\n"
            "A private key is not written to a terminal unless that is asked "
            "for, with `-o -`. A password is never taken from the command "
            "line.\n" },
    { .name = "install",
        .group = CTL_GROUP_VERSIONS,
        .flags = CTL_OPERANDS,
        .run = ctl_install,
        .options = "cert-name print",
        .usage = "--print --cert-name NAME [nginx | httpd | haproxy | "
                 "postfix | dovecot]...",
        .summary = "lines for the configuration of other servers",
        .text =
            "Prints the lines that make a server without this module use the "
            "files of a lineage; for all that are known, or those that are "
            "named. acmectl writes into no configuration, so that without "
            "`--print` it is an error. A server with the module needs none of "
            "these lines. Others have to be told to read the files again when "
            "there is a new certificate, by a deploy hook, and must be able "
            "to read them: as root, or as the group of `acme_key_group` or "
            "`ACMEKeyGroup`.\n" },
    { .name = "enhance",
        .group = CTL_GROUP_VERSIONS,
        .flags = CTL_SEVERAL,
        .run = ctl_enhance,
        .options = "cert-name redirect no-redirect hsts no-hsts auto-hsts "
                   "no-auto-hsts uir no-uir staple-ocsp lock-timeout",
        .usage = "[--cert-name NAME...]\n"
                 "--cert-name NAME... [--redirect] [--hsts | --auto-hsts] "
                 "[--uir]\n"
                 "--cert-name NAME... [--no-redirect] [--no-hsts] "
                 "[--no-auto-hsts] [--no-uir]",
        .summary = "what servers do so that clients come by https",
        .text =
            "Says of a lineage what every server with the module does for its "
            "names: send plain requests to https, tell clients to come by "
            "https alone, have them fetch by https what pages refer to. "
            "Nothing is written into a configuration. A server that runs does "
            "so within two seconds, without a reload, while it has a valid "
            "certificate of the lineage; challenges are never sent away. What "
            "a directive of the server says goes before: "
            "`acme_require_https`, `acme_hsts`, `acme_upgrade_insecure`, "
            "`ACMERequireHttps`, `ACMEHSTS`, `ACMEUpgradeInsecure`.\n"
            "What is on already is a warning; what is supported by no server "
            "is an error. Without an option it is shown what was said of each "
            "lineage, or of one, and what is supported.\n" },
    { .name = "relink",
        .aliases = "update_symlinks",
        .group = CTL_GROUP_VERSIONS,
        .run = ctl_relink,
        .options = "cert-name lock-timeout",
        .usage = "[--cert-name NAME]",
        .summary = "repair the live link",
        .text =
            "Repairs the live link of every lineage, or of one, where it is "
            "gone, leads nowhere, out of the archive, or to a version that is "
            "damaged: it then is the newest version that can be served. A "
            "good link is left alone, whatever version it leads to. What is "
            "no symbolic link is told of, and left alone.\n"
            "The archive has its place in the state directory and cannot be "
            "moved out of it; the state directory as a whole can, while "
            "nobody uses it.\n" },
    { .name = NULL },
};
