/*
 * Waiting for any of several requests: which one is told, what is no request, and how the wait ends otherwise.
 */
#include "doomed.h"
#include "interrupts.h"

#define IDS 4

static const char *const TEXTS[IDS] = {"request 0", "request 1", "request 2", "request 3"};

/* A channel with some requests, taken or not. */
typedef struct scene {
    pair channel;
    uint64_t ids[IDS];
} scene;

static scene sent(void)
{
    scene at = {open_pair(IDS), {0}};
    for (int k = 0; k < IDS; k++)
        at.ids[k] = send_text(at.channel.client, TEXTS[k]);
    return at;
}

static scene sent_and_taken(void)
{
    scene at = sent();
    for (int k = 0; k < IDS; k++)
        take_text(at.channel.server, TEXTS[k]);
    return at;
}

static int64_t wait_any(const scene *at, int64_t timeout_ns)
{
    return rr_client_wait_any(at->channel.client, at->ids, IDS, within(timeout_ns));
}

static int64_t get(const scene *at, int k)
{
    char buffer[64];
    return rr_client_get(at->channel.client, at->ids[k], buffer, sizeof buffer);
}

static rr_channel *channel_of(const scene *at)
{
    return rr_client_channel(at->channel.client);
}

/* All requests are as they were. */
static void expect_undisturbed(scene *at)
{
    EXPECT(rr_client_pending(at->channel.client), IDS);
    for (int k = 0; k < IDS; k++) {
        reply_text(at->channel.server, at->ids[k], "reply");
        collect_text(at->channel.client, at->ids[k], "reply");
    }
    expect_works(&at->channel);
}

/* ---- which one ---- */

static void the_one_that_has_its_reply_is_told(void)
{
    const int64_t timeouts[] = {0, SECOND, FOREVER};
    for (size_t t = 0; t < LENGTH(timeouts); t++) {
        scene at = sent_and_taken();
        for (int k = IDS - 1; k >= 0; k--) {
            reply_text(at.channel.server, at.ids[k], TEXTS[k]);
            EXPECT(wait_any(&at, timeouts[t]), k);
            collect_text(at.channel.client, at.ids[k], TEXTS[k]);
            at.ids[k] = 0;
        }
        close_pair(&at.channel);
    }
}

static void of_several_it_is_the_first_and_asking_changes_nothing(void)
{
    scene at = sent_and_taken();
    for (int k = IDS - 1; k >= 0; k--) {
        reply_text(at.channel.server, at.ids[k], TEXTS[k]);
        EXPECT(wait_any(&at, FOREVER), k);
        EXPECT(wait_any(&at, 0), k);
    }
    EXPECT(rr_client_pending(at.channel.client), IDS);
    for (int k = 0; k < IDS; k++) {
        EXPECT(wait_any(&at, FOREVER), k);
        collect_text(at.channel.client, at.ids[k], TEXTS[k]);
        at.ids[k] = 0;
    }
    close_pair(&at.channel);
}

static void ids_that_are_0_are_passed_over(void)
{
    scene at = sent_and_taken();
    const uint64_t spread[] = {0, at.ids[0], 0, 0, at.ids[1], 0};
    EXPECT(rr_client_wait_any(at.channel.client, spread, LENGTH(spread), within(0)), -EAGAIN);
    reply_text(at.channel.server, at.ids[1], "");
    EXPECT(rr_client_wait_any(at.channel.client, spread, LENGTH(spread), NULL), 4);
    reply_text(at.channel.server, at.ids[0], "");
    EXPECT(rr_client_wait_any(at.channel.client, spread, LENGTH(spread), NULL), 1);
    close_pair(&at.channel);
}

static void an_id_may_stand_there_twice(void)
{
    scene at = sent_and_taken();
    const uint64_t twice[] = {at.ids[0], at.ids[1], at.ids[1]};
    reply_text(at.channel.server, at.ids[1], "");
    EXPECT(rr_client_wait_any(at.channel.client, twice, LENGTH(twice), NULL), 1);
    close_pair(&at.channel);
}

static void without_an_id_it_is_einval(void)
{
    scene at = sent();
    const uint64_t none[] = {0, 0, 0};
    EXPECT(rr_client_wait_any(at.channel.client, at.ids, 0, NULL), -EINVAL);
    EXPECT(rr_client_wait_any(at.channel.client, NULL, 0, NULL), -EINVAL);
    EXPECT(rr_client_wait_any(at.channel.client, NULL, 1, NULL), -EINVAL);
    EXPECT(rr_client_wait_any(at.channel.client, none, LENGTH(none), NULL), -EINVAL);
    EXPECT(rr_client_wait_any(NULL, at.ids, IDS, NULL), -EINVAL);
    close_pair(&at.channel);
}

static void an_id_that_is_stale_matters_only_if_none_has_an_outcome(void)
{
    scene at = sent_and_taken();
    rr_client *other = another_client(&at.channel);
    uint64_t collected = at.ids[0], cancelled = at.ids[1], pending = at.ids[2], replied = at.ids[3];
    reply_text(at.channel.server, collected, "");
    collect_text(at.channel.client, collected, "");
    EXPECT(rr_client_cancel(at.channel.client, cancelled), 0);
    const uint64_t stale[] = {collected, cancelled, send_text(other, "of another"), 12345678, UINT64_MAX};
    for (size_t k = 0; k < LENGTH(stale); k++) {
        const uint64_t alone[] = {stale[k]}, first[] = {stale[k], pending}, last[] = {pending, 0, stale[k]};
        EXPECT(rr_client_wait_any(at.channel.client, alone, 1, NULL), -ESTALE);
        EXPECT(rr_client_wait_any(at.channel.client, first, 2, NULL), -ESTALE);
        EXPECT(rr_client_wait_any(at.channel.client, last, 3, within(0)), -ESTALE);
    }
    reply_text(at.channel.server, replied, "");
    for (size_t k = 0; k < LENGTH(stale); k++) {
        const uint64_t first[] = {stale[k], pending, replied}, last[] = {replied, pending, stale[k]};
        EXPECT(rr_client_wait_any(at.channel.client, first, 3, NULL), 2);
        EXPECT(rr_client_wait_any(at.channel.client, last, 3, within(0)), 0);
    }
    rr_client_free(other);
    close_pair(&at.channel);
}

/* ---- outcomes that are no replies ---- */

static void fail_third(void *context)
{
    scene *at = (scene *)context;
    EXPECT(rr_reply_error(at->channel.server, at->ids[2], 5, "five"), 0);
}

static void release_third(void *context)
{
    scene *at = (scene *)context;
    EXPECT(rr_dismiss(at->channel.server, at->ids[2]), 0);
}

static void reply_to_third(void *context)
{
    scene *at = (scene *)context;
    EXPECT(rr_reply(at->channel.server, at->ids[2], NULL, 0), 0);
}

static void every_outcome_counts_and_collecting_tells_which(void)
{
    const struct {
        void (*act)(void *);
        int64_t code;
    } outcomes[] = {{reply_to_third, 0}, {fail_third, -EREMOTEIO}, {release_third, -ENOMSG}};
    for (size_t k = 0; k < LENGTH(outcomes); k++) {
        for (int asleep = 0; asleep < 2; asleep++) {
            scene at = sent_and_taken();
            deed acting;
            if (asleep)
                plan(&acting, channel_of(&at), outcomes[k].act, &at);
            else
                outcomes[k].act(&at);
            EXPECT(wait_any(&at, FOREVER), 2);
            if (asleep)
                CHECK(now() - done(&acting) < 10 * SECOND);
            EXPECT(get(&at, 2), outcomes[k].code);
            EXPECT(wait_any(&at, 0), -ESTALE);
            close_pair(&at.channel);
        }
    }
}

static void the_death_of_a_server_is_an_outcome(void)
{
    for (int asleep = 0; asleep < 2; asleep++) {
        scene at = sent();
        take_text(at.channel.server, TEXTS[0]);
        take_text(at.channel.server, TEXTS[1]);
        pid_t server = doomed_holder(at.channel.server);
        take_text(at.channel.server, TEXTS[3]);
        deed killing;
        if (asleep)
            plan(&killing, channel_of(&at), kill_doomed, &server);
        else
            kill_doomed(&server);
        EXPECT(wait_any(&at, 60 * SECOND), 2);
        if (asleep)
            done(&killing);
        expect_killed(server);
        EXPECT(get(&at, 2), -EOWNERDEAD);
        EXPECT(get(&at, 3), -EAGAIN);
        close_pair(&at.channel);
    }
}

/* ---- other ends of the wait ---- */

static void none_yet_is_eagain_and_none_in_time_etimedout(void)
{
    scene at = sent_and_taken();
    EXPECT(wait_any(&at, 0), -EAGAIN);
    int64_t begun = now();
    EXPECT(wait_any(&at, 60 * MS), -ETIMEDOUT);
    int64_t took = now() - begun;
    CHECK(took >= 60 * MS && took < 10 * SECOND);
    CHECK(stats_of(channel_of(&at)).timeouts == 1);
    expect_undisturbed(&at);
    close_pair(&at.channel);
}

static void a_signal_handler_that_runs_ends_the_wait(void)
{
    scene at = sent_and_taken();
    timer_t timer = begin_interrupts(SA_RESTART);
    EXPECT(wait_any(&at, FOREVER), -EINTR);
    EXPECT(wait_any(&at, 60 * SECOND), -EINTR);
    end_interrupts(timer);
    expect_undisturbed(&at);
    close_pair(&at.channel);
}

static void cancel_second(void *context)
{
    scene *at = (scene *)context;
    EXPECT(rr_client_cancel(at->channel.client, at->ids[1]), 0);
}

static void clear(void *context)
{
    EXPECT(rr_channel_clear(channel_of((scene *)context)), IDS);
}

static void a_request_that_is_cancelled_meanwhile_ends_the_wait(void)
{
    void (*const ways[])(void *) = {cancel_second, clear};
    for (size_t k = 0; k < LENGTH(ways); k++) {
        for (int taken = 0; taken < 2; taken++) {
            scene at = taken ? sent_and_taken() : sent();
            deed cancelling;
            plan(&cancelling, channel_of(&at), ways[k], &at);
            EXPECT(wait_any(&at, FOREVER), -ESTALE);
            CHECK(now() - done(&cancelling) < 10 * SECOND);
            EXPECT(wait_any(&at, FOREVER), -ESTALE);
            EXPECT(rr_client_pending(at.channel.client), k == 0 ? IDS - 1 : 0);
            close_pair(&at.channel);
        }
    }
}

static void stop(void *client)
{
    EXPECT(rr_client_stop((rr_client *)client), 0);
}

static void a_stop_ends_the_wait_and_every_later_one(void)
{
    scene at = sent_and_taken();
    deed stopping;
    plan(&stopping, channel_of(&at), stop, at.channel.client);
    EXPECT(wait_any(&at, FOREVER), -ESHUTDOWN);
    CHECK(now() - done(&stopping) < 10 * SECOND);
    reply_text(at.channel.server, at.ids[0], "");
    EXPECT(wait_any(&at, FOREVER), -ESHUTDOWN);
    EXPECT(wait_any(&at, 0), -ESHUTDOWN);
    close_pair(&at.channel);
}

int main(void)
{
    RUN(the_one_that_has_its_reply_is_told);
    RUN(of_several_it_is_the_first_and_asking_changes_nothing);
    RUN(ids_that_are_0_are_passed_over);
    RUN(an_id_may_stand_there_twice);
    RUN(without_an_id_it_is_einval);
    RUN(an_id_that_is_stale_matters_only_if_none_has_an_outcome);
    RUN(every_outcome_counts_and_collecting_tells_which);
    RUN(the_death_of_a_server_is_an_outcome);
    RUN(none_yet_is_eagain_and_none_in_time_etimedout);
    RUN(a_signal_handler_that_runs_ends_the_wait);
    RUN(a_request_that_is_cancelled_meanwhile_ends_the_wait);
    RUN(a_stop_ends_the_wait_and_every_later_one);
    return 0;
}
