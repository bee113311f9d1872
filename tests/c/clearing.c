/*
 * Clearing a channel ends every request that has no outcome yet, wherever it is and whoever waits for it, and takes
 * nothing else from anybody.
 */
#include "slots.h"

#define SLOTS 8

static int clear(const pair *channel)
{
    return rr_channel_clear(rr_server_channel(channel->server));
}

static void expect_stale(rr_client *client, uint64_t id)
{
    char buffer[8];
    rr_view view;
    EXPECT(rr_client_get(client, id, buffer, sizeof buffer), -ESTALE);
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER), -ESTALE);
    EXPECT(rr_client_view(client, id, &view, NULL, NULL), -ESTALE);
    EXPECT(rr_client_wait_any(client, &id, 1, NULL), -ESTALE);
    EXPECT(rr_client_cancel(client, id), -ESTALE);
}

/* ---- waits ---- */

/* Clearing goes from slot to slot: what a waiter does next comes after all of it. */
static gate cleared;

static void wait_for_a_whole_request(rr_client *client)
{
    char buffer[8];
    EXPECT(rr_client_req(client, "asked", 5, buffer, sizeof buffer, FOREVER), -ESTALE);
    pass_gate(&cleared);
}

static void wait_for_a_copy(rr_client *client)
{
    char buffer[8];
    uint64_t id = send_text(client, "asked");
    EXPECT(rr_client_get_wait(client, id, buffer, sizeof buffer, FOREVER), -ESTALE);
    pass_gate(&cleared);
    expect_stale(client, id);
}

static void wait_for_a_view(rr_client *client)
{
    rr_view view;
    uint64_t id = send_text(client, "asked");
    EXPECT(rr_client_view(client, id, &view, NULL, NULL), -ESTALE);
    pass_gate(&cleared);
    expect_stale(client, id);
}

static void wait_for_any(rr_client *client)
{
    uint64_t ids[] = {0, send_text(client, "asked"), send_text(client, "asked")};
    EXPECT(rr_client_wait_any(client, ids, LENGTH(ids), NULL), -ESTALE);
    pass_gate(&cleared);
    expect_stale(client, ids[1]);
    expect_stale(client, ids[2]);
}

/* `held` of the five requests are at the server, the others queued. */
static void expect_four_waits_end(int held)
{
    void (*const waits[])(rr_client *) = {wait_for_a_whole_request, wait_for_a_copy, wait_for_a_view, wait_for_any};
    pair channel = open_pair(SLOTS);
    rr_channel *handle = rr_server_channel(channel.server);
    pid_t children[LENGTH(waits)];
    uint64_t taken[5];
    cleared = new_gate();
    for (size_t k = 0; k < LENGTH(waits); k++) {
        children[k] = fork_child();
        if (children[k] == 0) {
            waits[k](channel.client);
            EXPECT(rr_client_pending(channel.client), 0);
            request_text(channel.client, "again", "again");
            child_ends();
        }
    }
    while (stats_of(handle).in_flight < 5)
        sched_yield();
    for (size_t k = 0; k < LENGTH(waits); k++)
        until_asleep(children[k]);
    for (int k = 0; k < held; k++)
        taken[k] = take_text(channel.server, "asked");

    int64_t begun = now();
    EXPECT(rr_channel_clear(handle), 5);
    for (int k = 0; k < held; k++)
        EXPECT(rr_reply(channel.server, taken[k], "late", 4), -ESTALE);
    for (size_t k = 0; k < LENGTH(waits); k++)
        open_gate(&cleared);
    serve_echo(channel.server, (int)LENGTH(waits));
    CHECK(now() - begun < 10 * SECOND);
    for (size_t k = 0; k < LENGTH(waits); k++)
        expect_ended_well(children[k]);
    EXPECT(rr_channel_recover(handle), LENGTH(waits));
    expect_all_slots_free(&channel, SLOTS);
    drop_gate(&cleared);
    close_pair(&channel);
}

static void a_clear_ends_the_waits_of_four_other_processes(void)
{
    for (int held = 0; held <= 5; held++)
        expect_four_waits_end(held);
}

typedef struct clearer {
    rr_channel *channel;
    int count;
} clearer;

static void clear_by_deed(void *context)
{
    clearer *by = (clearer *)context;
    by->count = rr_channel_clear(by->channel);
}

/* What it sends at once is not meant, whatever slot it is in. */
static void who_waits_for_a_slot_gets_one_that_was_cleared(void)
{
    for (int held = 0; held < 2; held++) {
        pair channel = open_pair(1);
        clearer by = {rr_server_channel(channel.server), 0};
        uint64_t first = send_text(channel.client, "first"), second, taken = 0;
        if (held)
            taken = take_text(channel.server, "first");
        deed clearing;
        plan(&clearing, by.channel, clear_by_deed, &by);
        EXPECT(rr_client_send_wait(channel.client, "second", 6, &second, FOREVER), 0);
        CHECK(now() - done(&clearing) < 10 * SECOND);
        EXPECT(by.count, 1);
        expect_stale(channel.client, first);
        if (held)
            EXPECT(rr_reply(channel.server, taken, "late", 4), -ESTALE);
        reply_text(channel.server, take_text(channel.server, "second"), "served");
        collect_text(channel.client, second, "served");
        expect_all_slots_free(&channel, 1);
        close_pair(&channel);
    }
}

/* ---- what is cancelled ---- */

static void queued_requests_are_never_delivered_whoever_sent_them(void)
{
    pair channel = open_pair(SLOTS);
    rr_client *other = another_client(&channel);
    uint64_t ids[SLOTS];
    for (int k = 0; k < SLOTS; k++)
        ids[k] = send_text(k % 2 ? other : channel.client, "never");
    EXPECT(clear(&channel), SLOTS);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 0);
    expect_none_queued(channel.server);
    for (int k = 0; k < SLOTS; k++)
        expect_stale(k % 2 ? other : channel.client, ids[k]);
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_client_pending(other), 0);
    expect_all_slots_free(&channel, SLOTS);
    rr_client_free(other);
    close_pair(&channel);
}

static int reply_with_bytes(rr_server *server, uint64_t id)
{
    return rr_reply(server, id, "late", 4);
}

static int reply_with_an_error(rr_server *server, uint64_t id)
{
    return rr_reply_error(server, id, 1, "late");
}

static int borrow_room(rr_server *server, uint64_t id)
{
    void *room;
    size_t size;
    return loan_reply(server, id, &room, &size);
}

static void the_server_of_a_cleared_request_is_told_so_once_and_its_slot_is_free(void)
{
    int (*const ends[])(rr_server *, uint64_t) = {reply_with_bytes, reply_with_an_error, borrow_room, rr_release};
    for (size_t end = 0; end < LENGTH(ends); end++) {
        pair channel = open_pair(2);
        uint64_t ids[2], taken[2];
        for (int round = 0; round < 20; round++) {
            for (int k = 0; k < 2; k++) {
                ids[k] = send_text(channel.client, "cleared");
                taken[k] = take_text(channel.server, "cleared");
            }
            EXPECT(clear(&channel), 2);
            EXPECT(clear(&channel), 0);
            for (int k = 0; k < 2; k++) {
                expect_stale(channel.client, ids[k]);
                EXPECT(ends[end](channel.server, taken[k]), -ESTALE);
                EXPECT(ends[end](channel.server, taken[k]), -ESTALE);
            }
            expect_all_slots_free(&channel, 2);
        }
        close_pair(&channel);
    }
}

static void a_reply_in_the_making_is_refused_when_it_is_committed(void)
{
    pair channel = open_pair(1);
    void *room = NULL;
    size_t size;
    send_text(channel.client, "cleared");
    uint64_t taken = take_text(channel.server, "cleared");
    EXPECT(loan_reply(channel.server, taken, &room, &size), 0);
    memcpy(room, "late", 4);
    EXPECT(clear(&channel), 1);
    EXPECT(commit_reply(channel.server, taken, 4, 0, 0), -ESTALE);
    expect_all_slots_free(&channel, 1);
    close_pair(&channel);
}

static void a_request_that_is_to_be_served_again_is_cleared_too(void)
{
    rr_options options = with_slots(1);
    options.flags = RR_OPT_REDELIVER;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    uint64_t id = send_text(channel.client, "again");
    pid_t server = fork_child();
    if (server == 0) {
        take_text(channel.server, "again");
        kill(getpid(), SIGKILL);
    }
    expect_killed(server);
    EXPECT(rr_channel_recover(rr_server_channel(channel.server)), 1);
    EXPECT(rr_channel_queued(rr_server_channel(channel.server)), 1);
    EXPECT(clear(&channel), 1);
    expect_stale(channel.client, id);
    expect_none_queued(channel.server);
    expect_all_slots_free(&channel, 1);
    close_pair(&channel);
}

static void queued_messages_are_dropped_and_one_that_a_server_holds_is_its(void)
{
    pair channel = open_pair(3);
    for (int k = 0; k < 3; k++)
        EXPECT(rr_client_post(channel.client, "told", 4, 0), 0);
    uint64_t taken = take_text(channel.server, "told");
    EXPECT(clear(&channel), 2);
    expect_none_queued(channel.server);
    EXPECT(clear(&channel), 0);
    rr_stats stats = stats_of(rr_server_channel(channel.server));
    CHECK(stats.in_flight == 1 && stats.free == 2 && stats.cancels == 2);
    EXPECT(rr_dismiss(channel.server, taken), 0);
    expect_all_slots_free(&channel, 3);
    close_pair(&channel);
}

static void a_channel_of_integers_is_cleared_alike(void)
{
    rr_options options = with_slots(2);
    options.kind = RR_KIND_INT;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    EXPECT(rr_client_from_server(channel.server, &options, &channel.client, NULL), 0);
    uint64_t first, second;
    int64_t value;
    rr_request request;
    EXPECT(rr_client_send_i64(channel.client, 1, &first), 0);
    EXPECT(rr_client_send_i64(channel.client, 2, &second), 0);
    EXPECT(rr_recv_i64(channel.server, &value, &request), 0);
    EXPECT(clear(&channel), 2);
    EXPECT(rr_recv_i64(channel.server, &value, &request), -EAGAIN);
    EXPECT(rr_reply_i64(channel.server, request.id, 10), -ESTALE);
    EXPECT(rr_client_get_i64(channel.client, first, &value), -ESTALE);
    EXPECT(rr_client_get_wait_i64(channel.client, second, &value, FOREVER), -ESTALE);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 2);
    close_pair(&channel);
}

/* ---- what stays ---- */

static void outcomes_that_are_there_stay_and_can_be_collected(void)
{
    pair channel = open_pair(5);
    char buffer[16];
    rr_server *leaving;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &leaving, NULL), 0);
    uint64_t replied = send_text(channel.client, "replied"), refused = send_text(channel.client, "refused");
    uint64_t released = send_text(channel.client, "released"), left = send_text(channel.client, "left");
    uint64_t queued = send_text(channel.client, "queued");
    reply_text(channel.server, take_text(channel.server, "replied"), "reply");
    EXPECT(rr_reply_error(channel.server, take_text(channel.server, "refused"), 7, "no"), 0);
    EXPECT(rr_dismiss(channel.server, take_text(channel.server, "released")), 0);
    take_text(leaving, "left");
    rr_server_free(leaving);

    EXPECT(clear(&channel), 1);
    expect_stale(channel.client, queued);
    EXPECT(rr_client_pending(channel.client), 4);
    EXPECT(rr_client_cancel(channel.client, replied), -EALREADY);
    collect_text(channel.client, replied, "reply");
    EXPECT(rr_client_get(channel.client, refused, buffer, sizeof buffer), -EREMOTEIO);
    EXPECT(rr_client_get(channel.client, released, buffer, sizeof buffer), -ENOMSG);
    EXPECT(rr_client_get(channel.client, left, buffer, sizeof buffer), -EOWNERDEAD);
    expect_all_slots_free(&channel, 5);
    close_pair(&channel);
}

static void loans_stay_and_can_be_sent_or_given_back(void)
{
    pair channel = open_pair(3);
    rr_buffer sent = RR_BUFFER_INIT, given_back = RR_BUFFER_INIT;
    uint64_t id;
    EXPECT(rr_client_loan(channel.client, &sent, within(0)), 0);
    EXPECT(rr_client_loan(channel.client, &given_back, within(0)), 0);
    uint64_t cleared = send_text(channel.client, "cleared");
    memcpy(sent.data, "written", 7);
    EXPECT(clear(&channel), 1);
    expect_stale(channel.client, cleared);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 1);
    CHECK(memcmp(sent.data, "written", 7) == 0);
    EXPECT(rr_client_abort(channel.client, &given_back), 0);
    EXPECT(commit_loan(channel.client, &sent, 7, &id), 0);
    reply_text(channel.server, take_text(channel.server, "written"), "read");
    collect_text(channel.client, id, "read");
    expect_all_slots_free(&channel, 3);
    close_pair(&channel);
}

/* ---- who may ---- */

static void both_kinds_of_handle_clear_and_nothing_is_0(void)
{
    pair channel = open_pair(2);
    rr_channel *handles[] = {rr_client_channel(channel.client), rr_server_channel(channel.server)};
    for (size_t k = 0; k < LENGTH(handles); k++) {
        EXPECT(rr_channel_clear(handles[k]), 0);
        uint64_t held = send_text(channel.client, "held"), taken = take_text(channel.server, "held");
        uint64_t queued = send_text(channel.client, "queued");
        EXPECT(rr_channel_clear(handles[k]), 2);
        expect_stale(channel.client, queued);
        expect_stale(channel.client, held);
        EXPECT(rr_reply(channel.server, taken, "", 0), -ESTALE);
        EXPECT(rr_channel_clear(handles[k]), 0);
        expect_all_slots_free(&channel, 2);
    }
    CHECK(stats_of(handles[0]).cancels == 4);
    close_pair(&channel);
}

static void a_stopped_handle_clears_nothing(void)
{
    pair channel = open_pair(1);
    rr_client *stopped = another_client(&channel);
    rr_server *other;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(channel.server)), NULL, &other, NULL), 0);
    uint64_t id = send_text(channel.client, "stays");
    EXPECT(rr_client_stop(stopped), 0);
    EXPECT(rr_server_stop(other), 0);
    EXPECT(rr_channel_clear(rr_client_channel(stopped)), -ESHUTDOWN);
    EXPECT(rr_channel_clear(rr_server_channel(other)), -ESHUTDOWN);
    reply_text(channel.server, take_text(channel.server, "stays"), "served");
    collect_text(channel.client, id, "served");
    rr_client_free(stopped);
    rr_server_free(other);
    close_pair(&channel);
}

int main(void)
{
    RUN(a_clear_ends_the_waits_of_four_other_processes);
    RUN(who_waits_for_a_slot_gets_one_that_was_cleared);
    RUN(queued_requests_are_never_delivered_whoever_sent_them);
    RUN(the_server_of_a_cleared_request_is_told_so_once_and_its_slot_is_free);
    RUN(a_reply_in_the_making_is_refused_when_it_is_committed);
    RUN(a_request_that_is_to_be_served_again_is_cleared_too);
    RUN(queued_messages_are_dropped_and_one_that_a_server_holds_is_its);
    RUN(a_channel_of_integers_is_cleared_alike);
    RUN(outcomes_that_are_there_stay_and_can_be_collected);
    RUN(loans_stay_and_can_be_sent_or_given_back);
    RUN(both_kinds_of_handle_clear_and_nothing_is_0);
    RUN(a_stopped_handle_clears_nothing);
    return 0;
}
