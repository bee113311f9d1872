/*
 * A signal handler that runs again and again, so that it runs in a sleep, whenever that begins.
 */
#ifndef SHMRR_INTERRUPTS_H
#define SHMRR_INTERRUPTS_H

#include "fixture.h"

static inline void handle_interrupt(int signal_number)
{
    (void)signal_number;
}

/* Every few milliseconds, with these flags of sigaction(2). The kernel prefers the main thread, which should be the only one meanwhile. */
static inline timer_t begin_interrupts(int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handle_interrupt;
    action.sa_flags = flags;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    struct sigevent event;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    timer_t timer;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    const struct itimerspec every = {{0, 5 * MS}, {0, 5 * MS}};
    CHECK(timer_settime(timer, 0, &every, NULL) == 0);
    return timer;
}

static inline void end_interrupts(timer_t timer)
{
    CHECK(timer_delete(timer) == 0);
}

#endif
