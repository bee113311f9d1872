/*
 * One client handle and one server handle, each used by eight threads at once: every reply is that of the request it
 * was asked for, none is lost and none is left.
 *
 * Its argument says whether there is time for "many" requests or for "few".
 */
#include "fixture.h"

#include <stddef.h>

#define THREADS 8
#define LONGEST 300

typedef struct message {
    uint32_t thread, number, length;
    unsigned char bytes[LONGEST];
} message;

#define HEADER offsetof(message, bytes)

typedef struct work {
    pair channel;
    uint32_t thread, rounds;
    uint64_t taken, replied, refused;
    uint64_t collected, cancelled;
} work;

static unsigned char byte_of(const message *of, size_t at, unsigned char side)
{
    return (unsigned char)(side + 7 * of->thread + 13 * of->number + at);
}

static size_t write_message(message *to, uint32_t thread, uint32_t number, unsigned char side)
{
    to->thread = thread;
    to->number = number;
    to->length = (thread * 31 + number * 17) % LONGEST;
    for (size_t k = 0; k < to->length; k++)
        to->bytes[k] = byte_of(to, k, side);
    return HEADER + to->length;
}

static void check_message(const message *from, int64_t length, unsigned char side)
{
    CHECK(length >= (int64_t)HEADER);
    EXPECT(length, HEADER + from->length);
    for (size_t k = 0; k < from->length; k++)
        CHECK(from->bytes[k] == byte_of(from, k, side));
}

enum { REQUEST = 1, REPLY = 100 };

static void *serve(void *context)
{
    work *mine = (work *)context;
    for (;;) {
        message asked, answer;
        rr_request request;
        int64_t length = rr_recv_wait(mine->channel.server, &asked, sizeof asked, &request, FOREVER);
        if (length == -ESHUTDOWN)
            return NULL;
        check_message(&asked, length, REQUEST);
        mine->taken++;
        size_t size = write_message(&answer, asked.thread, asked.number, REPLY);
        int code = rr_reply(mine->channel.server, request.id, &answer, size);
        if (code == 0)
            mine->replied++;
        else
            mine->refused++;
        CHECK(code == 0 || code == -ESTALE);
    }
}

static void check_reply(work *mine, const message *answer, int64_t length, uint32_t number)
{
    check_message(answer, length, REPLY);
    CHECK(answer->thread == mine->thread && answer->number == number);
    mine->collected++;
}

static void *ask(void *context)
{
    work *mine = (work *)context;
    rr_client *client = mine->channel.client;
    for (uint32_t number = 0; number < mine->rounds; number++) {
        message asked, answer;
        size_t size = write_message(&asked, mine->thread, number, REQUEST);
        if (number % 3 == 0) {
            check_reply(mine, &answer, rr_client_req(client, &asked, size, &answer, sizeof answer, FOREVER), number);
            continue;
        }
        uint64_t id;
        EXPECT(rr_client_send_wait(client, &asked, size, &id, FOREVER), 0);
        if (number % 3 == 1 && rr_client_cancel(client, id) == 0) {
            mine->cancelled++;
            continue;
        }
        check_reply(mine, &answer, rr_client_get_wait(client, id, &answer, sizeof answer, FOREVER), number);
    }
    return NULL;
}

/* Clients don't wait for what they withdrew: only when that is over, too, may the servers be stopped. */
static void until_servers_hold_nothing(rr_channel *channel)
{
    uint32_t held = 1;
    while (held > 0) {
        rr_participant found[2];
        sched_yield();
        EXPECT(rr_channel_participants(channel, found, sizeof(rr_participant), LENGTH(found)), 2);
        held = found[found[0].role == RR_ROLE_SERVER ? 0 : 1].held;
    }
}

static uint32_t rounds;

static void run_threads(uint32_t slots)
{
    pair channel = open_pair(slots);
    work clients[THREADS], servers[THREADS];
    pthread_t asking[THREADS], serving[THREADS];
    memset(clients, 0, sizeof clients);
    memset(servers, 0, sizeof servers);
    for (uint32_t k = 0; k < THREADS; k++) {
        clients[k].channel = servers[k].channel = channel;
        clients[k].thread = servers[k].thread = k;
        clients[k].rounds = rounds;
        CHECK(pthread_create(&serving[k], NULL, serve, &servers[k]) == 0);
        CHECK(pthread_create(&asking[k], NULL, ask, &clients[k]) == 0);
    }
    uint64_t collected = 0, cancelled = 0, taken = 0, replied = 0, refused = 0;
    for (uint32_t k = 0; k < THREADS; k++) {
        CHECK(pthread_join(asking[k], NULL) == 0);
        collected += clients[k].collected;
        cancelled += clients[k].cancelled;
    }
    EXPECT(rr_client_pending(channel.client), 0);
    EXPECT(rr_channel_queued(rr_client_channel(channel.client)), 0);
    until_servers_hold_nothing(rr_client_channel(channel.client));
    EXPECT(rr_server_stop(channel.server), 0);
    for (uint32_t k = 0; k < THREADS; k++) {
        CHECK(pthread_join(serving[k], NULL) == 0);
        taken += servers[k].taken;
        replied += servers[k].replied;
        refused += servers[k].refused;
    }
    EXPECT(collected + cancelled, (uint64_t)THREADS * rounds);
    EXPECT(replied, collected);
    EXPECT(taken, replied + refused);
    CHECK(refused <= cancelled);
    rr_stats stats = stats_of(rr_client_channel(channel.client));
    CHECK(stats.in_flight == 0 && stats.free == slots);
    close_pair(&channel);
}

static void with_a_slot_for_everybody_every_reply_finds_its_request(void)
{
    run_threads(64);
}

static void with_fewer_slots_than_threads_nobody_starves(void)
{
    run_threads(3);
}

static void with_one_slot_nobody_starves(void)
{
    run_threads(1);
}

int main(int argc, char **argv)
{
    rounds = argc > 1 && strcmp(argv[1], "few") == 0 ? 50 : 10000;
    RUN(with_a_slot_for_everybody_every_reply_finds_its_request);
    RUN(with_fewer_slots_than_threads_nobody_starves);
    RUN(with_one_slot_nobody_starves);
    return 0;
}
