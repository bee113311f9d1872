/*
 * A process that confines itself after it has opened its handles, to the system calls that docs/OPERATION.md lists: any
 * other would end it.
 */
#include "filter.h"

/* As docs/OPERATION.md lists them, but for what only some processors or C libraries have. */
static const long FOR_WAITING[] = {SYS_futex, SYS_fcntl, SYS_rt_sigprocmask, SYS_ppoll, SYS_clock_gettime};
static const long FOR_NOTIFICATION[] = {SYS_read, SYS_write, SYS_fstat};
static const long FOR_LEAVING[] = {SYS_munmap, SYS_close, SYS_madvise};
/* The program's own: to end, and to say what went wrong. */
static const long FOR_THE_TEST[] = {SYS_exit_group, SYS_write};

#define CALLS_MAX 32

static void add(long *calls, size_t *count, const long *more, size_t number)
{
    for (size_t k = 0; k < number; k++)
        calls[(*count)++] = more[k];
}

/* From now on any other system call ends this process. */
static void allow_only(const long *calls, size_t count)
{
    step filter[CALLS_MAX + 3];
    size_t used = 0;
    filter[used++] = make_step(LOAD, 0, 0, NUMBER);
    for (size_t k = 0; k < count; k++)
        filter[used++] = make_step(JUMP_IF_EQUAL, (uint8_t)(count - k), 0, (uint32_t)calls[k]);
    filter[used++] = make_step(RETURN, 0, 0, KILL_PROCESS);
    filter[used++] = make_step(RETURN, 0, 0, ALLOW);
    CHECK(filter_calls(filter, used));
}

typedef struct handles {
    rr_server *server;
    rr_client *client, *needy;
} handles;

static handles open_handles(const char *name)
{
    handles open = {NULL, NULL, NULL};
    rr_options options = RR_OPTIONS_INIT;
    options.slots = 2;
    EXPECT(rr_server_new(name, &options, &open.server, NULL), 0);
    EXPECT(rr_client_new(name, &options, &open.client, NULL), 0);
    options.flags = RR_OPT_NEED_SERVER;
    EXPECT(rr_client_new(name, &options, &open.needy, NULL), 0);
    return open;
}

static void call_and_serve(const handles *at)
{
    rr_buffer loan = RR_BUFFER_INIT;
    rr_view view;
    uint64_t id = send_text(at->client, "request");
    EXPECT(rr_recv_view(at->server, &view, NULL), 7);
    EXPECT(rr_reply(at->server, view.id, "reply", 5), 0);
    collect_text(at->client, id, "reply");
    EXPECT(rr_client_loan(at->client, &loan, NULL), 0);
    EXPECT(commit_loan(at->client, &loan, 3, &id), 0);
    EXPECT(rr_reply_error(at->server, take_any(at->server), 7, "wrong"), 0);
    char text[16];
    rr_result result = result_with(text, sizeof text);
    EXPECT(rr_client_get_msg(at->client, id, NULL, 0, &result, NULL), -EREMOTEIO);
    CHECK(result.code == 7 && strcmp(text, "wrong") == 0);
    EXPECT(rr_client_post(at->client, "", 0, FOREVER), 0);
    EXPECT(rr_dismiss(at->server, take_any(at->server)), 0);
}

static void wait_in_vain(const handles *at)
{
    char text[16];
    rr_request request;
    uint64_t ids[2] = {send_text(at->client, ""), send_text(at->needy, "")};
    EXPECT(rr_client_get_wait(at->client, ids[0], text, sizeof text, 60 * MS), -ETIMEDOUT);
    EXPECT(rr_client_get_wait(at->needy, ids[1], text, sizeof text, 60 * MS), -ETIMEDOUT);
    EXPECT(rr_client_wait_any(at->client, ids, 1, within(60 * MS)), -ETIMEDOUT);
    EXPECT(rr_client_req(at->client, "", 0, text, sizeof text, 60 * MS), -ETIMEDOUT);
    EXPECT(rr_client_cancel(at->client, ids[0]), 0);
    EXPECT(rr_client_cancel(at->needy, ids[1]), 0);
    EXPECT(rr_recv_wait(at->server, text, sizeof text, &request, 60 * MS), -ETIMEDOUT);
}

static void look_after_the_channel(const handles *at)
{
    rr_channel *channel = rr_client_channel(at->client);
    rr_participant found[8];
    CHECK(stats_of(channel).slots == 2);
    CHECK(rr_channel_participants(channel, found, sizeof(rr_participant), LENGTH(found)) >= 3);
    EXPECT(rr_channel_servers(channel), 1);
    send_text(at->client, "");
    EXPECT(rr_channel_clear(channel), 1);
    CHECK(rr_channel_recover(channel) >= 0);
    EXPECT(rr_client_interrupt(at->client), 0);
    EXPECT(rr_client_stop(at->client), 0);
}

/* Leaves the places of a server and a client to be swept up after, and a request of theirs that was taken. */
static void die_at_work(const char *name)
{
    pid_t child = fork_child();
    if (child == 0) {
        handles at = open_handles(name);
        send_text(at.client, "");
        send_text(at.client, "");
        take_any(at.server);
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
}

/* `all`: of those that eventfds and leaving take as well. */
static void confine_and_work(const char *name, int all)
{
    handles at = open_handles(name);
    rr_channel *channel = rr_client_channel(at.client);
    CHECK(rr_channel_request_fd_make(channel) >= 0);
    die_at_work(name);
    long calls[CALLS_MAX];
    size_t count = 0;
    add(calls, &count, FOR_WAITING, LENGTH(FOR_WAITING));
    add(calls, &count, FOR_THE_TEST, LENGTH(FOR_THE_TEST));
    if (all) {
        add(calls, &count, FOR_NOTIFICATION, LENGTH(FOR_NOTIFICATION));
        add(calls, &count, FOR_LEAVING, LENGTH(FOR_LEAVING));
    }
    allow_only(calls, count);
    /* The dead hold all slots and are met here. */
    call_and_serve(&at);
    wait_in_vain(&at);
    if (all) {
        EXPECT(rr_channel_notify_requests(channel), 0);
        EXPECT(rr_channel_consume_requests(channel), 1);
    }
    look_after_the_channel(&at);
    if (all) {
        rr_client_free(at.needy);
        rr_client_free(at.client);
        rr_server_free(at.server);
    }
    _exit(0);
}

static void the_listed_system_calls_are_enough_once_handles_are_open(void)
{
    for (int all = 0; all < 2; all++) {
        const char *name = new_name();
        pid_t child = fork_child();
        if (child == 0)
            confine_and_work(name, all);
        expect_ended_well(child);
    }
}

int main(int count, char **arguments)
{
    /* Valgrind, sanitizers and emulators make system calls of their own. */
    if (count > 1 && strcmp(arguments[1], "many") == 0)
        RUN(the_listed_system_calls_are_enough_once_handles_are_open);
    else
        puts("skipped: what runs this program needs system calls of its own");
    return 0;
}
