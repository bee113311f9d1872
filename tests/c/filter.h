/*
 * Filters on system calls, by which a program plays another kernel or a sandbox: see seccomp(2) and, for the steps,
 * bpf(2). Told here, since not every C library comes with the kernel's headers.
 */
#ifndef SHMRR_FILTER_H
#define SHMRR_FILTER_H

#include "fixture.h"

/* What a step does. */
enum { LOAD = 0x20, JUMP_IF_EQUAL = 0x15, JUMP_IF_GREATER = 0x25, RETURN = 0x06 };
/* What a LOAD may load: the number of the call, or the lower half of an argument, on processors that store that first. */
enum { NUMBER = 0, ARGUMENTS = 16 };
#define LOWER_HALF(argument) (ARGUMENTS + 8 * (uint32_t)(argument))

#define ALLOW UINT32_C(0x7FFF0000)
#define KILL_PROCESS UINT32_C(0x80000000)
#define FAIL_WITH(error) (UINT32_C(0x00050000) | (uint32_t)(error))

typedef struct step {
    uint16_t code;
    uint8_t if_so, if_not;
    uint32_t operand;
} step;

static inline step make_step(uint16_t code, uint8_t if_so, uint8_t if_not, uint32_t operand)
{
    step made = {code, if_so, if_not, operand};
    return made;
}

/* From now on this process's system calls are filtered; false if the kernel has no filters. */
static inline int filter_calls(const step *steps, size_t count)
{
    struct {
        unsigned short length;
        const step *filter;
    } program;
    program.length = (unsigned short)count;
    program.filter = steps;
    const unsigned long mode_filter = 2;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, mode_filter, &program) == 0;
}

/* From now on that system call fails in this process. */
static inline int let_fail(uint32_t system_call, int error)
{
    const step steps[] = {
        make_step(LOAD, 0, 0, NUMBER),
        make_step(JUMP_IF_EQUAL, 0, 1, system_call),
        make_step(RETURN, 0, 0, FAIL_WITH(error)),
        make_step(RETURN, 0, 0, ALLOW),
    };
    return filter_calls(steps, LENGTH(steps));
}

#endif
