/*
 * A child is a participant of its own whatever the fork was like: within fork handlers that were there before the library's,
 * after a raw clone, amid forks and failures of other threads, and after the process has lost what opening a channel takes.
 * Every call of a child keeps its deadline.
 */
#include "fixture.h"

#include <sys/resource.h>
#include <sys/stat.h>

static int many;

/* ---- the program's own fork handlers ---- */

static pair handled;
static int in_parent, in_child, prepared;

static void call_through(const pair *channel)
{
    if (channel->server)
        expect_works(channel);
}

static void prepare(void)
{
    call_through(&handled);
    prepared += handled.server != NULL;
}

static void parent(void)
{
    call_through(&handled);
    in_parent += handled.server != NULL;
}

static void child_handler(void)
{
    if (!handled.server)
        return;
    /* Not as the parent, whose request this would be. */
    EXPECT(rr_client_pending(handled.client), 0);
    call_through(&handled);
    in_child++;
}

static void the_programs_own_fork_handlers_may_call(void)
{
    handled = open_pair(4);
    uint64_t id = send_text(handled.client, "question");
    uint64_t taken = take_text(handled.server, "question");
    for (int k = 1; k <= 5; k++) {
        pid_t child = fork_child();
        if (child == 0) {
            CHECK(in_child == 1);
            EXPECT(rr_reply(handled.server, taken, "", 0), -ESTALE);
            expect_works(&handled);
            pid_t grandchild = fork_child();
            if (grandchild == 0) {
                expect_works(&handled);
                child_ends();
            }
            expect_ended_well(grandchild);
            child_ends();
        }
        expect_ended_well(child);
        CHECK(prepared == k && in_parent == k && in_child == 0);
    }
    /* Two handles of five children, and as many of theirs. */
    EXPECT(rr_channel_recover(rr_client_channel(handled.client)), 20);
    reply_text(handled.server, taken, "answer");
    collect_text(handled.client, id, "answer");
    close_pair(&handled);
    handled.server = NULL;
    handled.client = NULL;
}

/* ---- no handlers at all ---- */

static void a_child_of_a_raw_clone_is_a_participant_of_its_own(void)
{
    pair channel = open_pair(4);
    uint64_t id = send_text(channel.client, "question");
    fflush(NULL);
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    CHECK(child >= 0);
    if (child == 0) {
        EXPECT(rr_client_pending(channel.client), 0);
        uint64_t own = 0;
        EXPECT(rr_client_send(channel.client, "of the child", 12, &own), 0);
        EXPECT(rr_client_cancel(channel.client, own), 0);
        EXPECT(rr_client_cancel(channel.client, id), -ESTALE);
        _exit(0);
    }
    expect_ended_well(child);
    EXPECT(rr_channel_recover(rr_client_channel(channel.client)), 1);
    reply_text(channel.server, take_text(channel.server, "question"), "answer");
    collect_text(channel.client, id, "answer");
    close_pair(&channel);
}

/* ---- what other threads do ---- */

typedef struct storm {
    pair channel;
    int ended;
} storm;

static void *keep_failing(void *context)
{
    storm *in = (storm *)context;
    char buffer[64];
    while (!__atomic_load_n(&in->ended, __ATOMIC_RELAXED))
        EXPECT(rr_client_req(in->channel.client, "x", 1, buffer, sizeof buffer, FOREVER), -EREMOTEIO);
    return NULL;
}

static void *keep_refusing(void *context)
{
    storm *in = (storm *)context;
    char buffer[64];
    rr_request request;
    /* So long that whoever keeps it is busy with that most of the time. */
    static char text[65536];
    memset(text, 'e', sizeof text - 1);
    while (rr_recv_wait(in->channel.server, buffer, sizeof buffer, &request, FOREVER) >= 0)
        rr_reply_error(in->channel.server, request.id, 7, text);
    return NULL;
}

static void *keep_opening(void *context)
{
    storm *in = (storm *)context;
    while (!__atomic_load_n(&in->ended, __ATOMIC_RELAXED))
        rr_client_free(another_client(&in->channel));
    return NULL;
}

/* What other threads held at the fork nobody in the child will free; killed, it is not asked for that. */
static void end_amid_threads(void)
{
    kill(getpid(), SIGKILL);
}

static void *keep_forking(void *context)
{
    storm *in = (storm *)context;
    while (!__atomic_load_n(&in->ended, __ATOMIC_RELAXED)) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            end_amid_threads();
        expect_killed(child);
    }
    return NULL;
}

static void a_childs_calls_keep_their_deadline_whatever_other_threads_did_at_the_fork(void)
{
    storm in = {{NULL, NULL}, 0};
    rr_options options = with_slots(16);
    options.response_max = 65536;
    EXPECT(rr_server_new(NULL, &options, &in.channel.server, NULL), 0);
    in.channel.client = another_client(&in.channel);
    void *(*const bodies[])(void *) = {keep_failing, keep_failing, keep_opening, keep_forking, keep_refusing};
    pthread_t threads[LENGTH(bodies)];
    for (size_t k = 0; k < LENGTH(bodies); k++)
        CHECK(pthread_create(&threads[k], NULL, bodies[k], &in) == 0);
    for (int k = 0; k < (many ? 300 : 40); k++) {
        fflush(NULL);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(CHILD_WATCHDOG);
            char buffer[64];
            rr_result result = RR_RESULT_INIT;
            const rr_msg msg = msg_of("y", 1, 0, 0);
            if (rr_client_req_msg(in.channel.client, &msg, buffer, sizeof buffer, &result, NULL) != -EREMOTEIO)
                _exit(3);
            if (result.code != 7)
                _exit(4);
            end_amid_threads();
        }
        expect_killed(child);
    }
    __atomic_store_n(&in.ended, 1, __ATOMIC_RELAXED);
    for (size_t k = 0; k + 1 < LENGTH(bodies); k++)
        CHECK(pthread_join(threads[k], NULL) == 0);
    EXPECT(rr_server_stop(in.channel.server), 0);
    CHECK(pthread_join(threads[LENGTH(bodies) - 1], NULL) == 0);
    /* All children have ended, and each is known to be dead. */
    CHECK(rr_channel_recover(rr_client_channel(in.channel.client)) >= 0);
    CHECK(stats_of(rr_client_channel(in.channel.client)).participants == 2);
    close_pair(&in.channel);
}

/* ---- what a process may have lost ---- */

static void lose_descriptors(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = 0;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void lose_proc(void)
{
    if (geteuid() == 0) {
        CHECK(mkdir("./empty", 0700) == 0);
        CHECK(chroot("./empty") == 0 && chdir("/") == 0);
    }
}

static void lose_user(void)
{
    if (geteuid() == 0)
        CHECK(setgid(65534) == 0 && setuid(65534) == 0);
}

static void lose_all(void)
{
    lose_proc();
    lose_user();
    lose_descriptors();
}

static void a_child_joins_though_the_process_lost_what_opening_takes(void)
{
    void (*const losses[])(void) = {lose_descriptors, lose_proc, lose_user, lose_all};
    for (size_t k = 0; k < LENGTH(losses); k++) {
        pair nameless = open_pair(4), named = {NULL, NULL};
        const char *name = new_name();
        EXPECT(rr_server_new(name, NULL, &named.server, NULL), 0);
        EXPECT(rr_client_new(name, NULL, &named.client, NULL), 0);
        pid_t child = fork_child();
        if (child == 0) {
            losses[k]();
            expect_works(&nameless);
            expect_works(&named);
            child_ends();
        }
        expect_ended_well(child);
        rmdir("./empty");
        EXPECT(rr_channel_recover(rr_client_channel(nameless.client)), 2);
        EXPECT(rr_channel_recover(rr_client_channel(named.client)), 2);
        close_pair(&nameless);
        close_pair(&named);
    }
}

static void the_dead_make_room_before_a_child_is_refused(void)
{
    rr_options options = with_slots(4);
    options.participants = 4;
    pair channel = {NULL, NULL};
    EXPECT(rr_server_new(NULL, &options, &channel.server, NULL), 0);
    channel.client = another_client(&channel);
    for (int k = 0; k < 10; k++) {
        pid_t child = fork_child();
        if (child == 0) {
            EXPECT(rr_client_post(channel.client, "done", 4, 0), 0);
            child_ends();
        }
        expect_ended_well(child);
        uint64_t id = take_text(channel.server, "done");
        EXPECT(rr_dismiss(channel.server, id), 0);
    }
    rr_client *third = another_client(&channel), *fourth = another_client(&channel);
    pid_t child = fork_child();
    if (child == 0) {
        uint64_t id;
        EXPECT(rr_client_send(channel.client, "", 0, &id), -EUSERS);
        child_ends();
    }
    expect_ended_well(child);
    rr_client_free(third);
    rr_client_free(fourth);
    close_pair(&channel);
}

int main(int argc, char **argv)
{
    many = argc > 1 && strcmp(argv[1], "few") != 0;
    /* Before the library registers its own. */
    CHECK(pthread_atfork(prepare, parent, child_handler) == 0);
    RUN(the_programs_own_fork_handlers_may_call);
    RUN(a_child_of_a_raw_clone_is_a_participant_of_its_own);
    /* A fork may find the sanitizer's own allocator locked by another thread, and so it stays in the child. */
    if (!SANITIZED)
        RUN(a_childs_calls_keep_their_deadline_whatever_other_threads_did_at_the_fork);
    RUN(a_child_joins_though_the_process_lost_what_opening_takes);
    RUN(the_dead_make_room_before_a_child_is_refused);
    return 0;
}
