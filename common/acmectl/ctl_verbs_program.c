/*
 * Verbs about the state directory as a whole, and the program.
 */
#include "acmectl/ctl_options.h"

const struct ctl_verb ctl_verbs_program[] = {
    { .name = "backup",
        .group = CTL_GROUP_PROGRAM,
        .flags = CTL_OPERANDS,
        .run = ctl_backup,
        .options = "no-keys no-accounts lock-timeout",
        .usage = "FILE | - [--no-keys] [--no-accounts] [--lock-timeout "
                 "SECONDS]",
        .summary = "write lineages and accounts into a tar archive",
        .text =
            "Writes certificates, keys, settings, records and accounts into a "
            "new tar archive that only its owner can read; a file that exists "
            "is not written over. `-` is standard output, unless that is a "
            "terminal. Servers may run: each lineage is locked while it is "
            "read, and one that somebody is at work on waited for, else the "
            "exit status is 3 and there is no file.\n"
            "The archive holds every private key in plain text, as a warning "
            "on standard error says. With `--no-keys` there is none in it; "
            "then no certificate can be restored from it. Orders in flight, "
            "limits of CAs, events, and the programs in renewal-hooks/ are "
            "not in it.\n" },
    { .name = "restore",
        .group = CTL_GROUP_PROGRAM,
        .flags = CTL_OPERANDS,
        .run = ctl_restore,
        .options = "force",
        .usage = "FILE [--force]",
        .summary = "read such an archive back",
        .text =
            "Reads an archive of `backup` into the state directory, which is "
            "made if `--state-dir` names one that does not exist. No server "
            "may run on it. If it has lineages or account keys already, "
            "`--force` is needed: then settings, records and accounts of the "
            "archive replace those of the same name, its versions are added "
            "to those that there are, and what was live in the archive is "
            "live then. Nothing is deleted.\n"
            "The file must be root's, or the caller's, and closed to others: "
            "whoever could write it chooses the keys, and the programs that "
            "settings name. All of it is looked at first, by a process that "
            "can write nothing: an archive that has anything which no backup "
            "has (another path, a link, a device, a hard link, a special "
            "mode, a large file) is refused as a whole, by name. A version "
            "that is damaged or has no key is left out and told, and the exit "
            "status 1. Files are not unpacked: keys, certificates and JSON "
            "are parsed and written anew.\n" },
    { .name = "import",
        .group = CTL_GROUP_PROGRAM,
        .flags = CTL_OPERANDS | CTL_SEVERAL,
        .run = ctl_import,
        .options = "cert-name new-name server ca-file dry-run lock-timeout",
        .usage = "CLIENT PATH [--cert-name NAME]... [--dry-run]\n"
                 "CLIENT PATH --cert-name NAME --new-name NAME",
        .summary = "take over what another ACME client has",
        .text =
            "Takes over the lineages of another ACME client, all or those "
            "that `--cert-name` names, with all of their versions, their "
            "settings and the programs in its directories of hooks. What is "
            "there stays as it is. Each lineage is renewed then as what "
            "`issue` has "
            "issued, with these settings; servers whose configuration has one "
            "of that name serve it within two seconds. No hook is run for "
            "it.\n"
            "What of the settings has no counterpart is told with the reason "
            "and what to do instead, and so are the commands that keep the "
            "other client from renewing on. With `--dry-run` all of that is "
            "told, and nothing written.\n"
            "CLIENT and PATH are one of:\n"
            "* `certbot`: its configuration directory, /etc/letsencrypt\n"
            "* `mod_md`: its store, MDStoreDir\n"
            "* `nginx-acme`: the state_path of an issuer of nginx's own "
            "module\n"
            "* `acme.sh`: its home, ~/.acme.sh\n"
            "* `lego`: its directory, --path\n"
            "* `uacme`: its directory, /etc/ssl/uacme\n"
            "* `blueprint`: a blueprint of AutoSSL's, or a directory of them; "
            "the global configuration is the .yaml or .yml file in the same "
            "directory that has no `certificate`\n"
            "Where a client does not keep which CA a certificate is from, "
            "`--server` says it.\n"
            "Everything read must belong to root or the caller, in "
            "directories that nobody else can write. A lineage is here as a "
            "whole or not at all; one that is no use is told of, and the exit "
            "status 1 then. If one has a name that another one has here, "
            "nothing at all is taken over: take it over by itself, with "
            "`--cert-name` and `--new-name`. Doing it again changes "
            "nothing.\n" },
    { .name = "config show",
        .group = CTL_GROUP_PROGRAM,
        .run = ctl_config_show,
        .options =
            "cert-name domains server email agree-tos eab-kid eab-file "
            "eab-alg ca-file no-verify-ssl key-type reuse-key must-staple "
            "preferred-chain profile required-profile allow-subset-of-names "
            "preferred-challenges challenge-cmd manual-auth-hook "
            "manual-cleanup-hook dns-update dns-propagation preflight "
            "pre-hook deploy-hook post-hook no-directory-hooks "
            "disable-hook-validation no-autorenew",
        .usage = "[--cert-name NAME] [OPTION]...",
        .summary = "what each option is, and who has said so",
        .text =
            "Shows each option that may be in a configuration file, its value "
            "and where that comes from: the command line, the environment, a "
            "line of a file, or `built-in`, where nobody has said anything. "
            "With `--cert-name` it shows what counts for that lineage; a "
            "value is then also of the server whose configuration wants it, "
            "or of the `lineage`, which has kept it from the last time. A "
            "`-` is no value.\n" },
    { .name = "config test",
        .group = CTL_GROUP_PROGRAM,
        .flags = CTL_OWN_FILES,
        .run = ctl_config_test,
        .usage = "",
        .summary = "whether what is configured can be used",
        .text =
            "Reads the configuration files and tells all that is wrong in "
            "them, by file and line: options that there are not, values that "
            "cannot be, files that others can change. Then it looks at the "
            "settings of every lineage, whether they can be read and obeyed, "
            "and the files and programs that they name be used, and at the "
            "servers that run. A warning, which changes no exit status, is "
            "what works and is not meant: two certificates for the same "
            "names, one of acmectl's and one of a server's, or a server that "
            "was killed. It changes nothing, and asks no CA. The "
            "configuration of a server is tested by that: `nginx -t`, "
            "`apachectl -t`. The exit status is 0 or 1.\n" },
    { .name = "help",
        .group = CTL_GROUP_PROGRAM,
        .flags = CTL_OPERANDS,
        .run = ctl_help,
        .usage = "[VERB | TOPIC]",
        .summary = "what a verb does, and more",
        .text =
            "Tells about a verb, about one of the topics `states`, "
            "`configuration`, `json`, `environment`, `files`, `exit-status`, "
            "`examples`, about `options`, or about `all` of it. `acmectl help "
            "man` prints the manual page.\n" },
    { .name = "completion",
        .group = CTL_GROUP_PROGRAM,
        .flags = CTL_OPERANDS,
        .run = ctl_completion,
        .usage = "bash | zsh",
        .summary = "a script that completes commands in a shell",
        .text =
            "Prints a script with which the shell completes verbs and "
            "options. `make install` puts both where shells look; otherwise, "
            "in bash:\n"
            "    source <(acmectl completion bash)\n" },
    { .name = "version",
        .group = CTL_GROUP_PROGRAM,
        .run = ctl_version,
        .usage = "",
        .summary = "the versions of this program and its libraries",
        .text = "Prints the versions of this program and of the libraries "
                "that it runs with.\n" },
    { .name = NULL },
};
