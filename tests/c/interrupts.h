/*
 * A signal handler that runs again and again, so that it runs in a sleep, whenever that begins.
 */
#ifndef SHMRR_INTERRUPTS_H
#define SHMRR_INTERRUPTS_H

#include "fixture.h"

/* How often it has run. */
static volatile sig_atomic_t handled;

static inline void handle_interrupt(int signal_number)
{
    (void)signal_number;
    handled++;
}

/* With these flags of sigaction(2). The kernel prefers the main thread, which should be the only one meanwhile. */
static inline timer_t begin_interrupts_each(int64_t period, int flags)
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
    const struct itimerspec every = {{0, (long)period}, {0, (long)period}};
    handled = 0;
    CHECK(timer_settime(timer, 0, &every, NULL) == 0);
    return timer;
}

/* Every few milliseconds. */
static inline timer_t begin_interrupts(int flags)
{
    return begin_interrupts_each(5 * MS, flags);
}

static inline void end_interrupts(timer_t timer)
{
    CHECK(timer_delete(timer) == 0);
}

#endif
