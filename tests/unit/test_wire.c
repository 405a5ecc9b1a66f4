/* What ranks tell each other: comes as it went, and whatever else comes is COMM or a plan within what was agreed (oracles R6,
 * R7 of the ranks' design). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "engine/wire.h"
#include "forward/forward.h"
#include "llminf/status.h"
#include "support/gguf_make.h"
#include "support/network.h"
#include "support/support.h"

enum { SEQS = 5, ROWS = 40, COPIES = 3, BLOCKS = 64, TABLE = 16, GROUPS = 2, NUMBER = 77, WAIT_NS = 123456789 };

static const struct lli_wire_room room = {
    .n_blocks = BLOCKS,
    .max_rows = ROWS,
    .max_seqs = SEQS,
    .max_logits = ROWS,
    .max_pos = TABLE * LLI_BLOCK_TOKENS,
    .n_groups = GROUPS,
    .n_vocab = 100,
};

struct sample {
    struct lli_heap heap;
    struct lli_row rows[ROWS];
    struct lli_seq seqs[SEQS];
    struct lli_copy copies[COPIES];
    uint32_t tables[SEQS][GROUPS][TABLE];
    struct lli_plan plan;
    struct lli_buffer message;
    struct lli_wire_plan read;
};

static void fill(struct sample *s, uint64_t seed)
{
    struct lli_plan *plan = &s->plan;
    *plan = (struct lli_plan){
        .n_seqs = SEQS, .rows = s->rows, .seqs = s->seqs, .copies = s->copies, .n_copies = COPIES};
    for (uint32_t i = 0; i < SEQS; i++) {
        uint32_t n = 1 + (uint32_t)(support_random(&seed) % (ROWS / SEQS)), first = (uint32_t)(support_random(&seed) % 200);
        s->seqs[i] = (struct lli_seq){.first_row = plan->n_rows, .n_rows = n};
        for (uint32_t g = 0; g < GROUPS; g++)
            s->seqs[i].blocks[g] = s->tables[i][g];
        for (uint32_t g = 0; g < GROUPS * TABLE; g++)
            s->tables[i][g / TABLE][g % TABLE] = (uint32_t)(support_random(&seed) % BLOCKS);
        for (uint32_t k = 0; k < n; k++) {
            uint16_t flags = support_random(&seed) % 4;
            s->rows[plan->n_rows++] =
                (struct lli_row){(int32_t)(support_random(&seed) % room.n_vocab), first + k, (uint16_t)i, flags};
            plan->n_logits += flags & LLI_ROW_LOGITS;
        }
    }
    for (uint32_t i = 0; i < COPIES; i++)
        s->copies[i] = (struct lli_copy){1 + i, 10 + i, i};
}

static void begin(struct sample *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    lli_heap_init(&s->heap, NULL, NULL, NULL);
    lli_buffer_init(&s->message, &s->heap);
    fill(s, seed);
    assert_int_equal(lli_wire_plan_init(&s->read, &s->heap, &room), 0);
    assert_int_equal(lli_wire_put_plan(&s->message, &s->plan, GROUPS, NUMBER, WAIT_NS), 0);
}

static void end(struct sample *s)
{
    lli_buffer_finish(&s->message);
    lli_wire_plan_finish(&s->read);
    assert_int_equal(s->heap.live_bytes, 0);
}

/* As a rank does. */
static int32_t read_message(struct sample *s, uint8_t *bytes, size_t n, struct llminf_error *err)
{
    struct lli_wire_head head;
    int32_t status = lli_wire_read_head(&head, bytes, n, err);
    if (status == 0 && (head.kind != LLI_WIRE_PLAN || head.bytes != n))
        return LLMINF_E_COMM;
    return status == 0 ? lli_wire_read_plan(&s->read, &room, &head, bytes, err) : status;
}

static uint32_t entries(const struct lli_plan *plan, const struct lli_seq *seq)
{
    return lli_table_blocks(plan->rows[seq->first_row].pos + seq->n_rows);
}

static void test_plans(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct sample s;
        struct llminf_error err;
        begin(&s, seed);
        assert_true(s.message.len <= lli_wire_plan_most(&room));
        if (read_message(&s, s.message.bytes, s.message.len, &err) != 0)
            fail_msg("%s", err.text);
        const struct lli_plan *got = &s.read.plan;
        assert_int_equal(got->number, NUMBER);
        assert_int_equal(s.read.timeout_ns, WAIT_NS);
        assert_int_equal(got->n_seqs, SEQS);
        assert_int_equal(got->n_rows, s.plan.n_rows);
        assert_int_equal(got->n_logits, s.plan.n_logits);
        assert_memory_equal(got->rows, s.rows, got->n_rows * sizeof *s.rows);
        assert_memory_equal(got->copies, s.copies, sizeof s.copies);
        for (uint32_t i = 0; i < SEQS; i++) {
            assert_int_equal(got->seqs[i].first_row, s.seqs[i].first_row);
            assert_int_equal(got->seqs[i].n_rows, s.seqs[i].n_rows);
            for (uint32_t g = 0; g < GROUPS; g++)
                assert_memory_equal(got->seqs[i].blocks[g], s.tables[i][g], entries(&s.plan, &s.seqs[i]) * 4);
        }
        end(&s);
    }
}

/* All that the forward would use. */
static void check_room(const struct lli_wire_plan *read)
{
    const struct lli_plan *plan = &read->plan;
    uint32_t n_rows = 0, n_logits = 0;
    assert_in_range(plan->n_seqs, 1, SEQS);
    assert_in_range(plan->n_rows, 1, ROWS);
    for (uint32_t i = 0; i < plan->n_seqs; i++) {
        const struct lli_seq *seq = &plan->seqs[i];
        assert_int_equal(seq->first_row, n_rows);
        n_rows += seq->n_rows;
        assert_true(n_rows <= plan->n_rows && seq->n_rows > 0);
        for (uint32_t g = 0; g < GROUPS; g++)
            for (uint32_t b = 0; b < entries(plan, seq); b++)
                assert_true(seq->blocks[g][b] < BLOCKS);
    }
    for (uint32_t i = 0; i < plan->n_rows; i++) {
        assert_true(plan->rows[i].token >= 0 && (uint32_t)plan->rows[i].token < room.n_vocab);
        assert_true(plan->rows[i].pos < room.max_pos && plan->rows[i].seq < plan->n_seqs);
        n_logits += plan->rows[i].flags & LLI_ROW_LOGITS;
    }
    assert_int_equal(n_logits, plan->n_logits);
    for (uint32_t i = 0; i < plan->n_copies; i++)
        assert_true(plan->copies[i].dst < BLOCKS && plan->copies[i].src < BLOCKS);
}

/* The hash of a message that somebody made on purpose fits. */
static void sign(uint8_t *bytes, size_t n)
{
    uint64_t hash = lli_hash(bytes + LLI_WIRE_HEAD, n - LLI_WIRE_HEAD, 0);
    for (int i = 0; i < 8; i++)
        bytes[24 + i] = (uint8_t)(hash >> 8 * i);
}

static void test_bits(void **state)
{
    (void)state;
    struct sample s;
    struct llminf_error err;
    int n_taken = 0, n_refused = 0;
    begin(&s, 5);
    size_t n = s.message.len;
    uint8_t *kept = test_malloc(n), *bytes = test_malloc(n);
    memcpy(kept, s.message.bytes, n);
    for (size_t bit = 0; bit < 8 * n; bit++)
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            memcpy(bytes, kept, n);
            bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (is_signed)
                sign(bytes, n);
            int32_t status = read_message(&s, bytes, n, &err);
            assert_true(status == 0 || status == LLMINF_E_COMM);
            /* the plan's number is the worker's to look at */
            assert_true(status == LLMINF_E_COMM || is_signed || (bit / 8 >= 8 && bit / 8 < 16));
            if (status == 0)
                check_room(&s.read);
            n_taken += status == 0;
            n_refused += status != 0;
        }
    assert_true(n_taken > 0 && n_refused > 0);
    for (size_t cut = LLI_WIRE_HEAD; cut < n; cut++) { /* and cut short */
        memcpy(bytes, kept, cut);
        for (int i = 0; i < 4; i++)
            bytes[16 + i] = (uint8_t)(cut >> 8 * i);
        sign(bytes, cut);
        assert_int_equal(read_message(&s, bytes, cut, &err), LLMINF_E_COMM);
    }
    test_free(kept);
    test_free(bytes);
    end(&s);
}

static void test_results(void **state)
{
    (void)state;
    struct sample s;
    struct llminf_error err;
    begin(&s, 9);
    s.seqs[1].status = LLMINF_E_NUMERIC;
    size_t n = lli_wire_result_bytes(SEQS);
    assert_int_equal(lli_wire_put_result(&s.message, &s.plan, NUMBER), 0);
    assert_int_equal(s.message.len, n);
    s.seqs[1].status = 0;
    s.seqs[2].status = LLMINF_E_NUMERIC;
    assert_int_equal(lli_wire_read_result(&s.plan, NUMBER, s.message.bytes, &err), 0);
    for (uint32_t i = 0; i < SEQS; i++)
        assert_int_equal(s.seqs[i].status, i == 1 || i == 2 ? LLMINF_E_NUMERIC : 0);
    assert_int_equal(lli_wire_read_result(&s.plan, NUMBER + 1, s.message.bytes, &err), LLMINF_E_COMM);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        s.message.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(lli_wire_read_result(&s.plan, NUMBER, s.message.bytes, &err), LLMINF_E_COMM);
        s.message.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    end(&s);
}

/* R7: each field, when it is another, is named. */
static void test_hello(void **state)
{
    (void)state;
    const struct test_model_spec spec = {.seed = 3};
    struct network network;
    struct lli_heap heap;
    struct lli_buffer message;
    struct llminf_error err;
    network_make(&network, &spec);
    const struct lli_config *config = &network.config;
    struct lli_wire_hello hello, got;
    memset(&hello, 0, sizeof hello); /* what is between the fields too */
    memset(&got, 0, sizeof got);
    hello.fingerprint = 42;
    hello.kv_type = LLI_KV_F32;
    hello.room = room;
    hello.timeout_ns = WAIT_NS;
    hello.room.n_vocab = config->n_vocab;
    assert_int_equal(lli_division_make(&hello.division, config, &(struct lli_cost){0}, 1, 2, &err), 0);
    lli_heap_init(&heap, NULL, NULL, NULL);
    lli_buffer_init(&message, &heap);
    assert_int_equal(lli_wire_put_hello(&message, &hello), 0);
    assert_int_equal(lli_wire_read_hello(&got, message.bytes, &err), 0);
    assert_memory_equal(&got, &hello, sizeof got);
    assert_int_equal(lli_wire_check_hello(&got, config, 42, 2, &err), 0);
    const struct {
        uint32_t at;
        const char *names;
    } fields[] = {
        {0, "byte order"},
        {4, "numerics"},
        {8, "block"},
        {12, "model"},
        {20, "tensor_parallel"},
        {24, "pipeline_parallel"},
        {28, "pipeline_parallel"},
        {32, "pipeline_parallel"},
        {36, "pipeline_parallel"},
        {288, "kv_type"},
        {292, "n_blocks"},
        {296, "max_rows"},
        {300, "max_seqs"},
        {304, "max_logits"},
        {308, "max_pos"},
        {312, "n_groups"},
        {316, "vocabulary"},
        {320, "comm_timeout_ns"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        uint8_t frame[LLI_WIRE_FRAME], *at = frame + LLI_WIRE_HEAD + fields[i].at;
        memcpy(frame, message.bytes, sizeof frame);
        memset(at, fields[i].at == 292 || fields[i].at == 320 ? 0 : 0xff, 4);
        sign(frame, message.len);
        int32_t status = lli_wire_read_hello(&got, frame, &err);
        if (status == 0)
            status = lli_wire_check_hello(&got, config, 42, 2, &err);
        assert_int_equal(status, LLMINF_E_COMM);
        if (!strstr(err.text, fields[i].names))
            fail_msg("field at %u: \"%s\", want %s", fields[i].at, err.text, fields[i].names);
    }
    assert_int_equal(lli_wire_check_hello(&hello, config, 42, 4, &err), LLMINF_E_COMM);
    assert_non_null(strstr(err.text, "ranks: is 2, want 4"));
    lli_buffer_finish(&message);
    network_close(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_hello),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
