/*
 * Whoever waits for any of several requests is woken: for one of hundreds, beside other threads that wait for the same,
 * and whenever the reply comes.
 *
 * Its argument says whether there is time for "many" rounds or for "few".
 */
#include "fixture.h"

#define MANY 200

typedef struct reply {
    rr_server *server;
    uint64_t id;
} reply;

static void reply_to_it(void *context)
{
    const reply *to = (const reply *)context;
    reply_text(to->server, to->id, "reply");
}

static void the_last_of_200_is_found_asleep_or_awake(void)
{
    pair channel = open_pair(MANY);
    uint64_t ids[MANY];
    for (int k = 0; k < MANY; k++) {
        ids[k] = send_text(channel.client, "question");
        take_text(channel.server, "question");
    }
    reply to = {channel.server, ids[MANY - 1]};
    deed replying;
    plan(&replying, rr_client_channel(channel.client), reply_to_it, &to);
    EXPECT(rr_client_wait_any(channel.client, ids, MANY, NULL), MANY - 1);
    CHECK(now() - done(&replying) < 10 * SECOND);
    EXPECT(rr_client_wait_any(channel.client, ids, MANY, within(0)), MANY - 1);
    collect_text(channel.client, ids[MANY - 1], "reply");
    EXPECT(rr_client_wait_any(channel.client, ids, MANY - 1, within(0)), -EAGAIN);
    for (int k = 0; k < MANY - 1; k++) {
        reply_text(channel.server, ids[k], "reply");
        EXPECT(rr_client_wait_any(channel.client, ids + k, (size_t)(MANY - k), NULL), 0);
        collect_text(channel.client, ids[k], "reply");
    }
    close_pair(&channel);
}

/* ---- several threads ---- */

/* A thread that waits, and what came of it. */
typedef struct sleeper {
    rr_client *client;
    uint64_t ids[2];
    char *buffer;
    size_t room;
    int64_t found;
    pid_t number;
    pthread_t thread;
} sleeper;

static void *wait_for_any(void *context)
{
    sleeper *self = (sleeper *)context;
    __atomic_store_n(&self->number, thread_id(), __ATOMIC_RELEASE);
    self->found = rr_client_wait_any(self->client, self->ids, 2, NULL);
    return NULL;
}

static void *wait_for_one(void *context)
{
    sleeper *self = (sleeper *)context;
    __atomic_store_n(&self->number, thread_id(), __ATOMIC_RELEASE);
    self->found = rr_client_get_wait(self->client, self->ids[0], self->buffer, self->room, FOREVER);
    return NULL;
}

static void begin(sleeper *self, void *(*wait)(void *))
{
    CHECK(pthread_create(&self->thread, NULL, wait, self) == 0);
}

/* Returns once each has slept. */
static void until_all_sleep(rr_channel *channel, const sleeper *sleepers, size_t count)
{
    while (stats_of(channel).sleeps < count)
        sched_yield();
    for (size_t k = 0; k < count; k++) {
        pid_t number;
        while ((number = __atomic_load_n(&sleepers[k].number, __ATOMIC_ACQUIRE)) == 0)
            sched_yield();
        until_asleep(number);
    }
}

/* One for the first and second of three requests, one for the second and third, one for the second alone. */
static void wait_side_by_side(const pair *channel, sleeper sleepers[3], char *buffer, size_t room, uint64_t ids[3])
{
    memset(sleepers, 0, 3 * sizeof *sleepers);
    for (int k = 0; k < 3; k++) {
        ids[k] = send_text(channel->client, "question");
        take_text(channel->server, "question");
        sleepers[k].client = channel->client;
        sleepers[k].buffer = buffer;
        sleepers[k].room = room;
    }
    sleepers[0].ids[0] = ids[0];
    sleepers[0].ids[1] = sleepers[1].ids[0] = sleepers[2].ids[0] = ids[1];
    sleepers[1].ids[1] = ids[2];
    begin(&sleepers[0], wait_for_any);
    begin(&sleepers[1], wait_for_any);
    begin(&sleepers[2], wait_for_one);
    until_all_sleep(rr_client_channel(channel->client), sleepers, 3);
}

static void join_all(sleeper *sleepers, size_t count)
{
    for (size_t k = 0; k < count; k++)
        CHECK(pthread_join(sleepers[k].thread, NULL) == 0);
}

static void all_threads_that_wait_for_one_request_are_woken(void)
{
    pair channel = open_pair(3);
    sleeper sleepers[3];
    uint64_t ids[3];
    char room_for_none[1];
    wait_side_by_side(&channel, sleepers, room_for_none, 1, ids);
    reply_text(channel.server, ids[1], "reply");
    join_all(sleepers, 3);
    EXPECT(sleepers[0].found, 1);
    EXPECT(sleepers[1].found, 0);
    EXPECT(sleepers[2].found, -EOVERFLOW);
    collect_text(channel.client, ids[1], "reply");
    close_pair(&channel);
}

static void all_are_woken_even_if_one_collects_it(void)
{
    pair channel = open_pair(3);
    sleeper sleepers[3];
    uint64_t ids[3];
    char buffer[8];
    wait_side_by_side(&channel, sleepers, buffer, sizeof buffer, ids);
    reply_text(channel.server, ids[1], "reply");
    join_all(sleepers, 3);
    EXPECT(sleepers[2].found, 5);
    CHECK(memcmp(buffer, "reply", 5) == 0);
    /* Found before it was collected, or gone. */
    for (int k = 0; k < 2; k++)
        CHECK(sleepers[k].found == 1 - k || sleepers[k].found == -ESTALE);
    close_pair(&channel);
}

static void each_thread_is_woken_for_its_own(void)
{
    pair channel = open_pair(3);
    sleeper sleepers[3];
    uint64_t ids[3];
    char buffer[8];
    wait_side_by_side(&channel, sleepers, buffer, sizeof buffer, ids);
    reply_text(channel.server, ids[2], "third");
    CHECK(pthread_join(sleepers[1].thread, NULL) == 0);
    EXPECT(sleepers[1].found, 1);
    reply_text(channel.server, ids[0], "first");
    CHECK(pthread_join(sleepers[0].thread, NULL) == 0);
    EXPECT(sleepers[0].found, 0);
    reply_text(channel.server, ids[1], "second");
    CHECK(pthread_join(sleepers[2].thread, NULL) == 0);
    EXPECT(sleepers[2].found, 6);
    close_pair(&channel);
}

static void a_stop_wakes_all(void)
{
    pair channel = open_pair(3);
    sleeper sleepers[3];
    uint64_t ids[3];
    char buffer[8];
    wait_side_by_side(&channel, sleepers, buffer, sizeof buffer, ids);
    EXPECT(rr_client_stop(channel.client), 0);
    join_all(sleepers, 3);
    for (int k = 0; k < 3; k++)
        EXPECT(sleepers[k].found, -ESHUTDOWN);
    close_pair(&channel);
}

/* ---- races ---- */

static uint32_t rounds;

/* Replies after a while that differs from request to request, so that replies meet every step of falling asleep. */
static void reply_sooner_or_later(rr_server *server, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        uint64_t id = take_any(server);
        int64_t until = now() + (int64_t)(k * 7919 % 40) * 1000;
        while (now() < until)
            continue;
        EXPECT(rr_reply(server, id, &k, sizeof k), 0);
    }
}

/* Were wake-ups missed, each round would last until the client looks again by itself: far too long altogether. */
static void replies_that_race_with_falling_asleep_are_found(int64_t spin_ns)
{
    rr_options options = with_slots(4);
    options.spin_ns = spin_ns;
    rr_server *server;
    rr_client *client;
    EXPECT(rr_server_new(NULL, &options, &server, NULL), 0);
    EXPECT(rr_client_from_server(server, &options, &client, NULL), 0);
    pid_t child = fork_child();
    if (child == 0) {
        reply_sooner_or_later(server, 2 * rounds);
        child_ends();
    }
    for (uint32_t round = 0; round < rounds; round++) {
        uint64_t ids[2];
        uint32_t number;
        for (int k = 0; k < 2; k++)
            ids[k] = send_text(client, "question");
        for (int left = 2; left > 0; left--) {
            int64_t found = rr_client_wait_any(client, ids, 2, NULL);
            CHECK(found == 0 || found == 1);
            EXPECT(rr_client_get(client, ids[found], &number, sizeof number), sizeof number);
            EXPECT(number, 2 * round + (uint32_t)found);
            ids[found] = 0;
        }
    }
    EXPECT(rr_client_pending(client), 0);
    expect_ended_well(child);
    rr_client_free(client);
    rr_server_free(server);
}

static void a_reply_that_races_with_falling_asleep_is_found(void)
{
    replies_that_race_with_falling_asleep_are_found(-1);
}

static void a_reply_that_races_with_polling_is_found(void)
{
    replies_that_race_with_falling_asleep_are_found(20 * 1000);
}

int main(int argc, char **argv)
{
    rounds = argc > 1 && strcmp(argv[1], "few") == 0 ? 100 : 4000;
    RUN(the_last_of_200_is_found_asleep_or_awake);
    RUN(all_threads_that_wait_for_one_request_are_woken);
    RUN(all_are_woken_even_if_one_collects_it);
    RUN(each_thread_is_woken_for_its_own);
    RUN(a_stop_wakes_all);
    RUN(a_reply_that_races_with_falling_asleep_is_found);
    RUN(a_reply_that_races_with_polling_is_found);
    return 0;
}
