/*
 * Stopping a handle ends its waits and all that it is asked later, and concerns no other handle.
 */
#include "integers.h"
#include "waits.h"

static void stop_server(void *server)
{
    EXPECT(rr_server_stop((rr_server *)server), 0);
}

static void stop_client(void *client)
{
    EXPECT(rr_client_stop((rr_client *)client), 0);
}

static int never_called(void *context, const rr_view *request, rr_buffer *reply)
{
    (void)context, (void)request, (void)reply;
    CHECK(!"called");
    return RR_SERVE_STOP;
}

/* What changes something about the channel has ended, and what only tells something goes on. */
static void expect_channel_stopped(rr_channel *channel)
{
    char path[128];
    EXPECT(rr_channel_recover(channel), -ESHUTDOWN);
    EXPECT(rr_channel_clear(channel), -ESHUTDOWN);
    EXPECT(rr_channel_slots(channel), 1);
    EXPECT(rr_channel_request_max(channel), 4096);
    EXPECT(rr_channel_response_max(channel), 4096);
    EXPECT(rr_channel_kind(channel), RR_KIND_BYTES);
    EXPECT(rr_channel_path(channel, path, sizeof path), 0);
    CHECK(rr_channel_queued(channel) >= 0 && rr_channel_fd(channel) >= 0);
    CHECK(stats_of(channel).slots == 1);
    CHECK(rr_channel_participants(channel, NULL, sizeof(rr_participant), 0) >= 2);
    EXPECT(rr_channel_sync(channel), 0);
    CHECK(rr_channel_request_fd_make(channel) >= 0);
    EXPECT(rr_channel_notify_requests(channel), 0);
    EXPECT(rr_channel_consume_requests(channel), 1);
}

static void expect_server_stopped(rr_server *server, uint64_t id)
{
    char buffer[8];
    rr_request request;
    rr_view views[2];
    void *room;
    size_t length;
    EXPECT(rr_recv(server, buffer, sizeof buffer, &request), -ESHUTDOWN);
    EXPECT(rr_recv_wait(server, buffer, sizeof buffer, &request, FOREVER), -ESHUTDOWN);
    EXPECT(rr_recv_view(server, views, NULL), -ESHUTDOWN);
    EXPECT(rr_recv_batch(server, views, sizeof(rr_view), LENGTH(views), NULL), -ESHUTDOWN);
    EXPECT(rr_drain(server, views, sizeof(rr_view), LENGTH(views)), -ESHUTDOWN);
    EXPECT(rr_serve(server, never_called, NULL, NULL), -ESHUTDOWN);
    EXPECT(rr_reply(server, id, "", 0), -ESHUTDOWN);
    EXPECT(reply_labelled(server, id, "", 0, 128, RR_MSG_UTF8), -ESHUTDOWN);
    EXPECT(rr_reply_error(server, id, 1, ""), -ESHUTDOWN);
    EXPECT(loan_reply(server, id, &room, &length), -ESHUTDOWN);
    EXPECT(commit_reply(server, id, 0, 0, 0), -ESHUTDOWN);
    EXPECT(commit_reply(server, id, 0, 128, RR_MSG_UTF8), -ESHUTDOWN);
    EXPECT(rr_dismiss(server, id), -ESHUTDOWN);
    expect_channel_stopped(rr_server_channel(server));
}

static void expect_client_stopped(rr_client *client, uint64_t id)
{
    char buffer[8];
    uint64_t another;
    rr_view view;
    rr_buffer loan = {sizeof loan, 0, id, buffer, sizeof buffer, 0, 0, 0};
    EXPECT(rr_client_req(client, "", 0, buffer, sizeof buffer, FOREVER), -ESHUTDOWN);
    EXPECT(rr_client_send(client, "", 0, &another), -ESHUTDOWN);
    EXPECT(rr_client_send_wait(client, "", 0, &another, FOREVER), -ESHUTDOWN);
    EXPECT(send_labelled(client, "", 0, 128, RR_MSG_UTF8, &another, FOREVER), -ESHUTDOWN);
    EXPECT(rr_client_post(client, "", 0, FOREVER), -ESHUTDOWN);
    EXPECT(rr_client_get(client, id, buffer, sizeof buffer), -ESHUTDOWN);
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER), -ESHUTDOWN);
    EXPECT(rr_client_view(client, id, &view, NULL, NULL), -ESHUTDOWN);
    EXPECT(rr_client_release(client, id), -ESHUTDOWN);
    const uint64_t one[] = {1};
    EXPECT(rr_client_wait_any(client, one, 1, NULL), -ESHUTDOWN);
    EXPECT(rr_client_loan(client, &loan, NULL), -ESHUTDOWN);
    EXPECT(commit_loan(client, &loan, 0, &another), -ESHUTDOWN);
    EXPECT(rr_client_abort(client, &loan), -ESHUTDOWN);
    EXPECT(rr_client_cancel(client, id), -ESHUTDOWN);
    CHECK(rr_client_pending(client) >= 0);
    expect_channel_stopped(rr_client_channel(client));
}

/* The handle that waited does nothing more; the rest of the channel goes on with another in its place. */
static void expect_stopped(scene *at, const struct wait *wait)
{
    pair rest = at->channel;
    if (wait->by_server) {
        expect_server_stopped(at->channel.server, 1);
        EXPECT(rr_server_from_fd(rr_channel_fd(channel_of(at)), NULL, &rest.server, NULL), 0);
        expect_works(&rest);
        rr_server_free(rest.server);
    } else {
        expect_client_stopped(at->channel.client, at->held);
        rr_client_free(at->channel.client);
        at->channel.client = another_client(&at->channel);
        expect_works(&at->channel);
    }
}

static void a_stop_by_another_thread_ends_every_wait_and_every_later_call(void)
{
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        scene at = set_scene(&WAITS[k]);
        deed stopping;
        if (WAITS[k].by_server)
            plan(&stopping, channel_of(&at), stop_server, at.channel.server);
        else
            plan(&stopping, channel_of(&at), stop_client, at.channel.client);
        EXPECT(WAITS[k].call(&at, FOREVER), -ESHUTDOWN);
        CHECK(now() - done(&stopping) < 10 * SECOND);
        expect_stopped(&at, &WAITS[k]);
        close_pair(&at.channel);
    }
}

static void *receive_until_stopped(void *server)
{
    char buffer[8];
    rr_request request;
    EXPECT(rr_recv_wait((rr_server *)server, buffer, sizeof buffer, &request, FOREVER), -ESHUTDOWN);
    return NULL;
}

static void a_stop_ends_the_waits_of_all_threads(void)
{
    pair channel = open_pair(1);
    pthread_t threads[6];
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_create(&threads[k], NULL, receive_until_stopped, channel.server) == 0);
    while (stats_of(rr_server_channel(channel.server)).sleeps < LENGTH(threads))
        sched_yield();
    stop_server(channel.server);
    for (size_t k = 0; k < LENGTH(threads); k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    close_pair(&channel);
}

static void a_stop_does_not_end_the_waits_of_another_handle(void)
{
    pair channel = open_pair(1);
    rr_server *other;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &other, NULL), 0);
    rr_client *stopped = another_client(&channel);
    deed stopping;
    char buffer[8];
    rr_request request;
    plan(&stopping, rr_server_channel(other), stop_server, other);
    EXPECT(rr_recv_wait(channel.server, buffer, sizeof buffer, &request, 100 * MS), -ETIMEDOUT);
    done(&stopping);
    uint64_t id = send_text(channel.client, "held");
    plan(&stopping, rr_client_channel(stopped), stop_client, stopped);
    EXPECT(rr_client_get_wait(channel.client, id, buffer, sizeof buffer, 100 * MS), -ETIMEDOUT);
    done(&stopping);
    EXPECT(rr_client_cancel(channel.client, id), 0);
    expect_works(&channel);
    expect_server_stopped(other, id);
    expect_client_stopped(stopped, id);
    rr_client_free(stopped);
    rr_server_free(other);
    close_pair(&channel);
}

static void the_calls_for_numbers_end_as_well(void)
{
    pair channel = open_int_pair(2);
    int64_t number;
    rr_request request;
    uint64_t id = send_number(channel.client, 7);
    uint64_t taken = take_number(channel.server, 7);
    EXPECT(rr_server_stop(channel.server), 0);
    EXPECT(rr_recv_i64(channel.server, &number, &request), -ESHUTDOWN);
    EXPECT(rr_recv_wait_i64(channel.server, &number, &request, FOREVER), -ESHUTDOWN);
    EXPECT(rr_reply_i64(channel.server, taken, 70), -ESHUTDOWN);
    EXPECT(rr_client_stop(channel.client), 0);
    EXPECT(rr_client_req_i64(channel.client, 7, &number, FOREVER), -ESHUTDOWN);
    EXPECT(rr_client_send_i64(channel.client, 7, &id), -ESHUTDOWN);
    EXPECT(rr_client_get_i64(channel.client, id, &number), -ESHUTDOWN);
    EXPECT(rr_client_get_wait_i64(channel.client, id, &number, FOREVER), -ESHUTDOWN);
    close_pair(&channel);
}

/* What was begun before the stop is not finished by it, and the slots are not lost. */
static void loans_and_views_of_a_stopped_handle_are_given_back_when_it_is_freed(void)
{
    pair channel = open_pair(3);
    rr_client *stopped = another_client(&channel);
    rr_buffer loan = RR_BUFFER_INIT;
    rr_view view;
    uint64_t id;
    EXPECT(rr_client_loan(stopped, &loan, within(0)), 0);
    id = send_text(stopped, "viewed");
    reply_text(channel.server, take_text(channel.server, "viewed"), "told");
    EXPECT(rr_client_view(stopped, id, &view, NULL, within(0)), 4);
    EXPECT(rr_client_stop(stopped), 0);
    EXPECT(commit_loan(stopped, &loan, 0, &id), -ESHUTDOWN);
    CHECK(loan.data != NULL && memcmp(view.data, "told", 4) == 0);
    EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 2);
    rr_client_free(stopped);
    EXPECT(stats_of(rr_client_channel(channel.client)).in_flight, 0);
    expect_works(&channel);
    close_pair(&channel);
}

static rr_server *server_to_stop;
static rr_client *client_to_stop;

static void stop_in_handler(int signal_number)
{
    (void)signal_number;
    if (server_to_stop)
        rr_server_stop(server_to_stop);
    if (client_to_stop)
        rr_client_stop(client_to_stop);
}

static void send_signal(void *thread)
{
    CHECK(pthread_kill(*(pthread_t *)thread, SIGUSR2) == 0);
}

static void a_stop_by_a_signal_handler_ends_every_wait_and_every_later_call(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop_in_handler;
    CHECK(sigaction(SIGUSR2, &action, NULL) == 0);
    pthread_t self = pthread_self();
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        scene at = set_scene(&WAITS[k]);
        server_to_stop = WAITS[k].by_server ? at.channel.server : NULL;
        client_to_stop = WAITS[k].by_server ? NULL : at.channel.client;
        deed signalling;
        plan(&signalling, channel_of(&at), send_signal, &self);
        EXPECT(WAITS[k].call(&at, FOREVER), -ESHUTDOWN);
        done(&signalling);
        expect_stopped(&at, &WAITS[k]);
        close_pair(&at.channel);
    }
}

int main(void)
{
    RUN(a_stop_by_another_thread_ends_every_wait_and_every_later_call);
    RUN(a_stop_ends_the_waits_of_all_threads);
    RUN(a_stop_does_not_end_the_waits_of_another_handle);
    RUN(the_calls_for_numbers_end_as_well);
    RUN(loans_and_views_of_a_stopped_handle_are_given_back_when_it_is_freed);
    RUN(a_stop_by_a_signal_handler_ends_every_wait_and_every_later_call);
    return 0;
}
