/*
 * What the C tests work with: channels whose names are gone when the program ends, children that no failure leaves
 * behind, gates by which processes wait for each other, and acting on a thread once it sleeps.
 */
#ifndef SHMRR_FIXTURE_H
#define SHMRR_FIXTURE_H

#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define MS INT64_C(1000000)
#define SECOND (1000 * MS)
#define FOREVER INT64_C(-1)

/* Seconds that a child may live. Far longer than any takes, far shorter than anybody's patience. */
#define CHILD_WATCHDOG 120

static inline int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* ---- channels ---- */

#define NAMES_MAX 64

static char fixture_names[NAMES_MAX][64];
static int fixture_names_used;

static inline void unlink_names(void)
{
    for (int k = 0; k < fixture_names_used; k++)
        rr_unlink(fixture_names[k]);
}

/* A name that no other channel has; what is called so is unlinked when the main process ends. */
static inline const char *new_name(void)
{
    CHECK(fixture_names_used < NAMES_MAX);
    if (fixture_names_used == 0)
        CHECK(atexit(unlink_names) == 0);
    char *name = fixture_names[fixture_names_used];
    /* As tests/support/program.rs looks for it. */
    snprintf(name, sizeof fixture_names[0], "shmrr-test-c-%d-%d", (int)getpid(), fixture_names_used);
    fixture_names_used++;
    return name;
}

static inline rr_options with_slots(uint32_t slots)
{
    rr_options options = RR_OPTIONS_INIT;
    options.slots = slots;
    return options;
}

/* A channel without a name, with a server and a client of this process. */
typedef struct pair {
    rr_server *server;
    rr_client *client;
} pair;

static inline rr_client *another_client(const pair *channel)
{
    rr_client *client = NULL;
    EXPECT(rr_client_from_server(channel->server, NULL, &client, NULL), 0);
    return client;
}

static inline pair open_pair(uint32_t slots)
{
    pair opened = {NULL, NULL};
    rr_options options = with_slots(slots);
    EXPECT(rr_server_new(NULL, &options, &opened.server, NULL), 0);
    opened.client = another_client(&opened);
    return opened;
}

static inline void close_pair(pair *channel)
{
    rr_client_free(channel->client);
    rr_server_free(channel->server);
}

static inline rr_stats stats_of(rr_channel *channel)
{
    rr_stats stats = RR_STATS_INIT;
    EXPECT(rr_channel_stats(channel, &stats), 0);
    return stats;
}

/* ---- single steps ---- */

static inline uint64_t send_text(rr_client *client, const char *text)
{
    uint64_t id = 0;
    EXPECT(rr_client_send(client, text, strlen(text), &id), 0);
    CHECK(id != 0 && (int64_t)id > 0);
    return id;
}

/* Takes the request that is there. */
static inline uint64_t take_text(rr_server *server, const char *text)
{
    char buffer[64];
    rr_request request;
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
    return request.id;
}

static inline uint64_t take_any(rr_server *server)
{
    char buffer[4096];
    rr_request request;
    int64_t length = rr_recv_wait(server, buffer, sizeof buffer, &request, FOREVER);
    EXPECT(length, request.length);
    return request.id;
}

static inline void expect_none_queued(rr_server *server)
{
    char buffer[4096];
    rr_request request;
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), -EAGAIN);
}

static inline void reply_text(rr_server *server, uint64_t id, const char *text)
{
    EXPECT(rr_reply(server, id, text, strlen(text)), 0);
}

static inline void collect_text(rr_client *client, uint64_t id, const char *text)
{
    char buffer[64];
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER), strlen(text));
    CHECK(memcmp(buffer, text, strlen(text)) == 0);
}

static inline void request_text(rr_client *client, const char *text, const char *reply)
{
    char buffer[64];
    EXPECT(rr_client_req(client, text, strlen(text), buffer, sizeof buffer, FOREVER), strlen(reply));
    CHECK(memcmp(buffer, reply, strlen(reply)) == 0);
}

/* Takes `count` requests, waiting for each, and replies with what they say. */
static inline void serve_echo(rr_server *server, int count)
{
    for (int k = 0; k < count; k++) {
        char buffer[4096];
        rr_request request;
        int64_t length = rr_recv_wait(server, buffer, sizeof buffer, &request, FOREVER);
        CHECK(length >= 0);
        EXPECT(rr_reply(server, request.id, buffer, (size_t)length), 0);
    }
}

/* The whole of it works. */
static inline void expect_works(const pair *channel)
{
    uint64_t id = send_text(channel->client, "works?");
    reply_text(channel->server, take_text(channel->server, "works?"), "it does");
    collect_text(channel->client, id, "it does");
}

/* ---- children ---- */

/* As fork(2); the child is killed when its parent ends or after CHILD_WATCHDOG, and ends by child_ends(). */
static inline pid_t fork_child(void)
{
    fflush(NULL);
    pid_t parent = getpid();
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(CHILD_WATCHDOG);
        CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
        CHECK(getppid() == parent);
    }
    return child;
}

static inline void child_ends(void)
{
    fflush(NULL);
    _exit(0);
}

static inline void expect_ended_well(pid_t child)
{
    int status;
    pid_t reaped;
    while ((reaped = waitpid(child, &status, 0)) < 0 && errno == EINTR)
        continue;
    CHECK(reaped == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static inline void expect_killed(pid_t child)
{
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static inline void kill_and_reap(pid_t child)
{
    CHECK(kill(child, SIGKILL) == 0);
    expect_killed(child);
}

/* A gate is passed as often as it is opened, by whichever process. */
typedef struct gate {
    int ends[2];
} gate;

static inline gate new_gate(void)
{
    gate made;
    CHECK(pipe2(made.ends, O_CLOEXEC) == 0);
    return made;
}

static inline void open_gate(const gate *closed)
{
    CHECK(write(closed->ends[1], "", 1) == 1);
}

static inline void pass_gate(const gate *opened)
{
    char byte;
    ssize_t got;
    while ((got = read(opened->ends[0], &byte, 1)) < 0 && errno == EINTR)
        continue;
    CHECK(got == 1);
}

static inline void drop_gate(const gate *dropped)
{
    close(dropped->ends[0]);
    close(dropped->ends[1]);
}

/* ---- sleepers ---- */

static inline pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

/* Returns once the kernel has put the thread to sleep. */
static inline void until_asleep(pid_t thread)
{
    for (;;) {
        char path[64], line[512];
        snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)thread, (int)thread);
        FILE *file = fopen(path, "re");
        CHECK(file != NULL);
        size_t length = fread(line, 1, sizeof line - 1, file);
        fclose(file);
        line[length] = 0;
        const char *after_name = strrchr(line, ')');
        CHECK(after_name != NULL);
        if (strncmp(after_name, ") S", 3) == 0)
            return;
        sched_yield();
    }
}

/* Something to be done by another thread, once this one sleeps in a call on a channel. */
typedef struct deed {
    void (*act)(void *);
    void *context;
    rr_channel *channel;
    uint64_t sleeps;
    pid_t sleeper;
    pthread_t thread;
    int64_t at;
} deed;

static inline void *do_when_asleep(void *context)
{
    deed *planned = (deed *)context;
    while (stats_of(planned->channel).sleeps == planned->sleeps)
        sched_yield();
    until_asleep(planned->sleeper);
    planned->at = now();
    planned->act(planned->context);
    return NULL;
}

static inline void plan(deed *planned, rr_channel *channel, void (*act)(void *), void *context)
{
    planned->act = act;
    planned->context = context;
    planned->channel = channel;
    planned->sleeps = stats_of(channel).sleeps;
    planned->sleeper = thread_id();
    CHECK(pthread_create(&planned->thread, NULL, do_when_asleep, planned) == 0);
}

/* When it was done. */
static inline int64_t done(const deed *planned)
{
    CHECK(pthread_join(planned->thread, NULL) == 0);
    return planned->at;
}

#endif
