/*
 * After a fork both processes go on with the handles that were there: the child as participants of its own, without the
 * parent's requests; and a child that lives does not keep its dead parent alive.
 */
#include "fixture.h"

static void both_processes_use_the_handles_at_once(void)
{
    pair channel = open_pair(8);
    pid_t child = fork_child();
    if (child == 0) {
        for (int k = 0; k < 50; k++) {
            request_text(channel.client, "to the parent", "to the parent");
            serve_echo(channel.server, 1);
        }
        child_ends();
    }
    for (int k = 0; k < 50; k++) {
        serve_echo(channel.server, 1);
        request_text(channel.client, "to the child", "to the child");
    }
    expect_ended_well(child);
    CHECK(stats_of(rr_client_channel(channel.client)).participants >= 2);
    expect_works(&channel);
    close_pair(&channel);
}

static void a_childs_handles_hold_nothing_of_the_parents(void)
{
    pair channel = open_pair(4);
    uint64_t queued = send_text(channel.client, "taken"), replied = send_text(channel.client, "replied");
    uint64_t taken = take_text(channel.server, "taken");
    reply_text(channel.server, take_text(channel.server, "replied"), "reply");
    pid_t child = fork_child();
    if (child == 0) {
        char buffer[16];
        EXPECT(rr_client_pending(channel.client), 0);
        EXPECT(rr_client_get(channel.client, replied, buffer, sizeof buffer), -ESTALE);
        EXPECT(rr_client_get_wait(channel.client, queued, buffer, sizeof buffer, FOREVER), -ESTALE);
        EXPECT(rr_client_cancel(channel.client, queued), -ESTALE);
        EXPECT(rr_reply(channel.server, taken, "", 0), -ESTALE);
        EXPECT(rr_reply_error(channel.server, taken, 1, ""), -ESTALE);
        expect_works(&channel);
        close_pair(&channel);
        child_ends();
    }
    expect_ended_well(child);
    EXPECT(rr_client_pending(channel.client), 2);
    collect_text(channel.client, replied, "reply");
    reply_text(channel.server, taken, "done");
    collect_text(channel.client, queued, "done");
    close_pair(&channel);
}

static void a_child_that_frees_what_it_never_used_takes_nothing_from_the_parent(void)
{
    pair channel = open_pair(4);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    pid_t child = fork_child();
    if (child == 0) {
        close_pair(&channel);
        child_ends();
    }
    expect_ended_well(child);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 0);
    CHECK(stats_of(rr_client_channel(channel.client)).participants == 2);
    reply_text(channel.server, taken, "answer");
    collect_text(channel.client, id, "answer");
    close_pair(&channel);
}

static void a_child_that_is_killed_takes_nothing_from_the_parent(void)
{
    pair channel = open_pair(4);
    uint64_t id = send_text(channel.client, "question");
    uint64_t taken = take_text(channel.server, "question");
    pid_t child = fork_child();
    if (child == 0) {
        send_text(channel.client, "last words");
        take_text(channel.server, "last words");
        kill(getpid(), SIGKILL);
    }
    expect_killed(child);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 2);
    reply_text(channel.server, taken, "answer");
    collect_text(channel.client, id, "answer");
    expect_works(&channel);
    close_pair(&channel);
}

static void a_child_that_lives_does_not_keep_its_dead_parent_alive(void)
{
    pair channel = open_pair(2);
    gate ready = new_gate(), go_on = new_gate();
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    pid_t parent = fork_child();
    if (parent == 0) {
        send_text(channel.client, "from the dead");
        take_any(channel.server);
        send_text(channel.client, "queued by the dead");
        if (fork_child() == 0) {
            CHECK(prctl(PR_SET_PDEATHSIG, 0) == 0);
            open_gate(&ready);
            pass_gate(&go_on);
            request_text(channel.client, "from the living", "answer");
            serve_echo(channel.server, 1);
            child_ends();
        }
        for (;;)
            pause();
    }
    pass_gate(&ready);
    uint64_t id;
    EXPECT(rr_client_send(channel.client, "", 0, &id), -ENOBUFS);
    kill_and_reap(parent);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 2);
    CHECK(stats_of(rr_client_channel(channel.client)).free == 2);
    expect_works(&channel);

    open_gate(&go_on);
    uint64_t taken = take_any(channel.server);
    reply_text(channel.server, taken, "answer");
    request_text(channel.client, "to the living", "to the living");
    int status;
    CHECK(waitpid(-1, &status, 0) > 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 0) == 0);
    drop_gate(&ready);
    drop_gate(&go_on);
    close_pair(&channel);
}

static void every_generation_is_a_participant_of_its_own(void)
{
    pair channel = open_pair(4);
    pid_t child = fork_child();
    if (child == 0) {
        pid_t grandchild = fork_child();
        if (grandchild == 0) {
            request_text(channel.client, "third", "third");
            child_ends();
        }
        request_text(channel.client, "second", "second");
        expect_ended_well(grandchild);
        child_ends();
    }
    serve_echo(channel.server, 2);
    expect_ended_well(child);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 2);
    close_pair(&channel);
}

typedef struct traffic {
    pair channel;
    int ended;
} traffic;

static void *keep_calling(void *context)
{
    traffic *on = (traffic *)context;
    while (!__atomic_load_n(&on->ended, __ATOMIC_RELAXED))
        request_text(on->channel.client, "again", "again");
    return NULL;
}

static void *keep_serving(void *context)
{
    traffic *on = (traffic *)context;
    char buffer[16];
    rr_request request;
    int64_t length;
    while ((length = rr_recv_wait(on->channel.server, buffer, sizeof buffer, &request, FOREVER)) >= 0)
        EXPECT(rr_reply(on->channel.server, request.id, buffer, (size_t)length), 0);
    EXPECT(length, -ESHUTDOWN);
    return NULL;
}

static void forks_amid_the_calls_of_other_threads_are_safe(void)
{
    traffic on = {open_pair(8), 0};
    pthread_t threads[4];
    for (size_t k = 0; k < LENGTH(threads); k++) {
        void *(*body)(void *) = k % 2 ? keep_calling : keep_serving;
        CHECK(pthread_create(&threads[k], NULL, body, &on) == 0);
    }
    for (int k = 0; k < 20; k++) {
        pid_t child = fork_child();
        if (child == 0) {
            request_text(on.channel.client, "child", "child");
            child_ends();
        }
        rr_client_free(another_client(&on.channel));
        expect_ended_well(child);
    }
    __atomic_store_n(&on.ended, 1, __ATOMIC_RELAXED);
    for (size_t k = 1; k < LENGTH(threads); k += 2)
        CHECK(pthread_join(threads[k], NULL) == 0);
    EXPECT(rr_server_stop(on.channel.server), 0);
    for (size_t k = 0; k < LENGTH(threads); k += 2)
        CHECK(pthread_join(threads[k], NULL) == 0);
    close_pair(&on.channel);
}

int main(void)
{
    RUN(both_processes_use_the_handles_at_once);
    RUN(a_childs_handles_hold_nothing_of_the_parents);
    RUN(a_child_that_frees_what_it_never_used_takes_nothing_from_the_parent);
    RUN(a_child_that_is_killed_takes_nothing_from_the_parent);
    RUN(a_child_that_lives_does_not_keep_its_dead_parent_alive);
    RUN(every_generation_is_a_participant_of_its_own);
    RUN(forks_amid_the_calls_of_other_threads_are_safe);
    return 0;
}
