/*
 * Verbs that look, and tell.
 */
#include "acmectl/ctl_options.h"

const struct ctl_verb ctl_verbs_look[] = {
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
            "* `not_stapled`: it shows a certificate with must-staple without "
            "an answer of OCSP that is good\n"
            "With `--connect` the TLS listeners of the servers that run, and "
            "want the lineage, are asked by a handshake for each of its names "
            "that the certificate covers, with each key type that it has; "
            "one that shows the live certificate is enough, as others may be "
            "of another site, but none may show another version of it. `-v` "
            "and `--json` tell if an answer of OCSP is stapled. "
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
    { .name = NULL },
};
