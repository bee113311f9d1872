/*
 * Two threads that end one loan at once: one of them succeeds, and the other does nothing, not even to whatever holds
 * the loan's slot by then.
 *
 * Its argument says whether there is time for "many" rounds or for "few".
 */
#include "fixture.h"

#define BUILT "built"
#define SENT_LATER "sent in its place"

/* A thread that commits the loan of each round, and what it got. */
typedef struct rival {
    rr_client *client;
    int rounds, begun, ended;
    rr_buffer loan;
    uint64_t id;
    int code;
    pthread_t thread;
} rival;

static void await(const int *number, int value)
{
    for (int looks = 1; __atomic_load_n(number, __ATOMIC_ACQUIRE) < value; looks++) {
        if (looks % 10000 == 0)
            sched_yield();
    }
}

static void *commit_each(void *context)
{
    rival *mine = (rival *)context;
    for (int round = 1; round <= mine->rounds; round++) {
        await(&mine->begun, round);
        mine->code = commit_loan(mine->client, &mine->loan, strlen(BUILT), &mine->id);
        __atomic_store_n(&mine->ended, round, __ATOMIC_RELEASE);
    }
    return NULL;
}

/* Lets the rival go, and returns a moment later, each time another. */
static void begin(rival *other, const rr_buffer *loan, int round)
{
    other->loan = *loan;
    __atomic_store_n(&other->begun, round, __ATOMIC_RELEASE);
    for (int moments = round % 64; moments > 0; moments--)
        (void)__atomic_load_n(&other->ended, __ATOMIC_ACQUIRE);
}

static int rounds;

/* `end` ends its copy of the loan, too; what must arrive then is what it returns, by the id that it stores. */
static void run_rounds(const char *(*end)(const pair *, rr_buffer *, rival *, int, uint64_t *))
{
    pair channel = open_pair(1);
    rival other;
    memset(&other, 0, sizeof other);
    other.client = channel.client;
    other.rounds = rounds;
    CHECK(pthread_create(&other.thread, NULL, commit_each, &other) == 0);
    for (int round = 1; round <= rounds; round++) {
        rr_buffer loan = RR_BUFFER_INIT;
        uint64_t id = 0;
        EXPECT(rr_client_loan(channel.client, &loan, within(0)), 0);
        memcpy(loan.data, BUILT, strlen(BUILT));
        begin(&other, &loan, round);
        const char *arrives = end(&channel, &loan, &other, round, &id);
        reply_text(channel.server, take_text(channel.server, arrives), "reply");
        expect_none_queued(channel.server);
        collect_text(channel.client, id, "reply");
    }
    CHECK(pthread_join(other.thread, NULL) == 0);
    EXPECT(rr_client_pending(channel.client), 0);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 1);
    close_pair(&channel);
}

static const char *commit(const pair *channel, rr_buffer *loan, rival *other, int round, uint64_t *id)
{
    int code = commit_loan(channel->client, loan, strlen(BUILT), id);
    await(&other->ended, round);
    EXPECT(other->code, code == 0 ? -ESTALE : 0);
    EXPECT(code, other->code == 0 ? -ESTALE : 0);
    if (code != 0)
        *id = other->id;
    return BUILT;
}

static const char *abort_and_send(const pair *channel, rr_buffer *loan, rival *other, int round, uint64_t *id)
{
    int code = rr_client_abort(channel->client, loan);
    if (code == 0)
        *id = send_text(channel->client, SENT_LATER);
    await(&other->ended, round);
    EXPECT(other->code, code == 0 ? -ESTALE : 0);
    EXPECT(code, other->code == 0 ? -ESTALE : 0);
    if (code != 0)
        *id = other->id;
    return code == 0 ? SENT_LATER : BUILT;
}

static void of_two_commits_at_once_one_succeeds(void)
{
    run_rounds(commit);
}

static void a_commit_that_comes_too_late_does_not_touch_what_was_sent_in_its_slot(void)
{
    run_rounds(abort_and_send);
}

int main(int argc, char **argv)
{
    rounds = argc > 1 && strcmp(argv[1], "few") == 0 ? 500 : 20000;
    RUN(of_two_commits_at_once_one_succeeds);
    RUN(a_commit_that_comes_too_late_does_not_touch_what_was_sent_in_its_slot);
    return 0;
}
