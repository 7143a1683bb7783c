/*
 * What the files behind acme_engine.h share: what the engine knows of each
 * unit and each CA.
 */
#ifndef ACME_ENGINE_PRIVATE_H
#define ACME_ENGINE_PRIVATE_H

#include "drive/acme_engine.h"
#include "drive/acme_heap.h"

/* A unit. */
struct planned {
    bool wanted;
    bool running;
    bool again; /* asked for while it runs */
    bool asked; /* by a person, who waits for it */
    time_t since;
    bool force;
    time_t not_before, not_after; /* of what is live; 0: nothing */
};

/* A person's question about a lineage, until all its units have an answer. */
struct question {
    uint64_t id;
    unsigned left;
    bool ok;
    char text[ACME_LOG_LINE_MAX];
};

/* What the ledger says of a CA: read once, kept on disk as it changes. */
struct ledger {
    bool read;
    time_t not_before;
};

struct acme_engine {
    struct acme_engine_conf conf;
    struct acme_crew *crew;
    struct ledger *ledger;      /* nissuers */
    struct planned *planned;    /* of each unit */
    struct question **question; /* nlineages; NULL: none */
    struct acme_heap *later;    /* by time */
    struct acme_heap **due;     /* of each CA, by urgency, then time */
};

static inline time_t
now(const struct acme_engine *engine)
{
    return engine->conf.host->now(engine->conf.host->ctx);
}

static inline uint32_t
draw(const struct acme_engine *engine)
{
    return engine->conf.random(engine->conf.random_ctx);
}

static inline size_t
count_units(const struct acme_engine *engine)
{
    return acme_unit(engine->conf.config->nlineages, 0);
}

static inline const struct acme_lineage *
wish_of(const struct acme_engine *engine, size_t unit)
{
    return &engine->conf.config->lineage[acme_unit_lineage(unit)];
}

#endif
