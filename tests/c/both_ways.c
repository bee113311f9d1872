/*
 * Two sides that call each other, and each other back before they reply: with as many slots and serving threads as there
 * are calls at once every chain of calls comes back; with one too few the innermost call ends at its deadline, and all is
 * well after that. See "Calls in both directions" in docs/PATTERNS.md.
 *
 * Its argument says whether there is time for "many" chains or for "few".
 */
#include "serving.h"

#define SIDES 2
#define THREADS_MAX 8
/* Of the innermost calls that shall not get through. */
#define INNERMOST_TIMEOUT (100 * MS)

static uint32_t chains;

typedef struct side {
    pair own;
    struct side *other;
    int64_t innermost_timeout;
    int threads;
    pthread_t serving[THREADS_MAX];
} side;

/* How many calls were made, or the negative code that the chain broke off with. */
static int64_t call(const side *from, uint32_t depth)
{
    uint32_t made = 0;
    rr_result result = RR_RESULT_INIT;
    const rr_msg msg = msg_of(&depth, sizeof depth, 0, 0);
    rr_client *client = from->other->own.client;
    int64_t timeout = depth == 1 ? from->innermost_timeout : FOREVER;
    int64_t length = rr_client_req_msg(client, &msg, &made, sizeof made, &result, within(timeout));
    if (length == -EREMOTEIO)
        return result.code;
    if (length < 0)
        return length;
    EXPECT(length, sizeof made);
    return made;
}

static int call_on(void *context, const rr_view *request, rr_buffer *reply)
{
    const side *here = (const side *)context;
    uint32_t depth;
    int64_t made = 0;
    CHECK(request->length == sizeof depth);
    memcpy(&depth, request->data, sizeof depth);
    if (depth > 1)
        made = call(here, depth - 1);
    if (made < 0)
        return (int)made;
    uint32_t with_this = (uint32_t)made + 1;
    memcpy(reply->data, &with_this, sizeof with_this);
    reply->length = sizeof with_this;
    return RR_SERVE_CONTINUE;
}

static void *serve(void *context)
{
    side *here = (side *)context;
    EXPECT(rr_serve(here->own.server, call_on, here, NULL), -ESHUTDOWN);
    return NULL;
}

static void add_thread(side *here)
{
    CHECK(here->threads < THREADS_MAX);
    CHECK(pthread_create(&here->serving[here->threads++], NULL, serve, here) == 0);
}

static void open_side(side *here, side *other, uint32_t slots, int threads)
{
    memset(here, 0, sizeof *here);
    here->own = open_pair(slots);
    here->other = other;
    here->innermost_timeout = FOREVER;
    while (here->threads < threads)
        add_thread(here);
}

static void close_sides(side *sides)
{
    for (int s = 0; s < SIDES; s++) {
        EXPECT(rr_server_stop(sides[s].own.server), 0);
        for (int k = 0; k < sides[s].threads; k++)
            CHECK(pthread_join(sides[s].serving[k], NULL) == 0);
        expect_all_done(&sides[s].own);
        close_pair(&sides[s].own);
    }
}

typedef struct caller {
    const side *from;
    uint32_t depth;
    pthread_t thread;
} caller;

static void *start_chains(void *context)
{
    const caller *me = (const caller *)context;
    for (uint32_t k = 0; k < chains; k++)
        EXPECT(call(me->from, me->depth), me->depth);
    return NULL;
}

/* Callers on each side, all at once. */
static void expect_all_come_back(const side *sides, uint32_t depth, const int callers[SIDES])
{
    caller all[THREADS_MAX];
    int started = 0;
    for (int s = 0; s < SIDES; s++) {
        for (int k = 0; k < callers[s]; k++) {
            caller *next = &all[started++];
            next->from = &sides[s];
            next->depth = depth;
            CHECK(pthread_create(&next->thread, NULL, start_chains, next) == 0);
        }
    }
    while (started > 0)
        CHECK(pthread_join(all[--started].thread, NULL) == 0);
}

/* Of a chain of three, the side where it starts serves the second call, the other side the first and third. */
static void with_as_many_slots_and_threads_as_calls_at_once_chains_from_both_sides_come_back(void)
{
    const int callers[SIDES] = {2, 2};
    side sides[SIDES];
    open_side(&sides[0], &sides[1], 6, 6);
    open_side(&sides[1], &sides[0], 6, 6);
    expect_all_come_back(sides, 3, callers);
    close_sides(sides);
}

static void a_longer_chain_needs_a_slot_and_a_thread_for_each_of_its_calls(void)
{
    const int callers[SIDES] = {1, 0};
    side sides[SIDES];
    open_side(&sides[0], &sides[1], 4, 4);
    open_side(&sides[1], &sides[0], 4, 4);
    expect_all_come_back(sides, 8, callers);
    close_sides(sides);
}

static void if_all_chains_start_on_one_side_one_thread_and_slot_must_be_left_for_the_innermost_call(void)
{
    const int callers[SIDES] = {4, 0};
    side sides[SIDES];
    open_side(&sides[0], &sides[1], 1, 1);
    open_side(&sides[1], &sides[0], 5, 5);
    expect_all_come_back(sides, 3, callers);
    close_sides(sides);
}

/* The innermost call of a chain of three, which side 0 makes, finds no way in. */
static void expect_end_at_deadline(side *sides)
{
    sides[0].innermost_timeout = INNERMOST_TIMEOUT;
    for (int k = 0; k < 3; k++) {
        int64_t begun = now();
        EXPECT(call(&sides[0], 3), -ETIMEDOUT);
        CHECK(now() - begun >= INNERMOST_TIMEOUT);
    }
    sides[0].innermost_timeout = FOREVER;
    EXPECT(call(&sides[0], 2), 2);
}

static void with_one_thread_too_few_the_innermost_call_ends_at_its_deadline(void)
{
    side sides[SIDES];
    open_side(&sides[0], &sides[1], 2, 1);
    open_side(&sides[1], &sides[0], 2, 1);
    expect_end_at_deadline(sides);
    add_thread(&sides[1]);
    EXPECT(call(&sides[0], 3), 3);
    close_sides(sides);
}

static void with_one_slot_too_few_the_innermost_call_ends_at_its_deadline(void)
{
    side sides[SIDES];
    open_side(&sides[0], &sides[1], 1, 1);
    open_side(&sides[1], &sides[0], 1, 2);
    expect_end_at_deadline(sides);
    close_sides(sides);
}

int main(int argc, char **argv)
{
    chains = argc > 1 && strcmp(argv[1], "few") == 0 ? 20 : 3000;
    RUN(with_as_many_slots_and_threads_as_calls_at_once_chains_from_both_sides_come_back);
    RUN(a_longer_chain_needs_a_slot_and_a_thread_for_each_of_its_calls);
    RUN(if_all_chains_start_on_one_side_one_thread_and_slot_must_be_left_for_the_innermost_call);
    RUN(with_one_thread_too_few_the_innermost_call_ends_at_its_deadline);
    RUN(with_one_slot_too_few_the_innermost_call_ends_at_its_deadline);
    return 0;
}
