/*
 * What a C test says with: CHECK and EXPECT, which end the program with the place, the expression and, for a result,
 * the names of the code found and the code expected; and RUN, which names the promise that is being tested.
 *
 * Programs that include this compile as C11 and as C++17.
 */
#ifndef SHMRR_CHECK_H
#define SHMRR_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

/* Calls with null pointers are tested. */
#define RR_NONNULL(number)

#include "forms.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

/* For the result of a call: a length, a count, or a negative code. */
#define EXPECT(call, wanted) \
    check_result(__FILE__, __LINE__, #call, (int64_t)(call), #wanted, (int64_t)(wanted))

#define CHECK_CONTAINS(text, part) check_contains(__FILE__, __LINE__, text, part)

#define RUN(test) (check_running(#test), test())

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* FOR_EACH_CODE(X) comes from the library's own table of codes: tests/support/codes.rs. */

static inline const char *check_code_name(int64_t value)
{
#define CHECK_CODE_NAME(code) \
    if (value == -code)       \
        return " (-" #code ")";
    FOR_EACH_CODE(CHECK_CODE_NAME)
    return "";
}

static const char *check_promise = "";
static pid_t check_main_process;

static inline void check_running(const char *test)
{
    check_main_process = getpid();
    check_promise = test;
    printf("%s\n", test);
    fflush(stdout);
}

/* Only the main process may run what it registered with atexit. */
static inline void check_end(int status)
{
    fflush(NULL);
    if (getpid() == check_main_process)
        exit(status);
    _exit(status);
}

static inline void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: %s: not so: %s (errno %d)\n", file, line, check_promise, condition, errno);
    check_end(1);
}

static inline void check_result(const char *file, int line, const char *call, int64_t found, const char *expected,
                                int64_t wanted)
{
    if (found == wanted)
        return;
    fprintf(stderr, "%s:%d: %s: %s: found %" PRId64 "%s, expected %s = %" PRId64 "%s\n", file, line, check_promise,
            call, found, check_code_name(found), expected, wanted, check_code_name(wanted));
    check_end(1);
}

static inline void check_contains(const char *file, int line, const char *text, const char *part)
{
    if (strstr(text, part))
        return;
    fprintf(stderr, "%s:%d: %s: \"%s\" does not contain \"%s\"\n", file, line, check_promise, text, part);
    check_end(1);
}

#endif
