/*
 * What signals eventfds, and who may wait for that: nothing does unless asked; with RR_OPT_NOTIFY every message of a handle
 * does.
 *
 * Its argument says whether there is time for "many" round trips or for "few".
 */
#include "eventfds.h"

#include <sys/epoll.h>

/* ---- by hand ---- */

static void consuming_takes_all_signals_and_tells_how_many_there_were(void)
{
    wired at = open_wired(RR_KIND_BYTES, 0, 0);
    for (int k = 0; k < 3; k++)
        EXPECT(rr_channel_notify_requests(at.at_client), 0);
    for (int k = 0; k < 5; k++)
        EXPECT(rr_channel_notify_replies(at.at_server), 0);
    expect_signals(&at, 3, 5);
    expect_signals(&at, 0, 0);
    close_pair(&at.channel);
}

static void a_counter_that_is_full_neither_blocks_nor_fails_a_notification(void)
{
    wired at = open_wired(RR_KIND_BYTES, 0, 0);
    uint64_t most = UINT64_MAX - 1;
    CHECK(write(rr_channel_request_fd(at.at_server), &most, sizeof most) == sizeof most);
    EXPECT(rr_channel_notify_requests(at.at_client), 0);
    CHECK(is_ready(rr_channel_request_fd(at.at_server)));
    CHECK(rr_channel_consume_requests(at.at_server) > 0);
    expect_signals(&at, 0, 0);
    close_pair(&at.channel);
}

/* ---- by every message ---- */

static void requests_and_replies_alone_signal_nothing(void)
{
    wired at = open_wired(RR_KIND_BYTES, 0, 0);
    expect_works(&at.channel);
    EXPECT(rr_client_post(at.channel.client, "", 0, 0), 0);
    EXPECT(rr_dismiss(at.channel.server, take_any(at.channel.server)), 0);
    expect_signals(&at, 0, 0);
    close_pair(&at.channel);
}

static void with_notify_and_no_descriptor_messages_go_as_ever(void)
{
    pair channel = {NULL, NULL};
    rr_options options = with_slots(2);
    options.flags = RR_OPT_NOTIFY;
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    expect_works(&channel);
    EXPECT(rr_channel_consume_requests(rr_client_channel(channel.client)), -ENXIO);
    EXPECT(rr_channel_consume_replies(rr_server_channel(channel.server)), -ENXIO);
    close_pair(&channel);
}

static void *serve_one(void *context)
{
    serve_echo((rr_server *)context, 1);
    return NULL;
}

static void with_notify_every_request_of_a_client_signals(void)
{
    wired at = open_wired(RR_KIND_BYTES, 0, RR_OPT_NOTIFY);
    rr_client *client = at.channel.client;
    uint64_t id;
    send_text(client, "sent");
    expect_signals(&at, 1, 0);
    EXPECT(rr_client_send_wait(client, "", 0, &id, FOREVER), 0);
    expect_signals(&at, 1, 0);
    EXPECT(send_labelled(client, "message", 7, 128, RR_MSG_UTF8, &id, FOREVER), 0);
    expect_signals(&at, 1, 0);
    EXPECT(rr_client_post(client, "post", 4, FOREVER), 0);
    expect_signals(&at, 1, 0);
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_client_loan(client, &loan, NULL), 0);
    expect_signals(&at, 0, 0);
    EXPECT(commit_loan(client, &loan, 0, &id), 0);
    expect_signals(&at, 1, 0);
    /* The posted one needs no reply, but takes one. */
    serve_echo(at.channel.server, 5);
    expect_signals(&at, 0, 0);

    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, serve_one, at.channel.server) == 0);
    request_text(client, "request", "request");
    CHECK(pthread_join(thread, NULL) == 0);
    expect_signals(&at, 1, 0);
    for (int k = 0; k < 3; k++)
        send_text(client, "many");
    expect_signals(&at, 3, 0);
    close_pair(&at.channel);
}

static void what_is_not_sent_signals_nothing(void)
{
    wired at = open_wired(RR_KIND_BYTES, RR_OPT_NOTIFY, RR_OPT_NOTIFY);
    rr_client *client = at.channel.client;
    static char too_long[4097];
    uint64_t id;
    rr_buffer loan = RR_BUFFER_INIT;
    EXPECT(rr_client_send(client, too_long, sizeof too_long, &id), -EMSGSIZE);
    EXPECT(rr_client_loan(client, &loan, NULL), 0);
    EXPECT(rr_client_abort(client, &loan), 0);
    for (int k = 0; k < 8; k++)
        id = send_text(client, "fill");
    expect_signals(&at, 8, 0);
    EXPECT(rr_client_send(client, "", 0, &id), -ENOBUFS);
    expect_signals(&at, 0, 0);
    id = take_any(at.channel.server);
    EXPECT(rr_reply(at.channel.server, id, too_long, sizeof too_long), -EMSGSIZE);
    EXPECT(rr_client_cancel(client, id), 0);
    EXPECT(rr_reply(at.channel.server, id, "late", 4), -ESTALE);
    expect_signals(&at, 0, 0);
    close_pair(&at.channel);
}

static int serve_three_ways(void *context, const rr_view *request, rr_buffer *reply)
{
    static const int results[] = {RR_SERVE_CONTINUE, -5, RR_SERVE_LATER | RR_SERVE_STOP};
    int *served = (int *)context;
    (void)request;
    reply->length = 0;
    return results[(*served)++];
}

static void with_notify_every_reply_of_a_server_signals(void)
{
    wired at = open_wired(RR_KIND_BYTES, RR_OPT_NOTIFY, 0);
    rr_server *server = at.channel.server;
    for (int k = 0; k < 5; k++)
        send_text(at.channel.client, "question");
    uint64_t ids[5];
    for (int k = 0; k < 5; k++)
        ids[k] = take_text(server, "question");
    expect_signals(&at, 0, 0);
    reply_text(server, ids[3], "answer");
    expect_signals(&at, 0, 1);
    EXPECT(reply_labelled(server, ids[0], "answer", 6, 128, RR_MSG_UTF8), 0);
    expect_signals(&at, 0, 1);
    EXPECT(rr_reply_error(server, ids[1], 7, "error"), 0);
    expect_signals(&at, 0, 1);
    EXPECT(rr_dismiss(server, ids[4]), 0);
    expect_signals(&at, 0, 1);
    void *room = NULL;
    size_t capacity;
    EXPECT(loan_reply(server, ids[2], &room, &capacity), 0);
    expect_signals(&at, 0, 0);
    EXPECT(commit_reply(server, ids[2], 0, 0, 0), 0);
    expect_signals(&at, 0, 1);

    uint64_t later = 0;
    for (int k = 0; k < 3; k++)
        later = send_text(at.channel.client, "served");
    int served = 0;
    EXPECT(rr_serve(server, serve_three_ways, &served, NULL), 0);
    expect_signals(&at, 0, 2);
    reply_text(server, later, "later");
    expect_signals(&at, 0, 1);
    close_pair(&at.channel);
}

static void with_notify_integers_signal_too(void)
{
    wired at = open_wired(RR_KIND_INT, RR_OPT_NOTIFY, RR_OPT_NOTIFY);
    uint64_t id;
    int64_t value;
    rr_request request;
    EXPECT(rr_client_send_i64(at.channel.client, 4, &id), 0);
    expect_signals(&at, 1, 0);
    EXPECT(rr_recv_i64(at.channel.server, &value, &request), 0);
    EXPECT(rr_reply_i64(at.channel.server, request.id, value), 0);
    expect_signals(&at, 0, 1);
    close_pair(&at.channel);
}

/* ---- waiting ---- */

typedef struct epoll_waiter {
    rr_channel *channel;
    int epoll;
    gate told;
    pid_t thread;
} epoll_waiter;

static void *wait_with_epoll(void *context)
{
    epoll_waiter *mine = (epoll_waiter *)context;
    struct epoll_event event;
    mine->thread = thread_id();
    open_gate(&mine->told);
    int count;
    while ((count = epoll_wait(mine->epoll, &event, 1, -1)) < 0 && errno == EINTR)
        continue;
    CHECK(count == 1 && event.events == EPOLLIN);
    EXPECT(rr_channel_consume_requests(mine->channel), 1);
    CHECK(epoll_wait(mine->epoll, &event, 1, 0) == 0);
    return NULL;
}

static void a_notification_wakes_who_waits_with_epoll(void)
{
    wired at = open_wired(RR_KIND_BYTES, 0, 0);
    epoll_waiter waiter = {at.at_server, epoll_create1(EPOLL_CLOEXEC), new_gate(), 0};
    struct epoll_event wanted;
    memset(&wanted, 0, sizeof wanted);
    wanted.events = EPOLLIN;
    CHECK(waiter.epoll >= 0);
    CHECK(epoll_ctl(waiter.epoll, EPOLL_CTL_ADD, rr_channel_request_fd(at.at_server), &wanted) == 0);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wait_with_epoll, &waiter) == 0);
    pass_gate(&waiter.told);
    until_asleep(waiter.thread);
    EXPECT(rr_channel_notify_requests(at.at_client), 0);
    CHECK(pthread_join(thread, NULL) == 0);
    close(waiter.epoll);
    drop_gate(&waiter.told);
    close_pair(&at.channel);
}

static void a_forked_child_signals_and_leaves_its_parents_signals_alone(void)
{
    wired at = open_wired(RR_KIND_BYTES, RR_OPT_NOTIFY, RR_OPT_NOTIFY);
    pid_t child = fork_child();
    if (child == 0) {
        CHECK(rr_channel_consume_replies(at.at_client) < 0);
        CHECK(rr_channel_consume_requests(at.at_server) < 0);
        uint64_t id = send_text(at.channel.client, "child's");
        collect_text(at.channel.client, id, "parent's");
        close_pair(&at.channel);
        child_ends();
    }
    until_ready(rr_channel_request_fd(at.at_server));
    EXPECT(rr_channel_consume_requests(at.at_server), 1);
    reply_text(at.channel.server, take_text(at.channel.server, "child's"), "parent's");
    expect_ended_well(child);
    EXPECT(rr_channel_consume_replies(at.at_client), 1);
    close_pair(&at.channel);
}

static void a_forked_child_can_have_eventfds_of_its_own(void)
{
    wired at = open_wired(RR_KIND_BYTES, RR_OPT_NOTIFY, RR_OPT_NOTIFY);
    int parents = rr_channel_request_fd(at.at_server);
    pid_t child = fork_child();
    if (child == 0) {
        EXPECT(rr_channel_request_fd(at.at_server), -ENXIO);
        int own = rr_channel_request_fd_make(at.at_server);
        CHECK(own > 2 && own != parents && own == rr_channel_request_fd(at.at_server));
        /* Its own client signals the parent still. */
        send_text(at.channel.client, "child's");
        EXPECT(rr_channel_consume_requests(at.at_server), 0);
        EXPECT(rr_channel_notify_requests(at.at_server), 0);
        EXPECT(rr_channel_consume_requests(at.at_server), 1);
        int adopted = rr_channel_reply_fd_set(at.at_client, own);
        EXPECT(adopted, 0);
        EXPECT(rr_channel_notify_replies(at.at_client), 0);
        EXPECT(rr_channel_consume_requests(at.at_server), 1);
        close_pair(&at.channel);
        CHECK(fcntl(own, F_GETFD) == -1 && fcntl(parents, F_GETFD) == -1);
        child_ends();
    }
    expect_ended_well(child);
    EXPECT(rr_channel_consume_requests(at.at_server), 1);
    CHECK(rr_channel_request_fd(at.at_server) == parents);
    close_pair(&at.channel);
}

static void a_forked_child_that_replaces_what_it_signals_leaves_its_parents_alone(void)
{
    wired at = open_wired(RR_KIND_BYTES, RR_OPT_NOTIFY, RR_OPT_NOTIFY);
    int other = eventfd(0, EFD_CLOEXEC);
    CHECK(other >= 0);
    pid_t child = fork_child();
    if (child == 0) {
        for (int k = 0; k < 3; k++) {
            EXPECT(rr_channel_request_fd_set(at.at_client, other), 0);
            EXPECT(rr_channel_notify_requests(at.at_client), 0);
            CHECK(is_ready(other));
            EXPECT(rr_channel_consume_requests(at.at_client), 1);
            EXPECT(rr_channel_request_fd_set(at.at_client, -1), 0);
            EXPECT(rr_channel_notify_requests(at.at_client), -ENXIO);
            EXPECT(rr_channel_request_fd_set(at.at_server, -1), 0);
            EXPECT(rr_channel_request_fd_set(at.at_server, other), 0);
        }
        close_pair(&at.channel);
        child_ends();
    }
    expect_ended_well(child);
    expect_signals(&at, 0, 0);
    EXPECT(rr_channel_request_fd_set(at.at_server, other), 0);
    EXPECT(rr_channel_request_fd_set(at.at_client, other), 0);
    pid_t next = fork_child();
    if (next == 0) {
        EXPECT(rr_channel_notify_requests(at.at_client), 0);
        child_ends();
    }
    expect_ended_well(next);
    EXPECT(rr_channel_consume_requests(at.at_server), 1);
    close(other);
    close_pair(&at.channel);
}

static int round_trips;

static void *serve_whatever_is_signalled(void *context)
{
    wired *at = (wired *)context;
    for (int served = 0; served < round_trips;) {
        until_ready(rr_channel_request_fd(at->at_server));
        CHECK(rr_channel_consume_requests(at->at_server) > 0);
        rr_view view;
        for (int64_t taken; (taken = rr_drain(at->channel.server, &view, sizeof(rr_view), 1)) != -EAGAIN; served++) {
            EXPECT(taken, 1);
            EXPECT(rr_reply(at->channel.server, view.id, NULL, 0), 0);
        }
    }
    return NULL;
}

static void who_consumes_first_and_takes_after_it_misses_nothing(void)
{
    wired at = open_wired(RR_KIND_BYTES, RR_OPT_NOTIFY, RR_OPT_NOTIFY);
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, serve_whatever_is_signalled, &at) == 0);
    for (int k = 0; k < round_trips; k++) {
        uint64_t id = send_text(at.channel.client, "again");
        until_ready(rr_channel_reply_fd(at.at_client));
        EXPECT(rr_channel_consume_replies(at.at_client), 1);
        EXPECT(rr_client_get(at.channel.client, id, NULL, 0), 0);
    }
    CHECK(pthread_join(thread, NULL) == 0);
    close_pair(&at.channel);
}

int main(int argc, char **argv)
{
    round_trips = argc > 1 && strcmp(argv[1], "few") == 0 ? 50 : 5000;
    RUN(consuming_takes_all_signals_and_tells_how_many_there_were);
    RUN(a_counter_that_is_full_neither_blocks_nor_fails_a_notification);
    RUN(requests_and_replies_alone_signal_nothing);
    RUN(with_notify_and_no_descriptor_messages_go_as_ever);
    RUN(with_notify_every_request_of_a_client_signals);
    RUN(what_is_not_sent_signals_nothing);
    RUN(with_notify_every_reply_of_a_server_signals);
    RUN(with_notify_integers_signal_too);
    RUN(a_notification_wakes_who_waits_with_epoll);
    RUN(a_forked_child_signals_and_leaves_its_parents_signals_alone);
    RUN(a_forked_child_can_have_eventfds_of_its_own);
    RUN(a_forked_child_that_replaces_what_it_signals_leaves_its_parents_alone);
    RUN(who_consumes_first_and_takes_after_it_misses_nothing);
    return 0;
}
