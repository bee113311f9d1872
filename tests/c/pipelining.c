/*
 * Several requests of one client at once: a reply is found by its id in whatever order it came, and giving a request up
 * while its reply is on the way has one outcome, which both sides see alike.
 *
 * Its argument says whether there is time for "many" races or for "few".
 */
#include "slots.h"

#define IN_FLIGHT 4
#define ORDERS 24

static unsigned races;

/* Order number `number` of the four, as their places. */
static void order_of(unsigned number, unsigned places[IN_FLIGHT])
{
    unsigned left[IN_FLIGHT] = {0, 1, 2, 3};
    for (unsigned k = 0, count = IN_FLIGHT; k < IN_FLIGHT; k++, count--) {
        unsigned chosen = number % count;
        number /= count;
        places[k] = left[chosen];
        memmove(&left[chosen], &left[chosen + 1], (count - chosen - 1) * sizeof left[0]);
    }
}

static void orders_are_all_different(void)
{
    unsigned seen[ORDERS], places[IN_FLIGHT];
    for (unsigned number = 0; number < ORDERS; number++) {
        order_of(number, places);
        seen[number] = places[0] * 64 + places[1] * 16 + places[2] * 4 + places[3];
        for (unsigned other = 0; other < number; other++)
            CHECK(seen[other] != seen[number]);
    }
}

static void four_requests_are_replied_to_and_collected_in_every_order(void)
{
    pair channel = open_pair(IN_FLIGHT);
    for (unsigned round = 0; round < ORDERS * ORDERS; round++) {
        unsigned replying[IN_FLIGHT], collecting[IN_FLIGHT], found;
        uint64_t ids[IN_FLIGHT], taken[IN_FLIGHT];
        rr_request request;
        order_of(round % ORDERS, replying);
        order_of(round / ORDERS, collecting);
        for (unsigned k = 0; k < IN_FLIGHT; k++) {
            unsigned number = round * IN_FLIGHT + k;
            EXPECT(rr_client_send(channel.client, &number, sizeof number, &ids[k]), 0);
        }
        for (unsigned k = 0; k < IN_FLIGHT; k++) {
            EXPECT(rr_recv(channel.server, &found, sizeof found, &request), sizeof found);
            CHECK(found == round * IN_FLIGHT + k);
            taken[k] = request.id;
        }
        for (unsigned k = 0; k < IN_FLIGHT; k++) {
            unsigned reply = 3 * (round * IN_FLIGHT + replying[k]);
            EXPECT(rr_client_get(channel.client, ids[replying[k]], &found, sizeof found), -EAGAIN);
            EXPECT(rr_reply(channel.server, taken[replying[k]], &reply, sizeof reply), 0);
        }
        for (unsigned k = 0; k < IN_FLIGHT; k++) {
            EXPECT(rr_client_get(channel.client, ids[collecting[k]], &found, sizeof found), sizeof found);
            CHECK(found == 3 * (round * IN_FLIGHT + collecting[k]));
        }
        EXPECT(rr_client_pending(channel.client), 0);
    }
    close_pair(&channel);
}

/* Every third request is at the server when it is given up. */
static void five_thousand_requests_that_are_given_up_leave_nothing_pending_and_every_slot_free(void)
{
    pair channel = open_pair(IN_FLIGHT);
    for (int k = 0; k < 5000; k++) {
        uint64_t id = send_text(channel.client, "given up"), taken = 0;
        if (k % 3 == 0)
            taken = take_text(channel.server, "given up");
        EXPECT(rr_client_cancel(channel.client, id), 0);
        EXPECT(rr_client_pending(channel.client), 0);
        if (taken)
            EXPECT(rr_reply(channel.server, taken, "late", 4), -ESTALE);
    }
    CHECK(stats_of(rr_client_channel(channel.client)).cancels == 5000);
    expect_all_slots_free(&channel, IN_FLIGHT);
    close_pair(&channel);
}

/* ---- races ---- */

/* A server's thread, which replies while the client gives up. */
typedef struct race {
    pair channel;
    int is_taken_before;
    uint64_t taken;
    int replied;
    pthread_barrier_t starts, ends;
} race;

static void dawdle(unsigned turns)
{
    for (volatile unsigned k = 0; k < turns; k = k + 1)
        continue;
}

/* 0, -ESTALE, or -EAGAIN if there was no request any more. */
static int take_and_reply(race *at)
{
    char buffer[8];
    rr_request request;
    if (!at->is_taken_before) {
        int64_t length = rr_recv(at->channel.server, buffer, sizeof buffer, &request);
        if (length == -EAGAIN)
            return -EAGAIN;
        EXPECT(length, 5);
        at->taken = request.id;
    }
    return rr_reply(at->channel.server, at->taken, "reply", 5);
}

static void *reply_in_time_or_not(void *context)
{
    race *at = (race *)context;
    for (unsigned round = 0; round < races; round++) {
        pthread_barrier_wait(&at->starts);
        dawdle(round * 7 % 64 * 8);
        at->replied = take_and_reply(at);
        pthread_barrier_wait(&at->ends);
    }
    return NULL;
}

static int give_up_by_cancel(const pair *channel, uint64_t id)
{
    return rr_client_cancel(channel->client, id);
}

/* A clear that finds nothing to end came as late as a cancel that says so. */
static int give_up_by_clear(const pair *channel, uint64_t id)
{
    (void)id;
    int cleared = rr_channel_clear(rr_client_channel(channel->client));
    CHECK(cleared == 0 || cleared == 1);
    return cleared ? 0 : -EALREADY;
}

static void run_races(int (*give_up)(const pair *, uint64_t), int is_taken_before)
{
    race at;
    memset(&at, 0, sizeof at);
    at.channel = open_pair(IN_FLIGHT);
    at.is_taken_before = is_taken_before;
    CHECK(pthread_barrier_init(&at.starts, NULL, 2) == 0);
    CHECK(pthread_barrier_init(&at.ends, NULL, 2) == 0);
    pthread_t server;
    CHECK(pthread_create(&server, NULL, reply_in_time_or_not, &at) == 0);
    unsigned in_time = 0;
    for (unsigned round = 0; round < races; round++) {
        uint64_t id = send_text(at.channel.client, "raced");
        if (is_taken_before)
            at.taken = take_text(at.channel.server, "raced");
        pthread_barrier_wait(&at.starts);
        dawdle(round * 11 % 64 * 8);
        int given_up = give_up(&at.channel, id);
        pthread_barrier_wait(&at.ends);
        if (at.replied == 0) {
            EXPECT(given_up, -EALREADY);
            collect_text(at.channel.client, id, "reply");
            in_time++;
        } else {
            CHECK(at.replied == -ESTALE || (at.replied == -EAGAIN && !is_taken_before));
            EXPECT(given_up, 0);
            EXPECT(rr_client_get(at.channel.client, id, NULL, 0), -ESTALE);
        }
        EXPECT(rr_client_pending(at.channel.client), 0);
    }
    CHECK(pthread_join(server, NULL) == 0);
    printf("  %u of %u replies came in time\n", in_time, races);
    expect_all_slots_free(&at.channel, IN_FLIGHT);
    pthread_barrier_destroy(&at.starts);
    pthread_barrier_destroy(&at.ends);
    close_pair(&at.channel);
}

static void both_sides_agree_on_how_a_cancel_and_a_reply_raced(void)
{
    run_races(give_up_by_cancel, 1);
}

static void both_sides_agree_on_how_a_cancel_and_a_server_that_takes_raced(void)
{
    run_races(give_up_by_cancel, 0);
}

static void both_sides_agree_on_how_a_clear_and_a_reply_raced(void)
{
    run_races(give_up_by_clear, 1);
}

static void both_sides_agree_on_how_a_clear_and_a_server_that_takes_raced(void)
{
    run_races(give_up_by_clear, 0);
}

int main(int argc, char **argv)
{
    races = argc > 1 && strcmp(argv[1], "few") == 0 ? 200 : 10000;
    RUN(orders_are_all_different);
    RUN(four_requests_are_replied_to_and_collected_in_every_order);
    RUN(five_thousand_requests_that_are_given_up_leave_nothing_pending_and_every_slot_free);
    RUN(both_sides_agree_on_how_a_cancel_and_a_reply_raced);
    RUN(both_sides_agree_on_how_a_cancel_and_a_server_that_takes_raced);
    RUN(both_sides_agree_on_how_a_clear_and_a_reply_raced);
    RUN(both_sides_agree_on_how_a_clear_and_a_server_that_takes_raced);
    return 0;
}
