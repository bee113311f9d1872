/*
 * All that is done, in one call: which ids are moved, what counts as done, and that nothing is missed whoever asks.
 */
#include "doomed.h"
#include "slots.h"

#define IDS 4
#define MANY 1000
#define THREADS 4
#define ROUNDS 300
#define IN_FLIGHT 16

#define PATIENCE (60 * SECOND)

static void send_and_take(const pair *channel, uint64_t *ids, size_t count)
{
    for (size_t k = 0; k < count; k++)
        ids[k] = send_text(channel->client, "request");
    for (size_t k = 0; k < count; k++)
        CHECK(take_any(channel->server) == ids[k]);
}

/* Asks until so many are done, which others bring about. */
static void until_done(rr_client *client, uint64_t *ids, size_t n, int64_t wanted)
{
    int64_t begun = now(), found;
    while ((found = rr_client_done(client, ids, n)) != wanted) {
        CHECK(found >= 0 && found < wanted && now() - begun < PATIENCE);
        sched_yield();
    }
}

static int is_among(const uint64_t *ids, size_t n, uint64_t id)
{
    for (size_t k = 0; k < n; k++)
        if (ids[k] == id)
            return 1;
    return 0;
}

/* ---- what is moved ---- */

static void those_that_are_done_come_to_the_front_in_their_order(void)
{
    for (int asked_before = 0; asked_before < 2; asked_before++) {
        for (unsigned set = 0; set < 1U << IDS; set++) {
            pair channel = open_pair(IDS);
            uint64_t ids[IDS], sorted[IDS];
            send_and_take(&channel, ids, IDS);
            memcpy(sorted, ids, sizeof sorted);
            if (asked_before)
                EXPECT(rr_client_done(channel.client, sorted, IDS), 0);
            CHECK(memcmp(sorted, ids, sizeof sorted) == 0);
            size_t done = 0;
            uint64_t wanted[IDS];
            for (unsigned k = 0; k < IDS; k++)
                if (set >> k & 1) {
                    reply_text(channel.server, ids[k], "reply");
                    wanted[done++] = ids[k];
                }
            EXPECT(rr_client_done(channel.client, sorted, IDS), done);
            CHECK(memcmp(sorted, wanted, done * sizeof *sorted) == 0);
            for (size_t k = 0; k < IDS; k++)
                CHECK(is_among(sorted, IDS, ids[k]));
            EXPECT(rr_client_done(channel.client, sorted, IDS), done);
            EXPECT(rr_client_pending(channel.client), IDS);
            for (size_t k = 0; k < done; k++)
                collect_text(channel.client, sorted[k], "reply");
            EXPECT(rr_client_done(channel.client, sorted + done, IDS - done), 0);
            close_pair(&channel);
        }
    }
}

static void of_none_none_is_done(void)
{
    pair channel = open_pair(IDS);
    uint64_t none[] = {0, 0, 0};
    EXPECT(rr_client_done(channel.client, NULL, 0), 0);
    EXPECT(rr_client_done(channel.client, none, 0), 0);
    EXPECT(rr_client_done(channel.client, none, LENGTH(none)), 0);
    EXPECT(rr_client_done(channel.client, NULL, 1), -EINVAL);
    EXPECT(rr_client_done(channel.client, none, SIZE_MAX), -EINVAL);
    EXPECT(rr_client_done(NULL, none, LENGTH(none)), -EINVAL);
    close_pair(&channel);
}

static void ids_that_are_0_are_passed_over(void)
{
    pair channel = open_pair(IDS);
    uint64_t ids[3];
    send_and_take(&channel, ids, LENGTH(ids));
    uint64_t spread[] = {0, ids[0], 0, ids[1], 0, ids[2]};
    EXPECT(rr_client_done(channel.client, spread, LENGTH(spread)), 0);
    reply_text(channel.server, ids[2], "");
    EXPECT(rr_client_done(channel.client, spread, LENGTH(spread)), 1);
    CHECK(spread[0] == ids[2] && is_among(spread, LENGTH(spread), 0));
    CHECK(is_among(spread, LENGTH(spread), ids[0]) && is_among(spread, LENGTH(spread), ids[1]));
    close_pair(&channel);
}

static void an_id_that_stands_there_twice_is_done_twice(void)
{
    pair channel = open_pair(IDS);
    uint64_t ids[2];
    send_and_take(&channel, ids, LENGTH(ids));
    uint64_t twice[] = {ids[0], ids[1], ids[0], ids[1]};
    EXPECT(rr_client_done(channel.client, twice, LENGTH(twice)), 0);
    reply_text(channel.server, ids[1], "");
    EXPECT(rr_client_done(channel.client, twice, LENGTH(twice)), 2);
    CHECK(twice[0] == ids[1] && twice[1] == ids[1]);
    close_pair(&channel);
}

static void an_id_that_is_stale_counts_as_done_and_collecting_tells(void)
{
    for (int asked_before = 0; asked_before < 2; asked_before++) {
        pair channel = open_pair(IDS);
        rr_client *other = another_client(&channel);
        char buffer[8];
        uint64_t ids[3], pending;
        send_and_take(&channel, ids, LENGTH(ids));
        pending = ids[2];
        if (asked_before)
            EXPECT(rr_client_done(channel.client, ids, LENGTH(ids)), 0);
        reply_text(channel.server, ids[0], "reply");
        collect_text(channel.client, ids[0], "reply");
        EXPECT(rr_client_cancel(channel.client, ids[1]), 0);
        uint64_t stale[] = {pending, ids[0], ids[1], send_text(other, "of another"), 12345678, UINT64_MAX};
        EXPECT(rr_client_done(channel.client, stale, LENGTH(stale)), LENGTH(stale) - 1);
        CHECK(stale[LENGTH(stale) - 1] == pending);
        for (size_t k = 0; k < LENGTH(stale) - 1; k++)
            EXPECT(rr_client_get(channel.client, stale[k], buffer, sizeof buffer), -ESTALE);
        rr_client_free(other);
        close_pair(&channel);
    }
}

static void after_a_stop_it_is_eshutdown(void)
{
    pair channel = open_pair(IDS);
    uint64_t id = send_text(channel.client, "");
    EXPECT(rr_client_stop(channel.client), 0);
    EXPECT(rr_client_done(channel.client, &id, 1), -ESHUTDOWN);
    close_pair(&channel);
}

/* ---- outcomes of each kind ---- */

static void reply_to(const pair *channel, uint64_t id) { EXPECT(rr_reply(channel->server, id, NULL, 0), 0); }
static void fail(const pair *channel, uint64_t id) { EXPECT(rr_reply_error(channel->server, id, 5, "five"), 0); }
static void dismiss(const pair *channel, uint64_t id) { EXPECT(rr_dismiss(channel->server, id), 0); }
static void cancel(const pair *channel, uint64_t id) { EXPECT(rr_client_cancel(channel->client, id), 0); }
static void detach(const pair *channel, uint64_t id) { EXPECT(rr_client_detach(channel->client, id), 0); }

static void clear(const pair *channel, uint64_t id)
{
    (void)id;
    EXPECT(rr_channel_clear(rr_server_channel(channel->server)), 1);
}

static void leave(const pair *channel, uint64_t id)
{
    (void)id;
    rr_server_free(channel->server);
}

static void every_outcome_counts_at_once_and_collecting_tells_which(void)
{
    const struct {
        void (*act)(const pair *, uint64_t);
        int64_t code;
    } outcomes[] = {{reply_to, 0},      {fail, -EREMOTEIO}, {dismiss, -ENOMSG},   {cancel, -ESTALE},
                    {detach, -ESTALE}, {clear, -ESTALE},   {leave, -EOWNERDEAD}};
    for (size_t k = 0; k < LENGTH(outcomes); k++) {
        for (int asked_before = 0; asked_before < 2; asked_before++) {
            pair channel = open_pair(IDS);
            char buffer[8];
            uint64_t id;
            send_and_take(&channel, &id, 1);
            if (asked_before)
                EXPECT(rr_client_done(channel.client, &id, 1), 0);
            outcomes[k].act(&channel, id);
            EXPECT(rr_client_done(channel.client, &id, 1), 1);
            EXPECT(rr_client_get(channel.client, id, buffer, sizeof buffer), outcomes[k].code);
            EXPECT(rr_client_done(channel.client, &id, 1), 1);
            rr_client_free(channel.client);
            if (outcomes[k].act != leave)
                rr_server_free(channel.server);
        }
    }
}

static void what_is_queued_may_be_cleared_or_cancelled_as_well(void)
{
    void (*const ways[])(const pair *, uint64_t) = {cancel, clear};
    for (size_t k = 0; k < LENGTH(ways); k++) {
        pair channel = open_pair(IDS);
        uint64_t id = send_text(channel.client, "");
        EXPECT(rr_client_done(channel.client, &id, 1), 0);
        ways[k](&channel, id);
        EXPECT(rr_client_done(channel.client, &id, 1), 1);
        close_pair(&channel);
    }
}

/* Nobody else looks after the dead. */
static void the_death_of_a_server_is_noticed_by_asking_again(void)
{
    pair channel = open_pair(IDS);
    char buffer[8];
    uint64_t ids[] = {send_text(channel.client, "one"), send_text(channel.client, "two")}, first = ids[0];
    pid_t server = doomed_holder(channel.server);
    EXPECT(rr_client_done(channel.client, ids, LENGTH(ids)), 0);
    kill_and_reap(server);
    until_done(channel.client, ids, LENGTH(ids), 1);
    CHECK(ids[0] == first);
    EXPECT(rr_client_get(channel.client, first, buffer, sizeof buffer), -EOWNERDEAD);
    take_text(channel.server, "two");
    close_pair(&channel);
}

static void a_child_asks_after_requests_of_its_own(void)
{
    pair channel = open_pair(IDS);
    uint64_t id;
    send_and_take(&channel, &id, 1);
    EXPECT(rr_client_done(channel.client, &id, 1), 0);
    pid_t child = fork_child();
    if (child == 0) {
        uint64_t own = send_text(channel.client, "child's"), both[] = {own, id};
        EXPECT(rr_client_done(channel.client, both, 2), 1);
        CHECK(both[0] == id && both[1] == own);
        child_ends();
    }
    expect_ended_well(child);
    EXPECT(rr_client_done(channel.client, &id, 1), 0);
    reply_text(channel.server, id, "");
    EXPECT(rr_client_done(channel.client, &id, 1), 1);
    close_pair(&channel);
}

/* ---- many ---- */

static void three_of_a_thousand_are_found(void)
{
    pair channel = open_pair(MANY);
    static uint64_t sent[MANY], ids[MANY];
    const size_t done[] = {7, 500, 993};
    send_and_take(&channel, sent, MANY);
    memcpy(ids, sent, sizeof ids);
    EXPECT(rr_client_done(channel.client, ids, MANY), 0);
    for (size_t k = 0; k < LENGTH(done); k++)
        reply_text(channel.server, sent[done[k]], "done");
    EXPECT(rr_client_done(channel.client, ids, MANY), LENGTH(done));
    for (size_t k = 0; k < LENGTH(done); k++) {
        CHECK(ids[k] == sent[done[k]]);
        collect_text(channel.client, ids[k], "done");
    }
    EXPECT(rr_client_done(channel.client, ids + LENGTH(done), MANY - LENGTH(done)), 0);
    close_pair(&channel);
}

static void *serve_all(void *server)
{
    serve_echo((rr_server *)server, THREADS * ROUNDS * IN_FLIGHT);
    return NULL;
}

/* Each thread has requests of its own, in slots that all use in turn; half of them by another handle. */
static void *pipeline(void *context)
{
    rr_client *client = (rr_client *)context;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t ids[IN_FLIGHT];
        size_t left = IN_FLIGHT;
        int64_t begun = now();
        for (size_t k = 0; k < IN_FLIGHT; k++)
            ids[k] = send_text(client, "text");
        while (left > 0) {
            int64_t found = rr_client_done(client, ids, left);
            CHECK(found >= 0 && found <= (int64_t)left && now() - begun < PATIENCE);
            for (int64_t k = 0; k < found; k++)
                collect_text(client, ids[k], "text");
            left -= (size_t)found;
            memmove(ids, ids + found, left * sizeof *ids);
            if (found == 0)
                sched_yield();
        }
    }
    return NULL;
}

static void several_threads_and_handles_find_what_is_theirs(void)
{
    pair channel = open_pair(THREADS * IN_FLIGHT);
    rr_client *other = another_client(&channel);
    pthread_t threads[THREADS], server;
    CHECK(pthread_create(&server, NULL, serve_all, channel.server) == 0);
    for (int k = 0; k < THREADS; k++)
        CHECK(pthread_create(&threads[k], NULL, pipeline, k % 2 ? other : channel.client) == 0);
    for (int k = 0; k < THREADS; k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    CHECK(pthread_join(server, NULL) == 0);
    EXPECT(rr_client_pending(channel.client), 0);
    rr_client_free(other);
    close_pair(&channel);
}

static void ask_after_all(const pair *channel)
{
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t ids[IDS];
        send_and_take(channel, ids, IDS);
        EXPECT(rr_client_done(channel->client, ids, IDS), 0);
        for (int k = 0; k < IDS; k++)
            reply_text(channel->server, ids[k], "");
        EXPECT(rr_client_done(channel->client, ids, IDS), IDS);
        for (int k = 0; k < IDS; k++)
            collect_text(channel->client, ids[k], "");
    }
}

static void what_is_done_when_the_call_begins_is_told_in_whatever_state_its_slot_was_before(void)
{
    pair channel = open_pair(IDS);
    ask_after_all(&channel);
    /* Its bits are set without anybody looking. */
    for (int k = 0; k < IDS; k++) {
        uint64_t id;
        send_and_take(&channel, &id, 1);
        EXPECT(rr_client_done(channel.client, &id, 1), 0);
        reply_text(channel.server, id, "");
        collect_text(channel.client, id, "");
    }
    ask_after_all(&channel);
    expect_all_slots_free(&channel, IDS);
    close_pair(&channel);
}

int main(void)
{
    RUN(those_that_are_done_come_to_the_front_in_their_order);
    RUN(of_none_none_is_done);
    RUN(ids_that_are_0_are_passed_over);
    RUN(an_id_that_stands_there_twice_is_done_twice);
    RUN(an_id_that_is_stale_counts_as_done_and_collecting_tells);
    RUN(after_a_stop_it_is_eshutdown);
    RUN(every_outcome_counts_at_once_and_collecting_tells_which);
    RUN(what_is_queued_may_be_cleared_or_cancelled_as_well);
    RUN(the_death_of_a_server_is_noticed_by_asking_again);
    RUN(a_child_asks_after_requests_of_its_own);
    RUN(three_of_a_thousand_are_found);
    RUN(several_threads_and_handles_find_what_is_theirs);
    RUN(what_is_done_when_the_call_begins_is_told_in_whatever_state_its_slot_was_before);
    return 0;
}
