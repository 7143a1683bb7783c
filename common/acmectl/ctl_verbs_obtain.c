/*
 * Verbs that obtain certificates, or end them.
 */
#include "acmectl/ctl_options.h"

const struct ctl_verb ctl_verbs_obtain[] = {
    { .name = "issue",
        .aliases = "certonly",
        .group = CTL_GROUP_OBTAIN,
        .run = ctl_issue,
        .options =
            "cert-name domains csr cert-path chain-path fullchain-path "
            "server staging email agree-tos eab-kid "
            "eab-file eab-alg ca-file no-verify-ssl key-type reuse-key "
            "must-staple "
            "preferred-chain profile required-profile allow-subset-of-names "
            "preferred-challenges authenticator standalone http-01-port "
            "http-01-address tls-alpn-01-port tls-alpn-01-address webroot "
            "webroot-path webroot-map manual challenge-cmd manual-auth-hook "
            "manual-cleanup-hook dns-update dns-propagation preflight "
            "pre-hook deploy-hook post-hook no-directory-hooks "
            "disable-hook-validation no-autorenew keep-until-expiring expand "
            "renew-with-new-domains duplicate break-my-certs force dry-run",
        .usage = "-d NAME... [--cert-name NAME] [--server URL] [OPTION]...\n"
                 "--csr FILE [-d NAME...] [--cert-path FILE] [--chain-path "
                 "FILE] [--fullchain-path FILE] [OPTION]...",
        .summary = "have a certificate for names, without a server's wish",
        .text =
            "Has a certificate issued, and keeps it as a lineage that acmectl "
            "wants: the files are below live/ in the state directory. Any "
            "server that runs on it renews the certificate when it is due, as "
            "`acmectl renew` does, with what was said the last time, until an "
            "option says something else; not with `--no-autorenew`.\n"
            "A server that uses the same state directory answers the CA for "
            "it. Where there is none, one of these says who does: "
            "`--standalone`, a process of acmectl's that listens at port 80 "
            "(or 443, with `--preferred-challenges tls-alpn-01`) as long as "
            "the order takes; `--webroot`, files below "
            "DIR/.well-known/acme-challenge/ of another web server; "
            "`--manual`, a person or `--manual-auth-hook`. Or the DNS is "
            "changed, by a program or by updates.\n"
            "Standalone, hooks can stop and start what has the port "
            "otherwise (`--pre-hook`, `--post-hook`). Files are made and "
            "taken away as the owner of the directory; its path must have no "
            "links in it, nor below, and must not be writable by everybody. "
            "What has been proved by a person alone cannot be renewed "
            "without him: `renew` says so when it is due.\n"
            "A lineage with exactly these names is the one that is meant: it "
            "is renewed if it is due, or with `--force`. More names than a "
            "lineage has are a question, which `--expand` answers; fewer are "
            "another certificate. With `--cert-name` that lineage is meant, "
            "whatever its names, and `--renew-with-new-domains` says that "
            "they are to be others; a new one gets that name, else that of "
            "its first name, with -0001 behind it if there is one. What a "
            "server's configuration wants is renewed as `renew` would, and "
            "never changed. An option is kept only if all went well.\n"
            "With `--csr` the certificate is for the names and the key of a "
            "signing request, which is read once; `-d` may say the names "
            "again, and must say all of them then. Unlike that of a server's "
            "configuration it is no lineage: the certificate, its chain and "
            "both together are written to three files, which must not exist, "
            "and to nothing else; nobody renews it, and the key is never "
            "seen. Files that are not named are NNNN_cert.pem, "
            "NNNN_chain.pem and NNNN_fullchain.pem where the command is "
            "given, with the first number from 0000 on that is free. One "
            "that was interrupted goes on when the same request comes "
            "again.\n"
            "With `--dry-run` it is tried at a staging CA, see `renew`, and "
            "nothing is kept.\n" },
    { .name = "renew",
        .group = CTL_GROUP_OBTAIN,
        .flags = CTL_SEVERAL,
        .run = ctl_renew,
        .options = "cert-name force no-wait dry-run server",
        .usage = "[--cert-name NAME]... [--force] [--no-wait]\n"
                 "--dry-run [--cert-name NAME]... [--server URL]",
        .summary = "renew what is due, or try whether that would work",
        .text =
            "Renews what is due, in every state directory unless one is "
            "named. "
            "For each lineage the server that declares it "
            "is asked, and its answer waited for. Where no running server has "
            "the lineage, acmectl does the work itself, in processes "
            "separated as the server's are; the engine runs as `_acme` or, if "
            "there is no such user and acmectl runs as root, with user and "
            "group id 65534. What acmectl has issued with `--standalone`, "
            "`--webroot` or a program is proved in the same way again. "
            "Otherwise it listens on no port: also then a web "
            "server on the same state directory must answer the CA, unless "
            "the CA still holds the names for proved. Names that are proved "
            "by a program which changes the DNS need no server: it is run as "
            "the server would run it, but only if root alone can change it, "
            "as no other user is known here.\n"
            "Hooks (`acme_hook`, `ACMEHook`, those in renewal-hooks), and the "
            "command that is told of events, are run by the server that "
            "renews. Where acmectl does the work itself, it runs them, but "
            "only those that root alone can change; the post hooks when all "
            "lineages are through. A hook that fails is told on standard "
            "error and does not count for the exit status; where nothing is "
            "due none is run.\n"
            "A lineage that a person alone is to have renewed "
            "(`--no-autorenew`, `acme_renew_mode manual`, `ACMERenewMode "
            "manual`) is left alone unless `--cert-name` names it or "
            "`--force` is given.\n"
            "A lineage whose last attempt failed is tried again at once, "
            "whatever the time of its next attempt; not so while its CA has "
            "asked to be left alone. A lineage that nobody declares any more "
            "(dormant) is left alone, and an error only if it was named.\n"
            "A server that runs renews by itself what it has, and what "
            "acmectl "
            "has issued. For what is left, while none runs, `make install` "
            "brings a timer: `systemctl enable --now acmectl-renew.timer`.\n"
            "With `--dry-run` the renewal of every lineage, or of those that "
            "are named, is tried, whatever the date, and nothing of it kept: "
            "an order is made, each name proved, by the servers that run, by "
            "programs or by updates of the DNS, also where the CA knows it "
            "for proved already, and the certificate fetched, with a key that "
            "is forgotten, and checked. The CA is the staging CA that "
            "`letsencrypt` and `google` have, for others the lineage's own, "
            "whose limits count for dry runs as well; `--server` names "
            "another one, or the lineage's own. It is the first one of "
            "several, and the output says which it was.\n"
            "No version, record, order, event, tracking record or outcome of "
            "a hook is written, and no next attempt put off. What stays is an "
            "account: where the CA has none of our account key, it is "
            "registered there, with the contacts that are configured (but no "
            "external account binding of another CA's). While names are to be "
            "proved, orders/NAME~trial has the challenges.\n"
            "Pre and post hooks are run in a dry run. Deploy hooks and the "
            "mirror are not; they are named, each on a line of its own. The "
            "command for events is told nothing, and not asked. A record for "
            "dns-persist-01 has to name the account at the CA that is asked: "
            "at a staging CA it is another one. acmectl does all this itself, "
            "also beside a server, which answers the challenges that it finds "
            "in the state directory; programs are run as that server would "
            "run them. A lineage that is being worked on is waited for, one "
            "minute at most. A CA that has asked to be left alone is not "
            "asked; an order that is not through after ten minutes has "
            "failed. One that is interrupted may leave its records in the "
            "DNS.\n" },
    { .name = "revoke",
        .group = CTL_GROUP_OBTAIN,
        .run = ctl_revoke,
        .options = "cert-name cert-path key-path reason server force "
                   "delete-after-revoke no-delete-after-revoke yes "
                   "lock-timeout",
        .usage = "--cert-name NAME [--reason REASON] [--server URL] "
                 "[--force]\n"
                 "--cert-path FILE [--key-path FILE] [--reason REASON] "
                 "[--server URL] [--force]",
        .summary = "have its CA revoke a certificate",
        .text =
            "Has its CA revoke a certificate: that of a lineage, with those "
            "of all its key types, or the first one in a file. The request is "
            "signed by the account that ordered the certificate or, where "
            "there is none any more or the CA does not take its word, by the "
            "certificate's own key, if that is in the state directory or "
            "named with `--key-path`. One that is revoked already is no "
            "error. What a server declares and serves is revoked with "
            "`--force` alone.\n"
            "Nothing is taken from a server by this: the revoked certificate "
            "is served until its successor is there. A running server is "
            "asked to renew the lineage at once, with a new key; without one, "
            "`renew`, or the next start of the server, does it.\n"
            "A lineage whose live certificate was revoked and that no server "
            "declares is deleted then, with all its versions; a person at a "
            "terminal is asked before. `--no-delete-after-revoke` keeps it, "
            "`--delete-after-revoke` deletes it in any case, and with "
            "`--force` one that a server declares too; see `delete` for what "
            "that means.\n"
            "With the reason `keycompromise` the key is barred: no lineage of "
            "the state directory can have a certificate for it again, "
            "whatever is configured, and what is served with it is "
            "renewed.\n" },
    { .name = "csr",
        .group = CTL_GROUP_OBTAIN,
        .run = ctl_csr,
        .options = "cert-name domains key output subject must-staple",
        .usage = "-d NAME... | --cert-name NAME [--key FILE|TYPE] [--output "
                 "FILE] [--subject FIELD=VALUE]... [--must-staple]",
        .summary = "make a signing request, without asking a CA",
        .text =
            "Makes a signing request (PKCS#10, PEM) for the names that are "
            "given, or for those that a lineage is meant to have, and writes "
            "it to standard output or to a new file. The first name is the "
            "common name too, if it fits. The key is an existing file, or a "
            "new one of a type, `ecdsa` (P-256) without the option: it is "
            "written beside the request, as FILE.key, which only its owner "
            "can read. No file is written over.\n"
            "A request can be named in the configuration of a server "
            "(`csr=`, `ACMECSRFile`), which orders with it then and never has "
            "its key, or be sent to any other authority.\n" },
    { .name = "csr check",
        .group = CTL_GROUP_OBTAIN,
        .flags = CTL_OPERANDS,
        .run = ctl_csr_check,
        .options = "cert-name domains key",
        .usage = "FILE [--key FILE] [-d NAME... | --cert-name NAME]\n"
                 "--key FILE",
        .summary = "look at a signing request, and whether it fits",
        .text =
            "Reads a signing request, PEM or DER, says what it is for, and "
            "whether it is one that we would order with: signed with its own "
            "key, of a type that is known, all of its names in the "
            "subjectAltName, and such as a CA can be asked for. With `--key` "
            "whether that is its key, with `-d` or `--cert-name` whether it "
            "has just those names. With `--key` alone the key is read. The "
            "exit status is 1 if anything is not so.\n" },
    { .name = NULL },
};
