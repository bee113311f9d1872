/*
 * Channels of integers: one int64_t each way, by seven calls of their own, which keep every promise that the calls for
 * bytes keep; and the calls that concern both kinds work in them.
 */
#include "doomed.h"
#include "integers.h"
#include "interrupts.h"

static void a_channel_of_integers_says_so_and_has_room_for_eight_bytes(void)
{
    const uint64_t sizes[] = {0, 8};
    for (size_t k = 0; k < LENGTH(sizes); k++) {
        rr_options options = of_kind(RR_KIND_INT, 3);
        options.request_max = options.response_max = sizes[k];
        rr_server *server;
        EXPECT(rr_server_new(NULL, &options, &server, NULL), 0);
        rr_channel *channel = rr_server_channel(server);
        EXPECT(rr_channel_kind(channel), RR_KIND_INT);
        EXPECT(rr_channel_request_max(channel), 8);
        EXPECT(rr_channel_response_max(channel), 8);
        EXPECT(rr_channel_slots(channel), 3);
        rr_server_free(server);
    }
}

static void other_sizes_are_refused_by_name(void)
{
    const uint64_t sizes[] = {1, 5, 7, 9, 4096};
    for (size_t k = 0; k < 2 * LENGTH(sizes); k++) {
        const char *field = k % 2 ? "response_max" : "request_max";
        char found[64];
        rr_options options = of_kind(RR_KIND_INT, 3);
        *(k % 2 ? &options.response_max : &options.request_max) = sizes[k / 2];
        snprintf(found, sizeof found, "%s: found %d, expected 8", field, (int)sizes[k / 2]);
        rr_server *server;
        rr_error error;
        EXPECT(rr_server_new(NULL, &options, &server, &error), -EINVAL);
        CHECK(server == NULL);
        CHECK_CONTAINS(error.message, found);
    }
}

/* The ends, the middle, every single bit, and all but every single bit. */
#define NUMBERS (5 + 2 * 64)

static int64_t number_at(int k)
{
    const int64_t special[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    if (k < 5)
        return special[k];
    int64_t bit = (int64_t)(UINT64_C(1) << (k - 5) % 64);
    return k < 5 + 64 ? bit : ~bit;
}

/* A reply that is another number than the request. */
static int64_t answer_to(int64_t number)
{
    return (int64_t)((uint64_t)number * 3 + 1);
}

static void every_number_arrives_whole_both_ways(void)
{
    pair channel = open_int_pair(2);
    for (int k = 0; k < NUMBERS; k++) {
        const int64_t number = number_at(k);
        int64_t found = ~number;
        rr_request request;
        uint64_t id = send_number(channel.client, number);
        reply_number(channel.server, take_number(channel.server, number), number);
        collect_number(channel.client, id, number);

        id = send_number(channel.client, number);
        EXPECT(rr_recv_wait_i64(channel.server, &found, &request, FOREVER), 0);
        CHECK(found == number);
        reply_number(channel.server, request.id, answer_to(number));
        EXPECT(rr_client_get_wait_i64(channel.client, id, &found, FOREVER), 0);
        CHECK(found == answer_to(number));
    }
    close_pair(&channel);
}

static void every_number_arrives_whole_both_ways_in_one_call_and_between_processes(void)
{
    pair channel = open_int_pair(2);
    pid_t child = fork_child();
    if (child == 0) {
        for (int k = 0; k < NUMBERS; k++) {
            int64_t number;
            rr_request request;
            EXPECT(rr_recv_wait_i64(channel.server, &number, &request, FOREVER), 0);
            CHECK(number == number_at(k));
            reply_number(channel.server, request.id, answer_to(number));
        }
        child_ends();
    }
    for (int k = 0; k < NUMBERS; k++) {
        int64_t reply;
        EXPECT(rr_client_req_i64(channel.client, number_at(k), &reply, FOREVER), 0);
        CHECK(reply == answer_to(number_at(k)));
    }
    EXPECT(rr_client_pending(channel.client), 0);
    expect_ended_well(child);
    close_pair(&channel);
}

static void a_request_is_described(void)
{
    pair channel = open_int_pair(2);
    rr_client *other = another_int_client(&channel);
    int64_t number;
    rr_request first, second;
    uint64_t id = send_number(channel.client, 1), another = send_number(other, 2);
    EXPECT(rr_recv_i64(channel.server, &number, &first), 0);
    EXPECT(rr_recv_wait_i64(channel.server, &number, &second, FOREVER), 0);
    CHECK(first.id == id && second.id == another);
    CHECK(first.length == 8 && second.length == 8);
    CHECK(first.msg_type == 0 && first.flags == 0 && first.redeliveries == 0);
    CHECK(first.client != 0 && second.client != 0 && first.client != second.client);
    rr_client_free(other);
    close_pair(&channel);
}

static void what_is_not_there_yet_is_eagain_and_a_full_channel_enobufs(void)
{
    pair channel = open_int_pair(2);
    int64_t number;
    uint64_t ids[2], third;
    rr_request request;
    EXPECT(rr_recv_i64(channel.server, &number, &request), -EAGAIN);
    EXPECT(rr_recv_wait_i64(channel.server, &number, &request, 0), -EAGAIN);
    EXPECT(rr_client_req_i64(channel.client, 1, &number, 0), -EAGAIN);
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_recv_i64(channel.server, &number, &request), -EAGAIN);

    ids[0] = send_number(channel.client, 1);
    ids[1] = send_number(channel.client, 2);
    EXPECT(rr_client_get_i64(channel.client, ids[0], &number), -EAGAIN);
    EXPECT(rr_client_get_wait_i64(channel.client, ids[0], &number, 0), -EAGAIN);
    EXPECT(rr_client_send_i64(channel.client, 3, &third), -ENOBUFS);
    EXPECT(rr_client_req_i64(channel.client, 3, &number, 0), -ENOBUFS);
    EXPECT(rr_client_pending(channel.client), 2);
    reply_number(channel.server, take_number(channel.server, 1), 10);
    reply_number(channel.server, take_number(channel.server, 2), 20);
    EXPECT(rr_client_send_i64(channel.client, 3, &third), -ENOBUFS);
    collect_number(channel.client, ids[1], 20);
    collect_number(channel.client, ids[0], 10);
    expect_int_works(&channel);
    close_pair(&channel);
}

/* ---- waits ---- */

/* A channel of one slot, in which nothing happens by itself. */
typedef struct scene {
    pair channel;
    uint64_t held;
} scene;

static int wait_to_receive(scene *at, int64_t timeout_ns)
{
    int64_t number;
    rr_request request;
    return rr_recv_wait_i64(at->channel.server, &number, &request, timeout_ns);
}

static int wait_to_collect(scene *at, int64_t timeout_ns)
{
    int64_t number;
    return rr_client_get_wait_i64(at->channel.client, at->held, &number, timeout_ns);
}

static int wait_for_request(scene *at, int64_t timeout_ns)
{
    int64_t number;
    return rr_client_req_i64(at->channel.client, 5, &number, timeout_ns);
}

static const struct wait {
    int (*call)(scene *, int64_t);
    int slot_is_held;
    int by_server;
} WAITS[] = {
    {wait_to_receive, 0, 1},
    {wait_to_collect, 1, 0},
    {wait_for_request, 0, 0},
    {wait_for_request, 1, 0},
};

static scene set_scene(const struct wait *wait)
{
    scene at = {open_int_pair(1), 0};
    if (wait->slot_is_held)
        at.held = send_number(at.channel.client, 4);
    return at;
}

static rr_channel *channel_of(const scene *at)
{
    return rr_server_channel(at->channel.server);
}

/* Nothing came of the call that ended early, and all goes on. */
static void expect_undisturbed(scene *at)
{
    EXPECT(rr_client_pending(at->channel.client), at->held ? 1 : 0);
    EXPECT(rr_channel_queued(channel_of(at)), at->held ? 1 : 0);
    if (at->held) {
        reply_number(at->channel.server, take_number(at->channel.server, 4), 44);
        collect_number(at->channel.client, at->held, 44);
    }
    expect_int_works(&at->channel);
}

static void a_wait_ends_at_its_deadline(void)
{
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        scene at = set_scene(&WAITS[k]);
        int64_t begun = now();
        EXPECT(WAITS[k].call(&at, 30 * MS), -ETIMEDOUT);
        int64_t took = now() - begun;
        CHECK(took >= 30 * MS && took < 10 * SECOND);
        CHECK(stats_of(channel_of(&at)).timeouts == 1);
        expect_undisturbed(&at);
        close_pair(&at.channel);
    }
}

static void a_signal_handler_that_runs_ends_a_wait_and_nothing_is_lost(void)
{
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        scene at = set_scene(&WAITS[k]);
        timer_t timer = begin_interrupts(SA_RESTART);
        EXPECT(WAITS[k].call(&at, FOREVER), -EINTR);
        EXPECT(WAITS[k].call(&at, 60 * SECOND), -EINTR);
        end_interrupts(timer);
        expect_undisturbed(&at);
        close_pair(&at.channel);
    }
}

static void stop_server(void *server)
{
    EXPECT(rr_server_stop((rr_server *)server), 0);
}

static void stop_client(void *client)
{
    EXPECT(rr_client_stop((rr_client *)client), 0);
}

static void a_stop_ends_a_wait_and_every_later_call(void)
{
    for (size_t k = 0; k < LENGTH(WAITS); k++) {
        scene at = set_scene(&WAITS[k]);
        pair *channel = &at.channel;
        deed stopping;
        int64_t number;
        uint64_t id;
        rr_request request;
        if (WAITS[k].by_server) {
            plan(&stopping, channel_of(&at), stop_server, channel->server);
        } else {
            plan(&stopping, channel_of(&at), stop_client, channel->client);
        }
        EXPECT(WAITS[k].call(&at, FOREVER), -ESHUTDOWN);
        done(&stopping);
        if (WAITS[k].by_server) {
            EXPECT(rr_recv_i64(channel->server, &number, &request), -ESHUTDOWN);
            EXPECT(rr_recv_wait_i64(channel->server, &number, &request, FOREVER), -ESHUTDOWN);
            EXPECT(rr_reply_i64(channel->server, 1, 1), -ESHUTDOWN);
            rr_server *next = another_int_server(channel);
            rr_server_free(channel->server);
            channel->server = next;
        } else {
            EXPECT(rr_client_send_i64(channel->client, 1, &id), -ESHUTDOWN);
            EXPECT(rr_client_req_i64(channel->client, 1, &number, FOREVER), -ESHUTDOWN);
            EXPECT(rr_client_get_i64(channel->client, at.held, &number), -ESHUTDOWN);
            EXPECT(rr_client_get_wait_i64(channel->client, at.held, &number, FOREVER), -ESHUTDOWN);
            rr_client_free(channel->client);
            channel->client = another_int_client(channel);
        }
        expect_int_works(channel);
        close_pair(channel);
    }
}

int main(void)
{
    RUN(a_channel_of_integers_says_so_and_has_room_for_eight_bytes);
    RUN(other_sizes_are_refused_by_name);
    RUN(every_number_arrives_whole_both_ways);
    RUN(every_number_arrives_whole_both_ways_in_one_call_and_between_processes);
    RUN(a_request_is_described);
    RUN(what_is_not_there_yet_is_eagain_and_a_full_channel_enobufs);
    RUN(a_wait_ends_at_its_deadline);
    RUN(a_signal_handler_that_runs_ends_a_wait_and_nothing_is_lost);
    RUN(a_stop_ends_a_wait_and_every_later_call);
    return 0;
}
