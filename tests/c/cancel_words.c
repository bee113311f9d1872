/*
 * A wait is ended by its cancel word, at once when the handle is woken, and no other wait is; wherever it is, and
 * whatever it waits for.
 */
#include "serving.h"

#define OTHERS 8
#define ROUNDS 13
/* Of the times that it takes the quicker half must be short; on a busy machine one of so many tries is enough. */
#define TRIES 4
#define SLOTS 32

/* A channel in which nothing happens by itself, and in it requests that nobody takes, one for each thread. */
typedef struct stage {
    pair channel;
    uint64_t held[OTHERS + 1];
} stage;

static int64_t receive(stage *at, int number, const rr_wait *wait)
{
    char buffer[16];
    rr_request request;
    (void)number;
    return rr_recv_msg(at->channel.server, buffer, sizeof buffer, &request, wait);
}

static int64_t receive_in_place(stage *at, int number, const rr_wait *wait)
{
    rr_view view;
    (void)number;
    return rr_recv_view(at->channel.server, &view, wait);
}

static int64_t receive_several(stage *at, int number, const rr_wait *wait)
{
    rr_view views[2];
    (void)number;
    return rr_recv_batch(at->channel.server, views, sizeof(rr_view), LENGTH(views), wait);
}

static int64_t wait_as_server(stage *at, int number, const rr_wait *wait)
{
    (void)number;
    return rr_server_wait(at->channel.server, wait);
}

static int64_t serve(stage *at, int number, const rr_wait *wait)
{
    (void)number;
    return rr_serve(at->channel.server, echo, NULL, wait);
}

static int64_t collect(stage *at, int number, const rr_wait *wait)
{
    char buffer[16];
    return rr_client_get_msg(at->channel.client, at->held[number], buffer, sizeof buffer, NULL, wait);
}

static int64_t view(stage *at, int number, const rr_wait *wait)
{
    rr_view view;
    return rr_client_view(at->channel.client, at->held[number], &view, NULL, wait);
}

static int64_t wait_any(stage *at, int number, const rr_wait *wait)
{
    (void)number;
    return rr_client_wait_any(at->channel.client, at->held, LENGTH(at->held), wait);
}

static int64_t request(stage *at, int number, const rr_wait *wait)
{
    char buffer[16];
    rr_msg message = RR_MSG_INIT;
    message.data = "asked";
    message.length = 5;
    (void)number;
    return rr_client_req_msg(at->channel.client, &message, buffer, sizeof buffer, NULL, wait);
}

static int64_t send_one(stage *at, int number, const rr_wait *wait)
{
    uint64_t id;
    rr_msg message = RR_MSG_INIT;
    (void)number;
    return rr_client_send_msg(at->channel.client, &message, &id, wait);
}

static int64_t post_one(stage *at, int number, const rr_wait *wait)
{
    rr_msg message = RR_MSG_INIT;
    (void)number;
    return rr_client_post_msg(at->channel.client, &message, wait);
}

static int64_t lend(stage *at, int number, const rr_wait *wait)
{
    rr_buffer buffer = RR_BUFFER_INIT;
    (void)number;
    return rr_client_loan(at->channel.client, &buffer, wait);
}

enum needs { NOTHING, HELD, NO_SLOT };

static const struct kind {
    const char *name;
    int64_t (*call)(stage *, int, const rr_wait *);
    enum needs needs;
    int by_server;
} KINDS[] = {
    {"recv_msg", receive, NOTHING, 1},
    {"recv_view", receive_in_place, NOTHING, 1},
    {"recv_batch", receive_several, NOTHING, 1},
    {"server_wait", wait_as_server, NOTHING, 1},
    {"serve", serve, NOTHING, 1},
    {"get_msg", collect, HELD, 0},
    {"view", view, HELD, 0},
    {"wait_any", wait_any, HELD, 0},
    {"req_msg", request, NOTHING, 0},
    {"req_msg, for a slot", request, NO_SLOT, 0},
    {"send_msg", send_one, NO_SLOT, 0},
    {"post_msg", post_one, NO_SLOT, 0},
    {"loan", lend, NO_SLOT, 0},
};
static const int64_t SPINS[] = {0, -1, 20 * MS};

static stage set_stage(const struct kind *kind, int64_t spin_ns)
{
    stage at;
    rr_options options = with_slots(kind->needs == NO_SLOT ? LENGTH(at.held) : SLOTS);
    options.spin_ns = spin_ns;
    memset(&at, 0, sizeof at);
    EXPECT(rr_server_new(NULL, &options, &at.channel.server, NULL), 0);
    EXPECT(rr_client_from_server(at.channel.server, &options, &at.channel.client, NULL), 0);
    if (kind->needs != NOTHING)
        for (size_t k = 0; k < LENGTH(at.held); k++)
            at.held[k] = send_text(at.channel.client, "held");
    return at;
}

static void wake(const struct kind *kind, stage *at)
{
    if (kind->by_server)
        EXPECT(rr_server_wake(at->channel.server), 0);
    else
        EXPECT(rr_client_wake(at->channel.client), 0);
}

/* ---- one thread among others ---- */

typedef struct waiter {
    pthread_t thread;
    const struct kind *kind;
    stage *at;
    int number;
    uint32_t cancel;
    int rounds;
    int begun, ended;
    int64_t ended_at;
} waiter;

static void *wait_in_rounds(void *context)
{
    waiter *self = (waiter *)context;
    rr_wait wait = RR_WAIT_INIT;
    wait.cancel = &self->cancel;
    for (int round = 1; round <= self->rounds; round++) {
        __atomic_store_n(&self->cancel, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&self->begun, round, __ATOMIC_RELEASE);
        EXPECT(self->kind->call(self->at, self->number, &wait), -ECANCELED);
        self->ended_at = now();
        __atomic_store_n(&self->ended, round, __ATOMIC_RELEASE);
        /* Until the other side has seen that. */
        while (round < self->rounds && __atomic_load_n(&self->begun, __ATOMIC_ACQUIRE) == round)
            sched_yield();
    }
    return NULL;
}

static void start(waiter *one, const struct kind *kind, stage *at, int number, int rounds)
{
    memset(one, 0, sizeof *one);
    one->kind = kind;
    one->at = at;
    one->number = number;
    one->rounds = rounds;
    CHECK(pthread_create(&one->thread, NULL, wait_in_rounds, one) == 0);
}

static int by_length(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void pause_for(int64_t nanoseconds)
{
    for (int64_t end = now() + nanoseconds; now() < end;)
        sched_yield();
}

static int is_prompt(int64_t *took, size_t count)
{
    qsort(took, count, sizeof *took, by_length);
    CHECK(took[count - 1] < 20 * SECOND);
    return took[count / 2] < 5 * MS;
}

static int ends_one_of_many(const struct kind *kind, int64_t spin_ns)
{
    stage at = set_stage(kind, spin_ns);
    waiter others[OTHERS], one;
    int64_t took[ROUNDS];
    for (int k = 0; k < OTHERS; k++)
        start(&others[k], kind, &at, k, 1);
    start(&one, kind, &at, OTHERS, ROUNDS);
    for (int round = 1; round <= ROUNDS; round++) {
        while (__atomic_load_n(&one.begun, __ATOMIC_ACQUIRE) != round)
            sched_yield();
        /* Before the call, while it polls, when it sleeps. */
        pause_for(round % 4 * (MS / 2));
        int64_t set_at = now();
        __atomic_store_n(&one.cancel, 1, __ATOMIC_RELAXED);
        wake(kind, &at);
        while (__atomic_load_n(&one.ended, __ATOMIC_ACQUIRE) != round)
            sched_yield();
        took[round - 1] = one.ended_at - set_at;
        __atomic_store_n(&one.begun, -round, __ATOMIC_RELEASE);
    }
    CHECK(pthread_join(one.thread, NULL) == 0);
    int prompt = is_prompt(took, ROUNDS);
    for (int k = 0; k < OTHERS; k++) {
        CHECK(__atomic_load_n(&others[k].ended, __ATOMIC_ACQUIRE) == 0);
        __atomic_store_n(&others[k].cancel, 1, __ATOMIC_RELAXED);
    }
    wake(kind, &at);
    for (int k = 0; k < OTHERS; k++)
        CHECK(pthread_join(others[k].thread, NULL) == 0);
    if (kind->needs == NOTHING) {
        EXPECT(rr_client_pending(at.channel.client), 0);
        expect_none_queued(at.channel.server);
        expect_works(&at.channel);
    } else {
        EXPECT(rr_client_pending(at.channel.client), (int64_t)LENGTH(at.held));
        for (size_t k = 0; k < LENGTH(at.held); k++)
            EXPECT(rr_client_cancel(at.channel.client, at.held[k]), 0);
        expect_works(&at.channel);
    }
    close_pair(&at.channel);
    return prompt;
}

static void a_cancel_word_ends_its_wait_at_once_and_none_of_the_others(void)
{
    for (size_t s = 0; s < LENGTH(SPINS); s++)
        for (size_t k = 0; k < LENGTH(KINDS); k++)
            for (int tries = 1; !ends_one_of_many(&KINDS[k], SPINS[s]); tries++)
                if (tries == TRIES) {
                    printf("%s, polling for %" PRId64 " ns\n", KINDS[k].name, SPINS[s]);
                    CHECK(!"at once");
                }
}

/* ---- before, and without ---- */

static void a_call_whose_word_is_set_already_does_nothing(void)
{
    const uint32_t set = 7;
    for (int tries_once = 0; tries_once < 2; tries_once++)
        for (size_t k = 0; k < LENGTH(KINDS); k++) {
            stage at = set_stage(&KINDS[k], 0);
            /* What it could take is there. */
            uint64_t id = KINDS[k].by_server ? send_text(at.channel.client, "left") : 0;
            rr_stats before = stats_of(rr_server_channel(at.channel.server));
            rr_wait wait = RR_WAIT_INIT;
            wait.cancel = &set;
            wait.timeout_ns = tries_once ? 0 : FOREVER;
            EXPECT(KINDS[k].call(&at, 0, &wait), -ECANCELED);
            rr_stats after = stats_of(rr_server_channel(at.channel.server));
            CHECK(memcmp(&before, &after, sizeof before) == 0);
            if (id != 0)
                CHECK(take_text(at.channel.server, "left") == id);
            close_pair(&at.channel);
        }
}

static void waking_ends_no_wait_whose_word_is_not_set(void)
{
    const uint32_t unset = 0;
    for (size_t k = 0; k < LENGTH(KINDS); k++)
        for (int has_word = 0; has_word < 2; has_word++) {
            stage at = set_stage(&KINDS[k], 0);
            wake(&KINDS[k], &at);
            rr_wait wait = RR_WAIT_INIT;
            wait.cancel = has_word ? &unset : NULL;
            wait.timeout_ns = 5 * MS;
            int64_t begun = now();
            EXPECT(KINDS[k].call(&at, 0, &wait), -ETIMEDOUT);
            CHECK(now() - begun >= 5 * MS);
            close_pair(&at.channel);
        }
}

static void set_without_waking(void *word)
{
    __atomic_store_n((uint32_t *)word, 1, __ATOMIC_RELAXED);
}

static void a_word_that_is_set_and_nobody_woken_ends_the_wait_at_the_next_look(void)
{
    stage at = set_stage(&KINDS[5], 0);
    uint32_t word = 0;
    rr_wait wait = RR_WAIT_INIT;
    wait.cancel = &word;
    deed setting;
    plan(&setting, rr_server_channel(at.channel.server), set_without_waking, &word);
    EXPECT(collect(&at, 0, &wait), -ECANCELED);
    CHECK(now() - done(&setting) < 5 * SECOND);
    close_pair(&at.channel);
}

static rr_client *client_to_wake;
static uint32_t word_to_set;

static void cancel_by_signal(int number)
{
    (void)number;
    __atomic_store_n(&word_to_set, 1, __ATOMIC_RELAXED);
    rr_client_wake(client_to_wake);
}

static void send_signal(void *thread)
{
    CHECK(pthread_kill(*(pthread_t *)thread, SIGUSR1) == 0);
}

/* The wait goes on after handlers, so that it is the word that ends it. */
static void a_signal_handler_may_cancel(void)
{
    stage at = set_stage(&KINDS[5], -1);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = cancel_by_signal;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    client_to_wake = at.channel.client;
    rr_wait wait = RR_WAIT_INIT;
    wait.cancel = &word_to_set;
    wait.flags = RR_WAIT_RESTART;
    pthread_t self = pthread_self();
    deed signalling;
    plan(&signalling, rr_server_channel(at.channel.server), send_signal, &self);
    EXPECT(collect(&at, 0, &wait), -ECANCELED);
    done(&signalling);
    close_pair(&at.channel);
}

/* ---- other handles, opening ---- */

static void another_handle_s_waits_are_not_looked_at_for_it(void)
{
    stage at = set_stage(&KINDS[0], -1);
    rr_server *stranger;
    EXPECT(rr_server_from_fd(rr_channel_fd(rr_server_channel(at.channel.server)), NULL, &stranger, NULL), 0);
    waiter one;
    start(&one, &KINDS[0], &at, 0, 1);
    while (stats_of(rr_server_channel(at.channel.server)).sleeps == 0)
        sched_yield();
    uint64_t sleeps = stats_of(rr_server_channel(at.channel.server)).sleeps;
    for (int k = 0; k < 100; k++)
        EXPECT(rr_server_wake(stranger), 0);
    EXPECT(stats_of(rr_server_channel(at.channel.server)).sleeps, sleeps);
    __atomic_store_n(&one.cancel, 1, __ATOMIC_RELAXED);
    EXPECT(rr_server_wake(at.channel.server), 0);
    CHECK(pthread_join(one.thread, NULL) == 0);
    rr_server_free(stranger);
    close_pair(&at.channel);
}

typedef struct delayed {
    uint32_t word;
    int64_t set_at;
} delayed;

static void *set_later(void *context)
{
    delayed *self = (delayed *)context;
    pause_for(10 * MS);
    self->set_at = now();
    __atomic_store_n(&self->word, 1, __ATOMIC_RELAXED);
    return NULL;
}

static int ends_the_wait_for_a_channel(void)
{
    int64_t took[ROUNDS];
    const char *name = new_name();
    for (int round = 0; round < ROUNDS; round++) {
        delayed other = {0, 0};
        rr_wait wait = RR_WAIT_INIT;
        rr_options options = RR_OPTIONS_INIT;
        rr_client *client;
        pthread_t thread;
        wait.cancel = &other.word;
        options.connect = &wait;
        CHECK(pthread_create(&thread, NULL, set_later, &other) == 0);
        EXPECT(rr_client_new(name, &options, &client, NULL), -ECANCELED);
        int64_t ended = now();
        CHECK(client == NULL && pthread_join(thread, NULL) == 0);
        took[round] = ended - other.set_at;
    }
    return is_prompt(took, ROUNDS);
}

static void a_cancel_word_ends_the_wait_for_a_channel(void)
{
    int tries = 0;
    while (!ends_the_wait_for_a_channel())
        CHECK(++tries < TRIES);
}

/* ---- deadlines ---- */

static void an_absolute_deadline_ends_waits_at_that_time(void)
{
    for (size_t s = 0; s < LENGTH(SPINS); s++)
        for (size_t k = 0; k < LENGTH(KINDS); k++) {
            stage at = set_stage(&KINDS[k], SPINS[s]);
            rr_wait wait = RR_WAIT_INIT;
            wait.flags = RR_WAIT_ABSOLUTE;
            wait.timeout_ns = now() + 5 * MS;
            EXPECT(KINDS[k].call(&at, 0, &wait), -ETIMEDOUT);
            CHECK(now() >= wait.timeout_ns);
            /* It has passed now, as 0 has. */
            EXPECT(KINDS[k].call(&at, 0, &wait), -ETIMEDOUT);
            wait.timeout_ns = 0;
            EXPECT(KINDS[k].call(&at, 0, &wait), -ETIMEDOUT);
            close_pair(&at.channel);
        }
}

static void one_that_has_passed_takes_what_is_there(void)
{
    stage at = set_stage(&KINDS[0], 0);
    rr_wait wait = RR_WAIT_INIT;
    wait.flags = RR_WAIT_ABSOLUTE;
    wait.timeout_ns = 1;
    uint64_t id = send_text(at.channel.client, "there");
    char buffer[16];
    rr_request request;
    EXPECT(rr_recv_msg(at.channel.server, buffer, sizeof buffer, &request, &wait), 5);
    CHECK(request.id == id);
    reply_text(at.channel.server, id, "here");
    EXPECT(rr_client_get_msg(at.channel.client, id, buffer, sizeof buffer, NULL, &wait), 4);
    close_pair(&at.channel);
}

static void a_wait_of_unknown_flags_or_with_fields_of_a_newer_version_is_refused(void)
{
    stage at = set_stage(&KINDS[0], 0);
    rr_wait wait = RR_WAIT_INIT;
    wait.flags = RR_MSG_UTF8;
    EXPECT(receive(&at, 0, &wait), -EINVAL);
    wait.flags = 0;
    wait.reserved[1] = 1;
    EXPECT(receive(&at, 0, &wait), -E2BIG);
    wait.reserved[1] = 0;
    wait.cancel = (const uint32_t *)((const char *)&wait + 1);
    EXPECT(receive(&at, 0, &wait), -EINVAL);
    close_pair(&at.channel);
}

int main(void)
{
    RUN(a_cancel_word_ends_its_wait_at_once_and_none_of_the_others);
    RUN(a_call_whose_word_is_set_already_does_nothing);
    RUN(waking_ends_no_wait_whose_word_is_not_set);
    RUN(a_word_that_is_set_and_nobody_woken_ends_the_wait_at_the_next_look);
    RUN(a_signal_handler_may_cancel);
    RUN(another_handle_s_waits_are_not_looked_at_for_it);
    RUN(a_cancel_word_ends_the_wait_for_a_channel);
    RUN(an_absolute_deadline_ends_waits_at_that_time);
    RUN(one_that_has_passed_takes_what_is_there);
    RUN(a_wait_of_unknown_flags_or_with_fields_of_a_newer_version_is_refused);
    return 0;
}
