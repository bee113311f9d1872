/*
 * How much stack the calls need: little enough for a small thread, a coroutine or an alternate signal stack. The number
 * is that of docs/OPERATION.md.
 *
 * Each call runs on a stack that was painted; what is no longer painted was used. A signal handler gets that stack, the
 * one way to change it that every C library has.
 */
#include "fixture.h"

/* As docs/OPERATION.md tells it, in bytes. */
#define MOST ((size_t)24 * 1024)

#define PAINTED ((size_t)256 * 1024)
#define PAINT 0xA5

static unsigned char *painted;
static void (*to_run)(void);
static size_t used;

static void run_on_painted_stack(int number)
{
    unsigned char *top = (unsigned char *)__builtin_frame_address(0);
    (void)number;
    CHECK(top > painted && top < painted + PAINTED);
    /* What lies below may hold what the kernel and the way here left. */
    for (unsigned char *at = painted; at < top - 512; at++)
        *(volatile unsigned char *)at = PAINT;
    to_run();
    size_t untouched = 0;
    while (painted[untouched] == PAINT)
        untouched++;
    used = (size_t)(top - painted) - untouched;
}

static size_t stack_of(void (*call)(void))
{
    to_run = call;
    CHECK(raise(SIGUSR1) == 0);
    return used;
}

/* ---- opening and leaving ---- */

static const char *name;
static rr_server *server;
static rr_client *client;
static rr_server *other_server;
static rr_client *other_client;
static rr_error error;

static void open_server(void) { EXPECT(rr_server_new(name, NULL, &server, &error), 0); }
static void open_client(void) { EXPECT(rr_client_new(name, NULL, &client, &error), 0); }
static void open_memfd(void)
{
    rr_server *anonymous;
    EXPECT(rr_server_new_memfd("stack", NULL, &anonymous, &error), 0);
    rr_server_free(anonymous);
    EXPECT(rr_server_new(NULL, NULL, &anonymous, &error), 0);
    rr_server_free(anonymous);
}
static void open_by_descriptor(void)
{
    EXPECT(rr_client_from_fd(rr_channel_fd(rr_server_channel(server)), NULL, &other_client, &error), 0);
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(server)), NULL, &other_server, &error), 0);
}
static void open_what_is_no_channel(void)
{
    rr_client *none;
    CHECK(rr_client_new("/proc/self/exe", NULL, &none, &error) < 0);
    CHECK(rr_client_new("/proc/self/status", NULL, &none, &error) < 0);
    CHECK(rr_client_new("not there", NULL, &none, &error) < 0);
}
static void leave(void)
{
    rr_client_free(other_client);
    rr_server_free(other_server);
    rr_client_free(client);
    rr_server_free(server);
}
static void join_anew(void)
{
    /* In a forked child. */
    EXPECT(rr_client_post(client, "", 0, 0), 0);
    char buffer[8];
    rr_request request;
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), 0);
    EXPECT(rr_dismiss(server, request.id), 0);
}

/* ---- calls ---- */

static char buffer[4096];

static uint64_t sent(void)
{
    uint64_t id;
    EXPECT(rr_client_send(client, "request", 7, &id), 0);
    return id;
}

static void call_and_serve(void)
{
    rr_request request;
    uint64_t id = sent();
    EXPECT(rr_recv_wait(server, buffer, sizeof buffer, &request, FOREVER), 7);
    EXPECT(rr_reply(server, request.id, "reply", 5), 0);
    EXPECT(rr_client_wait_any(client, &id, 1, NULL), 0);
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER), 5);
    EXPECT(rr_client_cancel(client, sent()), 0);
    EXPECT(rr_client_post(client, "", 0, FOREVER), 0);
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), 0);
    EXPECT(rr_dismiss(server, request.id), 0);
}

static void call_and_serve_in_place(void)
{
    rr_buffer loan = RR_BUFFER_INIT;
    rr_view view;
    uint64_t id;
    EXPECT(rr_client_loan(client, &loan, NULL), 0);
    EXPECT(commit_loan(client, &loan, 100, &id), 0);
    EXPECT(rr_recv_view(server, &view, NULL), 100);
    EXPECT(rr_reply(server, view.id, "reply", 5), 0);
    EXPECT(rr_client_view(client, id, &view, NULL, NULL), 5);
    EXPECT(rr_client_release(client, id), 0);
    EXPECT(rr_client_loan(client, &loan, NULL), 0);
    EXPECT(rr_client_abort(client, &loan), 0);
    EXPECT(send_labelled(client, "", 0, 128, RR_MSG_UTF8, &id, FOREVER), 0);
    EXPECT(rr_recv_batch(server, &view, sizeof(rr_view), 1, NULL), 1);
    EXPECT(rr_dismiss(server, view.id), 0);
    EXPECT(rr_client_get(client, id, buffer, sizeof buffer), -ENOMSG);
}

static void wait_in_vain(void)
{
    rr_request request;
    uint64_t id = sent();
    EXPECT(rr_client_req(client, "", 0, buffer, sizeof buffer, 60 * MS), -ETIMEDOUT);
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, 60 * MS), -ETIMEDOUT);
    EXPECT(rr_client_wait_any(client, &id, 1, within(60 * MS)), -ETIMEDOUT);
    EXPECT(rr_client_cancel(client, id), 0);
    EXPECT(rr_recv_wait(server, buffer, sizeof buffer, &request, 60 * MS), -ETIMEDOUT);
}

static int stop_serving(void *context, const rr_view *request, rr_buffer *reply)
{
    (void)context, (void)request, (void)reply;
    return RR_SERVE_STOP;
}

static void serve_and_meet_an_error(void)
{
    uint64_t id = sent(), last = sent();
    rr_view view;
    EXPECT(rr_recv_view(server, &view, NULL), 7);
    EXPECT(rr_reply_error(server, view.id, 7, "an error"), 0);
    EXPECT(rr_serve(server, stop_serving, NULL, NULL), 0);
    rr_result result = result_with(buffer, sizeof buffer);
    EXPECT(rr_client_get_msg(client, id, NULL, 0, &result, NULL), -EREMOTEIO);
    CHECK(result.code == 7 && result.text_length == 8);
    EXPECT(rr_client_get(client, last, buffer, sizeof buffer), 0);
}

static void look_after_the_channel(void)
{
    rr_channel *channel = rr_client_channel(client);
    rr_participant all[8];
    CHECK(stats_of(channel).slots > 0);
    CHECK(rr_channel_participants(channel, all, sizeof(rr_participant), LENGTH(all)) >= 2);
    CHECK(rr_channel_servers(channel) >= 1);
    EXPECT(rr_channel_is_current(channel), 1);
    sent();
    EXPECT(rr_channel_clear(channel), 1);
    EXPECT(rr_channel_sync(channel), 0);
    CHECK(rr_channel_request_fd_make(channel) >= 0);
    EXPECT(rr_channel_notify_requests(channel), 0);
    EXPECT(rr_channel_consume_requests(channel), 1);
}

/* Of a server with a request and a client with one, both dead. */
static void sweep_up(void)
{
    CHECK(rr_channel_recover(rr_client_channel(client)) >= 1);
}

static void leave_something_to_be_swept_up(void)
{
    pid_t child = fork_child();
    if (child == 0) {
        sent();
        sent();
        take_any(server);
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
}

static const struct {
    const char *what;
    void (*run)(void);
    void (*before)(void);
} CALLS[] = {
    {"opening a server", open_server, NULL},
    {"opening a client", open_client, NULL},
    {"opening without a name", open_memfd, NULL},
    {"opening by a descriptor", open_by_descriptor, NULL},
    {"opening what is no channel", open_what_is_no_channel, NULL},
    {"calling and serving", call_and_serve, NULL},
    {"the same in place", call_and_serve_in_place, NULL},
    {"waiting in vain", wait_in_vain, NULL},
    {"serving, and meeting an error", serve_and_meet_an_error, NULL},
    {"looking after the channel", look_after_the_channel, NULL},
    {"sweeping up", sweep_up, leave_something_to_be_swept_up},
    {"leaving", leave, NULL},
};

static void no_call_needs_more_stack_than_is_said(void)
{
    size_t length = PAINTED;
    CHECK(posix_memalign((void **)&painted, 4096, length) == 0);
    stack_t stack, before;
    memset(&stack, 0, sizeof stack);
    stack.ss_sp = painted;
    stack.ss_size = length;
    CHECK(sigaltstack(&stack, &before) == 0);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = run_on_painted_stack;
    action.sa_flags = SA_ONSTACK | SA_NODEFER;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    name = new_name();
    for (size_t k = 0; k < LENGTH(CALLS); k++) {
        if (CALLS[k].before)
            CALLS[k].before();
        size_t needed = stack_of(CALLS[k].run);
        printf("  %-30s %6zu bytes\n", CALLS[k].what, needed);
        CHECK(needed <= MOST);
        if (CALLS[k].run != sweep_up)
            continue;
        pid_t child = fork_child();
        if (child == 0) {
            needed = stack_of(join_anew);
            printf("  %-30s %6zu bytes\n", "joining anew after a fork", needed);
            CHECK(needed <= MOST);
            child_ends();
        }
        expect_ended_well(child);
    }
    CHECK(sigaltstack(&before, NULL) == 0);
    free(painted);
}

int main(void)
{
    if (SANITIZED)
        puts("skipped: the sanitizer has needs of its own");
    else
        RUN(no_call_needs_more_stack_than_is_said);
    return 0;
}
