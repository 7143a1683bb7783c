/*
 * The verbs of all groups, in their order; each group has a file of its own.
 */
#include "acmectl/ctl_options.h"

#include <string.h>

static const struct ctl_verb *const groups[CTL_GROUPS] = {
    [CTL_GROUP_OBTAIN] = ctl_verbs_obtain,
    [CTL_GROUP_LOOK] = ctl_verbs_look,
    [CTL_GROUP_VERSIONS] = ctl_verbs_versions,
    [CTL_GROUP_ACCOUNT] = ctl_verbs_account,
    [CTL_GROUP_DNS] = ctl_verbs_dns,
    [CTL_GROUP_PROGRAM] = ctl_verbs_program,
};

const struct ctl_verb *
ctl_verb_next(const struct ctl_verb *verb)
{
    if (verb == NULL)
        return groups[0];
    if (verb[1].name != NULL)
        return verb + 1;
    return verb->group + 1 < CTL_GROUPS ? groups[verb->group + 1] : NULL;
}

const struct ctl_verb *
ctl_verb_find(const char *word, const char *second)
{
    const struct ctl_verb *verb;
    size_t len = strlen(word);

    for (verb = ctl_verb_next(NULL); verb != NULL;
         verb = ctl_verb_next(verb)) {
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

    for (verb = ctl_verb_next(NULL); verb != NULL; verb = ctl_verb_next(verb))
        if (strncmp(verb->name, word, len) == 0 && verb->name[len] == ' ')
            return true;
    return false;
}
