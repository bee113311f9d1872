/*
 * A thread that is cancelled leaves no call half done: opening calls end it before they have begun, and no other call is a
 * cancellation point. Nothing of it is left behind.
 */
/* No result comes of a call that is left otherwise. */
#define RR_MUST_CHECK

#include "fixture.h"

#include <dirent.h>

static int entries_of(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static pair channel;
static const char *name;

typedef void (*act)(void);

static int past_call;

static void *cancelled_before(void *context)
{
    act *call = (act *)context;
    CHECK(pthread_cancel(pthread_self()) == 0);
    (*call)();
    past_call++;
    pthread_testcancel();
    return NULL;
}

static void open_from_server(void)
{
    rr_client *client;
    rr_client_from_server(channel.server, NULL, &client, NULL);
}

static void open_by_name(void)
{
    rr_client *client;
    rr_client_new(name, NULL, &client, NULL);
}

static void create(void)
{
    rr_server *server;
    rr_server_new(NULL, NULL, &server, NULL);
}

static void attach_by_descriptor(void)
{
    rr_server *server;
    rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &server, NULL);
}

static void call(void)
{
    uint64_t id = 0;
    char buffer[8];
    EXPECT(rr_client_send(channel.client, "x", 1, &id), 0);
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, MS), -ETIMEDOUT);
    reply_text(channel.server, take_text(channel.server, "x"), "y");
    EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), 1);
    EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 0);
    CHECK(rr_channel_request_fd_make(rr_server_channel(channel.server)) > 2);
    EXPECT(rr_channel_notify_requests(rr_server_channel(channel.server)), 0);
    EXPECT(rr_channel_consume_requests(rr_server_channel(channel.server)), 1);
    EXPECT(rr_client_req(channel.client, "x", 1, buffer, sizeof buffer, MS), -ETIMEDOUT);
}

static rr_client *spare;

static void free_spare(void)
{
    rr_client_free(spare);
}

static void run_cancelled(act what)
{
    pthread_t thread;
    void *result;
    past_call = 0;
    CHECK(pthread_create(&thread, NULL, cancelled_before, &what) == 0);
    CHECK(pthread_join(thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED);
}

static void a_cancelled_thread_opens_nothing(void)
{
    act opens[] = {open_from_server, open_by_name, create, attach_by_descriptor};
    for (size_t k = 0; k < LENGTH(opens); k++) {
        run_cancelled(opens[k]);
        int before = entries_of("/proc/self/fd");
        for (int n = 0; n < 100; n++) {
            run_cancelled(opens[k]);
            CHECK(past_call == 0);
        }
        CHECK(entries_of("/proc/self/fd") == before);
        CHECK(stats_of(rr_server_channel(channel.server)).participants == 2);
    }
}

static void calls_of_a_cancelled_thread_run_to_their_end(void)
{
    for (int n = 0; n < 20; n++) {
        run_cancelled(call);
        CHECK(past_call == 1);
        /* What its last call withdrew is still in the queue. */
        char buffer[8];
        rr_request request;
        while (rr_recv(channel.server, buffer, sizeof buffer, &request) >= 0)
            rr_reply(channel.server, request.id, "", 0);
    }
    int before = entries_of("/proc/self/fd");
    spare = another_client(&channel);
    run_cancelled(free_spare);
    CHECK(past_call == 1);
    CHECK(entries_of("/proc/self/fd") == before);
    CHECK(stats_of(rr_server_channel(channel.server)).participants == 2);
    CHECK(stats_of(rr_server_channel(channel.server)).in_flight == 0);
}

/* ---- the last destructors of a thread ---- */

static pthread_key_t key;
static int rounds;

static void *refuse_requests(void *context)
{
    int *left = (int *)context;
    for (; *left > 0; --*left)
        EXPECT(rr_reply_error(channel.server, take_any(channel.server), 7, "refused"), 0);
    return NULL;
}

static void last_call(void *again)
{
    char buffer[8];
    rr_result result = RR_RESULT_INIT;
    const rr_msg msg = msg_of("x", 1, 0, 0);
    EXPECT(rr_client_req_msg(channel.client, &msg, buffer, sizeof buffer, &result, NULL), -EREMOTEIO);
    CHECK(result.code == 7 && result.text_length == 7);
    if (++rounds < 4)
        CHECK(pthread_setspecific(key, again) == 0);
}

static void *ends_with_calls(void *context)
{
    CHECK(pthread_setspecific(key, context) == 0);
    return NULL;
}

static void calls_in_a_threads_last_destructors_return(void)
{
    int left = 4;
    pthread_t server, thread;
    CHECK(pthread_key_create(&key, last_call) == 0);
    CHECK(pthread_create(&server, NULL, refuse_requests, &left) == 0);
    CHECK(pthread_create(&thread, NULL, ends_with_calls, &left) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(pthread_join(server, NULL) == 0);
    CHECK(rounds == 4);
}

int main(void)
{
    name = new_name();
    EXPECT(rr_server_new(name, NULL, &channel.server, NULL), 0);
    EXPECT(rr_client_new(name, NULL, &channel.client, NULL), 0);
    RUN(a_cancelled_thread_opens_nothing);
    RUN(calls_of_a_cancelled_thread_run_to_their_end);
    RUN(calls_in_a_threads_last_destructors_return);
    close_pair(&channel);
    return 0;
}
