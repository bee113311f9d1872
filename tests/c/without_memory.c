/*
 * Want of memory is an error and never the end of the process: in every way to open a channel and in every call each
 * allocation is made to fail in turn, alone and with all that follow. What a call returns then is -ENOMEM or what it
 * returns otherwise, and nothing stays behind.
 *
 * The program brings its own malloc, which the library uses like any other.
 */
#include "fixture.h"

#include <sys/mman.h>

/* ---- memory that can be made to fail ---- */

#ifdef __SANITIZE_ADDRESS__
#define HAS_OWN_MEMORY 0
#else
#define HAS_OWN_MEMORY 1
#endif

/* Allocations until one fails; negative: none does. */
static long allocations_left = -1;
static int all_fail_after_it;
static int has_failed;

#if HAS_OWN_MEMORY
#if defined __cplusplus && defined __GLIBC__
#define NO_EXCEPTION noexcept
#else
#define NO_EXCEPTION
#endif

#define ARENA ((size_t)1 << 32)

/* Never reused, so always zero. In front of each piece stands its size. */
static void *take_memory(size_t alignment, size_t size)
{
    static char *arena;
    static size_t used;
    if (allocations_left == 0) {
        has_failed = 1;
        if (!all_fail_after_it)
            allocations_left = -1;
        errno = ENOMEM;
        return NULL;
    }
    if (allocations_left > 0)
        allocations_left--;
    if (!arena)
        arena = (char *)mmap(NULL, ARENA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (alignment < 16)
        alignment = 16;
    size_t at = __atomic_fetch_add(&used, size + 2 * alignment, __ATOMIC_RELAXED);
    if ((void *)arena == MAP_FAILED || at + size + 2 * alignment > ARENA)
        abort();
    char *start = arena + (at + 2 * alignment - 1) / alignment * alignment;
    memcpy(start - sizeof size, &size, sizeof size);
    return start;
}

#ifdef __cplusplus
extern "C" {
#endif

void *malloc(size_t size) NO_EXCEPTION
{
    return take_memory(16, size);
}

void *calloc(size_t count, size_t size) NO_EXCEPTION
{
    return take_memory(16, count * size);
}

void *realloc(void *old, size_t size) NO_EXCEPTION
{
    char *bigger = (char *)take_memory(16, size);
    if (bigger && old) {
        size_t before;
        memcpy(&before, (char *)old - sizeof before, sizeof before);
        memcpy(bigger, old, before < size ? before : size);
    }
    return bigger;
}

int posix_memalign(void **place, size_t alignment, size_t size) NO_EXCEPTION
{
    *place = take_memory(alignment, size);
    return *place ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) NO_EXCEPTION
{
    return take_memory(alignment, size);
}

void free(void *memory) NO_EXCEPTION
{
    (void)memory;
}

#ifdef __cplusplus
}
#endif
#endif

/* ---- trials ---- */

/* What a trial may use: made before memory fails, in its own process. */
static rr_server *server;
static rr_client *client;
static const char *name;
static char buffer[4096];

static void open_both(void)
{
    rr_options options = with_slots(8);
    EXPECT(rr_server_new(name, &options, &server, NULL), 0);
    EXPECT(rr_client_new(name, NULL, &client, NULL), 0);
}

static int descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static const char *step_failed;

/* A step of a trial: the code that it returns with memory, or -ENOMEM where it may say that. */
#define STEP(call, wanted)                             \
    do {                                               \
        int64_t found = (call);                        \
        if (found == -ENOMEM && has_failed)            \
            return found;                              \
        if (found != (wanted)) {                       \
            step_failed = #call;                       \
            return found;                              \
        }                                              \
    } while (0)

static int64_t create(const char *path, rr_error *error)
{
    rr_server *made = NULL;
    int64_t code = rr_server_new(path, NULL, &made, error);
    CHECK((code == 0) == (made != NULL));
    if (code == 0)
        rr_server_free(made);
    return code;
}

static int64_t trial_create_anonymous(void)
{
    rr_error error;
    STEP(create(NULL, &error), 0);
    return 0;
}

/* A channel whose handle can't be had leaves no file behind. */
static int64_t trial_create_named(void)
{
    rr_error error;
    int64_t code = create(name, &error);
    allocations_left = -1;
    EXPECT(rr_unlink(name), code == 0 ? 0 : -ENOENT);
    CHECK(code == 0 ? error.code == 0 : error.code == -ENOMEM && error.message[0]);
    return code;
}

static int64_t trial_create_memfd(void)
{
    rr_server *made = NULL;
    STEP(rr_server_new_memfd("memory", NULL, &made, NULL), 0);
    rr_server_free(made);
    return 0;
}

static int64_t trial_attach_by_path(void)
{
    rr_client *another;
    rr_server *second;
    STEP(rr_client_new(name, NULL, &another, NULL), 0);
    rr_client_free(another);
    STEP(rr_server_new(name, NULL, &second, NULL), 0);
    rr_server_free(second);
    return 0;
}

static int64_t trial_attach_otherwise(void)
{
    rr_client *another;
    rr_server *second;
    int fd = rr_channel_fd(rr_server_channel(server));
    STEP(rr_client_from_server(server, NULL, &another, NULL), 0);
    rr_client_free(another);
    STEP(rr_client_from_fd(fd, NULL, &another, NULL), 0);
    rr_client_free(another);
    STEP(rr_server_from_fd(fd, NULL, &second, NULL), 0);
    rr_server_free(second);
    return 0;
}

/* The code does not depend on whether there is memory for the sentence. */
static int64_t trial_refusals(void)
{
    rr_options wrong = RR_OPTIONS_INIT;
    wrong.slots = 100000;
    rr_client *none;
    rr_server *neither;
    rr_error error;
    STEP(rr_client_new("./not/there", NULL, &none, &error), -ENOENT);
    STEP(rr_client_new("/dev/null", NULL, &none, &error), -EPROTO);
    STEP(rr_server_new(name, &wrong, &neither, &error), -EINVAL);
    STEP(rr_client_from_fd(-1, NULL, &none, &error), -EBADF);
    STEP(rr_client_from_fd(0, NULL, &none, &error), -EPROTO);
    STEP(rr_unlink("./not/there"), -ENOENT);
    STEP(rr_client_send(client, "x", 1, NULL), -EINVAL);
    STEP(rr_client_req(client, NULL, 1, NULL, 0, 0), -EINVAL);
    return 0;
}

static int64_t trial_requests(void)
{
    uint64_t id;
    rr_request request;
    rr_buffer loan = RR_BUFFER_INIT;
    rr_view view;
    rr_view views[4];
    STEP(rr_client_send(client, "ping", 4, &id), 0);
    STEP(rr_recv(server, buffer, sizeof buffer, &request), 4);
    STEP(rr_reply(server, request.id, buffer, 4), 0);
    STEP(rr_client_wait_any(client, &id, 1, within(0)), 0);
    STEP(rr_client_get(client, id, buffer, sizeof buffer), 4);
    STEP(rr_client_req(client, "ping", 4, buffer, sizeof buffer, 0), -EAGAIN);
    STEP(rr_client_req(client, "ping", 4, buffer, sizeof buffer, MS), -ETIMEDOUT);
    STEP(rr_client_post(client, "post", 4, 0), 0);
    STEP(rr_recv_batch(server, views, sizeof(rr_view), 4, within(0)), 1);
    STEP(rr_dismiss(server, views[0].id), 0);
    STEP(rr_client_loan(client, &loan, within(0)), 0);
    memcpy(loan.data, "lent", 4);
    STEP(commit_loan(client, &loan, 4, &id), 0);
    STEP(rr_recv_view(server, &view, within(0)), 4);
    STEP(rr_dismiss(server, view.id), 0);
    STEP(rr_client_get(client, id, buffer, sizeof buffer), -ENOMSG);
    STEP(rr_recv_wait(server, buffer, sizeof buffer, &request, MS), -ETIMEDOUT);
    return 0;
}

static int64_t trial_error_replies(void)
{
    static char text[4000];
    memset(text, 'e', sizeof text - 1);
    uint64_t id;
    rr_request request;
    rr_result result = result_with(buffer, sizeof buffer);
    STEP(rr_client_send(client, "ping", 4, &id), 0);
    STEP(rr_recv(server, buffer, sizeof buffer, &request), 4);
    STEP(rr_reply_error(server, request.id, 42, text), 0);
    STEP(rr_client_get_msg(client, id, NULL, 0, &result, within(0)), -EREMOTEIO);
    CHECK(result.code == 42 && result.text_length == strlen(text));
    return 0;
}

static int fail_then_stop(void *ctx, const rr_view *request, rr_buffer *reply)
{
    (void)request;
    if ((*(int *)ctx)++)
        return RR_SERVE_STOP;
    memset(reply->data, 'e', reply->capacity);
    reply->length = reply->capacity;
    return -7;
}

static int64_t trial_serving(void)
{
    uint64_t ids[2];
    int served = 0;
    for (int k = 0; k < 2; k++)
        STEP(rr_client_send(client, "ping", 4, &ids[k]), 0);
    STEP(rr_serve(server, fail_then_stop, &served, NULL), 0);
    STEP(rr_client_get(client, ids[0], buffer, sizeof buffer), -EREMOTEIO);
    STEP(rr_client_get(client, ids[1], buffer, sizeof buffer), 0);
    return 0;
}

static int64_t trial_administration(void)
{
    rr_channel *channel = rr_client_channel(client);
    rr_participant participants[4];
    rr_stats stats = RR_STATS_INIT;
    uint64_t id;
    STEP(rr_channel_participants(channel, participants, sizeof(rr_participant), 4), 2);
    STEP(rr_client_send(client, "ping", 4, &id), 0);
    STEP(rr_channel_clear(channel), 1);
    STEP(rr_channel_recover(channel), 0);
    STEP(rr_channel_sync(channel), 0);
    STEP(rr_channel_stats(channel, &stats), 0);
    CHECK(rr_channel_path(channel, buffer, sizeof buffer) > 0);
    return 0;
}

static int64_t trial_eventfds(void)
{
    rr_channel *channel = rr_client_channel(client);
    rr_channel *other = rr_server_channel(server);
    STEP(rr_channel_notify_requests(channel), -ENXIO);
    int fd = rr_channel_request_fd_make(channel);
    if (fd < 0)
        return fd;
    STEP(rr_channel_request_fd_set(other, fd), 0);
    STEP(rr_channel_request_fd_set(other, fd), 0);
    STEP(rr_channel_notify_requests(channel), 0);
    STEP(rr_channel_consume_requests(other), 1);
    STEP(rr_channel_reply_fd_set(other, 0), -EINVAL);
    STEP(rr_channel_request_fd_set(other, -1), 0);
    return 0;
}

static int64_t trial_forked(void)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        rr_request request;
        int64_t code = rr_recv(server, buffer, sizeof buffer, &request);
        CHECK(code == -EAGAIN || (code == -ENOMEM && has_failed));
        allocations_left = -1;
        EXPECT(rr_recv(server, buffer, sizeof buffer, &request), -EAGAIN);
        /* What its parent counts by. */
        _exit(has_failed ? 77 : 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 77));
    has_failed |= WEXITSTATUS(status) == 77;
    return 0;
}

/* ---- every allocation in turn ---- */

/* The most allocations of a trial that are made to fail. */
#define TURNS_MAX 2000

/* Runs a trial in a process of its own; returns whether its n-th allocation failed. */
static int fails_at(int64_t (*trial)(void), int is_open, long n, int and_all_after)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(CHILD_WATCHDOG);
        if (is_open)
            open_both();
        int before = descriptors();
        all_fail_after_it = and_all_after;
        allocations_left = n;
        int64_t code = trial();
        allocations_left = -1;
        if (step_failed || (code != 0 && !(code == -ENOMEM && has_failed))) {
            fprintf(stderr, "allocation %ld: %s: found %" PRId64 "%s\n", n, step_failed ? step_failed : "the trial",
                    code, check_code_name(code));
            _exit(2);
        }
        if (code != 0)
            CHECK(descriptors() <= before + (trial == trial_eventfds));
        if (is_open) {
            rr_client_free(client);
            rr_server_free(server);
            EXPECT(rr_unlink(name), 0);
        }
        _exit(has_failed ? 1 : 0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status))
        fprintf(stderr, "allocation %ld: ended by signal %d\n", n, WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status);
}

static void in_turn(int64_t (*trial)(void), int is_open)
{
#if HAS_OWN_MEMORY
    for (int and_all_after = 0; and_all_after <= 1; and_all_after++) {
        long n = 0;
        while (fails_at(trial, is_open, n, and_all_after))
            CHECK(++n < TURNS_MAX);
    }
#else
    CHECK(fails_at(trial, is_open, -1, 0) == 0);
#endif
}

static void creating_fails_with_a_code_and_leaves_nothing(void)
{
    in_turn(trial_create_anonymous, 0);
    in_turn(trial_create_named, 0);
    in_turn(trial_create_memfd, 0);
}

static void attaching_fails_with_a_code_and_leaves_nothing(void)
{
    in_turn(trial_attach_by_path, 1);
    in_turn(trial_attach_otherwise, 1);
}

static void a_refusal_keeps_its_code(void)
{
    in_turn(trial_refusals, 1);
}

static void requests_need_no_memory(void)
{
#if HAS_OWN_MEMORY
    CHECK(!fails_at(trial_requests, 1, 0, 1));
#endif
    in_turn(trial_requests, 1);
}

static void error_replies_arrive(void)
{
    in_turn(trial_error_replies, 1);
    in_turn(trial_serving, 1);
}

static void administration_works_or_says_so(void)
{
    in_turn(trial_administration, 1);
    in_turn(trial_eventfds, 1);
}

static void a_forked_child_joins_or_says_so(void)
{
    in_turn(trial_forked, 1);
}

int main(void)
{
    name = new_name();
    RUN(creating_fails_with_a_code_and_leaves_nothing);
    RUN(attaching_fails_with_a_code_and_leaves_nothing);
    RUN(a_refusal_keeps_its_code);
    RUN(requests_need_no_memory);
    RUN(error_replies_arrive);
    RUN(administration_works_or_says_so);
    RUN(a_forked_child_joins_or_says_so);
    return 0;
}
