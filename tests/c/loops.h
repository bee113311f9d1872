/*
 * What tests of event loops work with: waiting for a descriptor that says that something came, and counting the threads
 * that wait for it.
 */
#ifndef SHMRR_LOOPS_H
#define SHMRR_LOOPS_H

#include "fixture.h"

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>

/* Far longer than any wake-up takes. */
#define PATIENCE (20 * SECOND)

/* Whether the descriptor becomes readable within so long. */
static inline int is_readable(int fd, int64_t within_ns)
{
    struct pollfd waited = {fd, POLLIN, 0};
    int64_t end = now() + within_ns;
    for (;;) {
        int64_t left = end - now();
        int found = poll(&waited, 1, left > 0 ? (int)((left + MS - 1) / MS) : 0);
        if (found >= 0) {
            CHECK(found == 0 || waited.revents == POLLIN);
            return found;
        }
        CHECK(errno == EINTR);
    }
}

static inline void expect_woken(int fd)
{
    CHECK(is_readable(fd, PATIENCE));
}

/* Threads of this process that sleep for a descriptor; the blocked signals of one of them. */
static inline int helper_threads(uint64_t *blocked)
{
    int found = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char path[300], line[256];
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "re");
        if (!status)
            continue;
        int is_one = 0;
        while (fgets(line, sizeof line, status)) {
            if (strcmp(line, "Name:\tshmrr-poll\n") == 0)
                is_one = 1;
            if (is_one && blocked && strncmp(line, "SigBlk:", 7) == 0)
                *blocked = strtoull(line + 7, NULL, 16);
        }
        fclose(status);
        found += is_one;
    }
    closedir(tasks);
    return found;
}

/* One that was just started may not have its name yet. */
static inline void until_helpers(int count, uint64_t *blocked)
{
    int64_t end = now() + PATIENCE;
    while (helper_threads(blocked) != count)
        CHECK(now() < end);
}

#endif
