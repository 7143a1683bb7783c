/*
 * The table of verbs, with what the manual says of them.
 */
#include "acmectl/ctl_options.h"

#include <string.h>

const struct ctl_verb ctl_verbs[] = {
    { .name = "issue",
        .aliases = "certonly",
        .group = CTL_GROUP_OBTAIN,
        .run = ctl_issue,
        .options =
            "cert-name domains server staging email agree-tos eab-kid "
            "eab-file eab-alg ca-file no-verify-ssl key-type reuse-key "
            "must-staple "
            "preferred-chain profile required-profile allow-subset-of-names "
            "preferred-challenges challenge-cmd manual-auth-hook "
            "manual-cleanup-hook dns-update dns-propagation preflight "
            "pre-hook deploy-hook post-hook no-directory-hooks "
            "disable-hook-validation no-autorenew keep-until-expiring expand "
            "renew-with-new-domains duplicate break-my-certs force dry-run",
        .usage = "-d NAME... [--cert-name NAME] [--server URL] [OPTION]...",
        .summary = "have a certificate for names, without a server's wish",
        .text =
            "Has a certificate issued, and keeps it as a lineage that acmectl "
            "wants: the files are below live/ in the state directory, and "
            "`acmectl renew` renews it with what was said the last time, "
            "until "
            "an option says something else. A server that uses the same state "
            "directory answers the CA for it; where none runs, a program that "
            "changes the DNS has to prove the names, or updates of the "
            "DNS.\n"
            "A lineage with exactly these names is the one that is meant: it "
            "is renewed if it is due, or with `--force`. More names than a "
            "lineage has are a question, which `--expand` answers; fewer are "
            "another certificate. With `--cert-name` that lineage is meant, "
            "whatever its names, and `--renew-with-new-domains` says that "
            "they are to be others; a new one gets that name, else that of "
            "its first name, with -0001 behind it if there is one. What a "
            "server's configuration wants is renewed as `renew` would, and "
            "never changed. An option is kept only if all went well.\n"
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
            "Renews what is due. For each lineage the server that declares it "
            "is asked, and its answer waited for. Where no running server has "
            "the lineage, acmectl does the work itself, in processes "
            "separated as the server's are; the engine runs as `_acme` or, if "
            "there is no such user and acmectl runs as root, with user and "
            "group id 65534. acmectl listens on no port: also then a web "
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
            "A lineage whose last attempt failed is tried again at once, "
            "whatever the time of its next attempt; not so while its CA has "
            "asked to be left alone. A lineage that nobody declares any more "
            "(dormant) is left alone, and an error only if it was named.\n"
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
    { .name = "certificates",
        .aliases = "list",
        .group = CTL_GROUP_LOOK,
        .run = ctl_certificates,
        .flags = CTL_SEVERAL,
        .options = "cert-name domains",
        .usage = "[--cert-name NAME]... [-d NAME]...",
        .summary = "every certificate, in Certbot's words",
        .text =
            "Shows every certificate that there is, or those of the lineages "
            "or names that are given, in the words of Certbot's verb: its "
            "name, serial number, names, end and files. \"VALID\" becomes "
            "\"INVALID: TEST_CERT\", \"EXPIRED\" or \"REVOKED\". Lineages "
            "without a certificate, or with damaged files, are below. "
            "`status` tells more.\n" },
    { .name = "status",
        .group = CTL_GROUP_LOOK,
        .run = ctl_status,
        .flags = CTL_SEVERAL,
        .options = "cert-name domains",
        .usage = "[--cert-name NAME]... [-d NAME]...",
        .summary = "the servers that run, and all of every lineage",
        .text =
            "Shows for each state directory its path, the servers that run on "
            "it, and every lineage, or those that are given: its state, "
            "names, key types, issuer, serial number, times, last error and "
            "files; a second certificate, of another key algorithm, under "
            "\"also\". It tells when and why the next renewal is, which names "
            "a certificate lacks (\"missing\"), whether it is of a CA for "
            "tests (\"test CA\"), which other CA of a list was asked last "
            "(\"asked instead\"), where a person can do something about an "
            "error (\"see\"), and that the CA's clock is not ours "
            "(\"clock\"). States are in `acmectl help states`. That a lineage "
            "is failing or has expired does not change the exit status.\n" },
    { .name = "check",
        .group = CTL_GROUP_LOOK,
        .flags = CTL_OPERANDS | CTL_SEVERAL,
        .run = ctl_check,
        .options = "cert-name domains connect connect-to ocsp",
        .usage = "[--cert-name NAME]... [[-d] NAME]... [--connect | "
                 "--connect-to HOST:PORT] [--ocsp]",
        .summary = "whether certificates are as they should be",
        .text =
            "Looks at every certificate, or at those of the lineages or names "
            "that are given, and says whether something has to be done, in a "
            "line for each and by the exit status: 0 if all are up to date, "
            "else 1. With `-q` nothing is printed but what is not, which "
            "makes it a check for monitoring. Nothing is changed, and "
            "nothing ordered. These are the reasons, which `--json` has as a "
            "list:\n"
            "* `new`: there is no certificate yet\n"
            "* `missing`: none of a key type that is wanted\n"
            "* `changed`: other names, another CA or another key type are "
            "wanted than it has; names that it does not cover are listed\n"
            "* `conflict`: servers want different things\n"
            "* `expiring`: it is in its warning window (`acme_warn_window`, "
            "`ACMEWarnWindow`)\n"
            "* `expired`, `revoked`: as far as is known here\n"
            "* `damaged`: its files cannot be used, or its key or chain do "
            "not fit\n"
            "* `not_served`: a server shows something else\n"
            "With `--connect` the TLS listeners of the servers that run, and "
            "want the lineage, are asked by a handshake for each of its names "
            "that the certificate covers, with each key type that it has; "
            "one that shows the live certificate is enough, as others may be "
            "of another site, but none may show another version of it. "
            "`--connect-to` asks another place, as a load balancer. With "
            "`--ocsp` the responder of its CA is asked about each "
            "certificate; one that does not answer is no reason. Both is done "
            "by a process that is not root and has no access to the state "
            "directory.\n"
            "A lineage that nobody declares any more (dormant) is looked at "
            "for damage and revocation only.\n" },
    { .name = "doctor",
        .group = CTL_GROUP_LOOK,
        .run = ctl_doctor,
        .options = "repair",
        .usage = "[--repair]",
        .summary = "what is wrong with the state directory, and repair it",
        .text =
            "Looks at the state directory and the machine it is on, and says "
            "what is wrong (\"wrong\"), what is worth knowing (\"note\"), and "
            "what to do about it. The exit status is 1 if something is "
            "wrong, and remains so. It looks at:\n"
            "* objects: owners, modes, links, FIFOs and devices that do not "
            "belong there, JSON that is none, temporary files of programs "
            "that crashed, what is left of lineages that there are no more; "
            "the directories above, too\n"
            "* lineages: settings, every version with its pairs of key and "
            "certificate, the files that other programs are pointed at, the "
            "live link, versions that were not switched to\n"
            "* accounts: whether their keys are there; orders whose "
            "challenges nobody can answer\n"
            "* servers: what their processes are confined to, by "
            "capabilities, seccomp and the rest; whether they see the state "
            "directory read-only, as with `ProtectSystem=` of systemd; "
            "profiles of AppArmor, labels of SELinux, Landlock\n"
            "* disk and clock: room, a file system that is read-only, a clock "
            "that the CA's is far from\n"
            "With `--repair` it sets modes, removes what crashed programs "
            "have left, goes on with a version that was complete, and has a "
            "live link that leads to nothing sound lead to the version that "
            "servers use instead, or, if there is no link, to the newest that "
            "is sound. It takes the lock of each lineage, and leaves one that "
            "somebody is at work on alone. What has another owner, was "
            "planted, is damaged, or may be meant as it is, is never "
            "touched.\n" },
    { .name = "events",
        .group = CTL_GROUP_LOOK,
        .run = ctl_events,
        .options = "cert-name domains lines follow",
        .usage = "[--cert-name NAME | -d NAME] [--lines N] [-f]",
        .summary = "what has happened lately, or happens",
        .text =
            "Shows what has happened lately, the newest last, a line for each "
            "event: when, what, to which lineage; in words; and what else is "
            "known of it, last whose store has noted it. Of one lineage with "
            "`--cert-name`, or with `-d` and a name that it has. With `-f` it "
            "goes on with what happens from then on, until it is "
            "interrupted.\n"
            "With `--json` each line is a JSON object; its members, and the "
            "events that there are, are in the documentation of the state "
            "directory. No more than the last 3 MB are kept.\n" },
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
                 "[-o FILE]",
        .summary = "one file with what another program wants",
        .text =
            "Writes the certificate of a lineage in the form that another "
            "program reads, to a file that did not exist or to standard "
            "output. It is a copy: for programs that have to follow renewals, "
            "have a deploy hook do it.\n"
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
    { .name = "account list",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_list,
        .options = "account server",
        .usage = "[--account ID] [--server URL]",
        .summary = "the accounts",
        .text = "Shows the accounts: the id of the key, the CA, and the "
                "account's URL.\n" },
    { .name = "account show",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_show,
        .options = "account server details",
        .usage = "[-d] [--account ID] [--server URL]",
        .summary = "one account",
        .text = "Shows one account; the first line is \"Account URI:\" and "
                "its URL, as CAA records want it. With `-d` the CA is asked, "
                "and its word on status and contacts shown.\n" },
    { .name = "account update",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_account_update,
        .options = "account server",
        .usage = "CONTACT... [--account ID] [--server URL]\n"
                 "clear [--account ID] [--server URL]",
        .summary = "change its contacts",
        .text =
            "Gives the account other contacts, or with the word `clear` none. "
            "A server tells the CA of the contacts of its configuration when "
            "these change, and then those count.\n" },
    { .name = "account rekey",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_account_rekey,
        .options = "account server force",
        .usage = "[TYPE | FILE] [--force] [--account ID] [--server URL]",
        .summary = "change its key",
        .text =
            "Gives the account another key, at every CA where it has the old "
            "one, or at none: when a CA does not take it, those that have are "
            "asked to go back. The new key is of the old one's type, or of "
            "TYPE (`ecdsa[:256|384|521]`, `rsa[:2048|3072|4096]`), whatever "
            "type the configuration asks for, or is a copy of the one in "
            "FILE. Running servers take the new key within two seconds; from "
            "then on they do not answer challenges for the old one any more. "
            "The account's URL, and with it CAA records, stay. The old key is "
            "kept as keys/ID.replaced.pem.\n"
            "A job at work with the account is waited for, 15 seconds at "
            "most. Orders in flight with the account are named, and nothing "
            "is done; with `--force` they are dropped. A change that was "
            "interrupted does no harm: servers ask the CAs which key they "
            "know, and the next `account rekey` completes it. A key in a file "
            "that the configuration names is changed there.\n" },
    { .name = "account deactivate",
        .group = CTL_GROUP_ACCOUNT,
        .run = ctl_account_deactivate,
        .options = "account server confirm",
        .usage = "[--confirm] [--account ID] [--server URL]",
        .summary = "end it at its CA, for good",
        .text =
            "Ends an account at its CA, which cannot be undone: its key is "
            "never taken there again, and a server that is to go on with that "
            "CA has to be given another (`account_key`, `ACMEAccountKey`). "
            "When the CA has confirmed it, the account is put aside; its key, "
            "which may serve other CAs, and certificates stay. At a terminal "
            "it asks first; otherwise `--confirm` is needed.\n" },
    { .name = "key thumbprint",
        .group = CTL_GROUP_ACCOUNT,
        .flags = CTL_OPERANDS,
        .run = ctl_key_thumbprint,
        .usage = "[FILE]...",
        .summary = "thumbprints of account keys",
        .text =
            "Prints for each account key in the state directory its RFC 7638 "
            "thumbprint, type and id; or for each FILE with a key of your own "
            "(`account_key`, `ACMEAccountKey`) the same with its name. A "
            "server that is given a thumbprint (`acme_thumbprint`, "
            "`ACMEThumbprint`) answers for that account without its key.\n" },
    { .name = "dns records",
        .group = CTL_GROUP_DNS,
        .flags = CTL_OPERANDS,
        .run = ctl_dns_records,
        .options = "domains type ttl until",
        .usage = "[LINEAGE]... [--type TYPE,...] [--ttl SECONDS] "
                 "[--until TIME]\n"
                 "-d NAME... [--type TYPE,...] [--ttl SECONDS] [--until TIME]",
        .summary = "the records that prove names, for a zone file",
        .text =
            "Prints lines of a zone file, for you to publish: the records of "
            "all names of all lineages, of those lineages, or with `-d` of "
            "those names, at each of their CAs. Nothing is asked over the "
            "network; domain names of CAs come from a table or the "
            "configuration (`issuer_domain`, `ACMEIssuerDomain`), accounts "
            "from the state directory, never from what a CA says of itself. A "
            "name that no lineage has gets its records at every CA of the "
            "state directory. IP addresses have none. `--type` says which:\n"
            "* `caa`: that only this CA may issue, to this account "
            "(`accounturi`), by the challenges that are configured or can "
            "work (`validationmethods`); `issuewild` for wildcards\n"
            "* `dns-01`: where the record of an order will be, as a comment, "
            "or a CNAME into the first zone that names may be delegated to\n"
            "* `dns-account-01`: the same at the label of this account\n"
            "* `dns-persist-01`: the record that authorizes this account for "
            "good, with `policy=wildcard` where the lineage has the name's "
            "wildcard\n"
            "Without `--type` it is `caa`, and of the others what the "
            "configuration uses. What cannot be told, of a CA without an "
            "account or a domain name, is named on standard error, and the "
            "exit status is 1. CAA records count all together: where you have "
            "some of other CAs or for other hosts, keep them.\n" },
    { .name = "dns check",
        .group = CTL_GROUP_DNS,
        .flags = CTL_OPERANDS,
        .run = ctl_dns_check,
        .options = "domains type ttl until",
        .usage = "[LINEAGE]... [--type TYPE,...]\n"
                 "-d NAME... [--type TYPE,...]",
        .summary = "the same, as they are in the DNS",
        .text =
            "Looks the records of `dns records` up, at the name servers of "
            "the configuration (`acme_dns_resolver`, `ACMEDNSResolver`) or of "
            "this host, in processes separated as the server's are, and "
            "judges them: whether the CAA records of the name, or of the "
            "nearest domain above it that has some, allow this account at "
            "this CA with a challenge that can work; whether the record of "
            "dns-persist-01 is there and good; whether the place of dns-01 "
            "leads where records may be made. A line begins with \"ok\" or "
            "\"BAD\", and what should be published follows. The exit status "
            "is 1 if anything is bad or could not be told.\n" },
    { .name = "selftest",
        .group = CTL_GROUP_DNS,
        .flags = CTL_OPERANDS,
        .run = ctl_selftest,
        .options = "cert-name domains",
        .usage = "[--cert-name NAME] [[-d] NAME...]",
        .summary = "whether the CA will find the proof of names",
        .text =
            "Shows whether the CA will find the proof of each name, or of "
            "those named, as far as that can be known here: the challenge "
            "that is tried first; whether a running server answers it for the "
            "name (\"binding\"); whether whoever is at the addresses that the "
            "name has in the DNS does (\"reachability\"); whether CAA records "
            "allow the CA, the account and the challenge; and whether a "
            "validating resolver finds the DNS answers bogus. Each is "
            "\"good\", \"unknown\" (cannot be told from here), \"doubt\" "
            "(looks wrong, and may not be so for the CA), \"bad\", or \"-\" "
            "where it does not apply; below the table is why. The exit status "
            "is 1 if something is bad.\n"
            "Nothing is ordered: the CA is asked for its directory alone. For "
            "servers that answer the tokens of orders alone (`acme_stateless "
            "pending`), and for names that tls-alpn-01 proves, which are "
            "asked for by handshakes, a token is made one for some seconds, "
            "unless an order is in flight.\n" },
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
};

const size_t ctl_nverbs = sizeof(ctl_verbs) / sizeof(ctl_verbs[0]);

const struct ctl_verb *
ctl_verb_find(const char *word, const char *second)
{
    const struct ctl_verb *verb;
    size_t len = strlen(word);

    for (verb = ctl_verbs; verb < ctl_verbs + ctl_nverbs; verb++) {
        if (second == NULL ? strcmp(verb->name, word) == 0 ||
                                 ctl_has_word(verb->aliases, word, len)
                           : strncmp(verb->name, word, len) == 0 &&
                                 verb->name[len] == ' ' &&
                                 strcmp(verb->name + len + 1, second) == 0)
            return verb;
    }
    return NULL;
}

bool
ctl_verb_is_family(const char *word)
{
    const struct ctl_verb *verb;
    size_t len = strlen(word);

    for (verb = ctl_verbs; verb < ctl_verbs + ctl_nverbs; verb++)
        if (strncmp(verb->name, word, len) == 0 && verb->name[len] == ' ')
            return true;
    return false;
}
