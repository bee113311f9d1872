/*
 * Children that do something and then stand still until they are killed.
 */
#ifndef SHMRR_DOOMED_H
#define SHMRR_DOOMED_H

#include "fixture.h"

/* Returns when the child has done it. */
static inline pid_t doomed_after(void (*act)(void *), void *context)
{
    gate did = new_gate();
    pid_t child = fork_child();
    if (child == 0) {
        act(context);
        open_gate(&did);
        for (;;)
            pause();
    }
    pass_gate(&did);
    drop_gate(&did);
    return child;
}

static inline void kill_doomed(void *pid)
{
    CHECK(kill(*(pid_t *)pid, SIGKILL) == 0);
}

static inline void take_one(void *server)
{
    take_any((rr_server *)server);
}

/* A child that holds the oldest request. */
static inline pid_t doomed_holder(rr_server *server)
{
    return doomed_after(take_one, server);
}

/* The oldest request was taken by somebody who has died. */
static inline void taken_by_the_dead(rr_server *server)
{
    kill_and_reap(doomed_holder(server));
}

#endif
